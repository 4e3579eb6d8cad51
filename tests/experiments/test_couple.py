"""`neuronal couple`: what it writes, and what it refuses."""

import pytest
import tomli_w
import xarray as xr

from neuronal import InvalidInput
from neuronal.experiments import parse
from neuronal.experiments.couple import couple_systems
from neuronal.report import coupling as page
from neuronal.theory.coupling import fitted

CONTENT = {
    "name": "tiny",
    "problem": {"kind": "regression", "target": "sine"},
    "loss": {"name": "pseudo_huber"},
    "systems": [
        {"label": "two", "embedding": "bidirectional", "depth": 2},
        {"label": "three <3>", "embedding": "bidirectional", "depth": 3, "rank": 2},
    ],
    "limit": {"data_nodes": 8},
    "coupling": {
        "widths": [4, 8, 16], "learning_rates": [0.2, 0.1], "seeds": 2, "nodes": 16,
        "carried": 4, "records": 3,
    },
    "run": {"until": 1.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def coupled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coupled")
    told = []
    data = couple_systems(
        parse(CONTENT), folder, on_run=lambda words, share: told.append((words, share))
    )
    return folder, data, told


def test_the_dataset_is_written_and_read(coupled):
    folder, data, told = coupled
    xr.testing.assert_identical(xr.load_dataset(folder / "coupling.nc"), data)
    assert data.prediction.sizes == {
        "system": 2,
        "pair": 3,
        "learning_rate": 2,
        "width": 3,
        "seed": 2,
    }
    assert not data.prediction.isnull().any()
    # The shallower system has no third layer.
    assert data.weight_rms.sel(system="two", layer=3).isnull().all()
    assert not data.weight_rms.sel(system="two", layer=[1, 2]).isnull().any()
    shares = [share for _, share in told]
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) == 2 * 3 * 2 * 2


def test_the_page_shows_every_rate_and_figure(coupled):
    _, data, _ = coupled
    text = page.page(data)
    rate = fitted(data.isel(system=1), "width", "flow-limit", "weight_rms", 3)
    assert f"{rate.slope:.2f}".replace("-", "−") in text
    assert "three &lt;3&gt;" in text and "three <3>" not in text
    assert text.count("<figure>") == 4 and "http" not in text.replace("http://www.w3.org", "")
    assert len(list(page.rates(data, 0))) == 4 and len(list(page.rates(data, 1))) == 5


def test_a_finished_coupling_is_not_lost(coupled):
    folder, data, _ = coupled
    with pytest.raises(InvalidInput, match="finished coupling"):
        couple_systems(parse(CONTENT), folder)
    other = CONTENT | {"run": {"until": 2.0}}
    with pytest.raises(InvalidInput, match="another configuration"):
        couple_systems(parse(other), folder, overwrite=True)
    xr.testing.assert_identical(xr.load_dataset(folder / "coupling.nc"), data)


def test_rates_that_share_no_times_are_refused_in_one_line(tmp_path):
    content = CONTENT | {"coupling": CONTENT["coupling"] | {"learning_rates": [0.2, 0.15]}}
    with pytest.raises(InvalidInput, match="learning_rate") as raised:
        couple_systems(parse(content), tmp_path / "out")
    assert "\n" not in str(raised.value) and not (tmp_path / "out" / "coupling.nc").exists()


def test_the_command_prints_the_rates_and_writes_the_page(call, tmp_path):
    file = tmp_path / "tiny.toml"
    small = CONTENT["coupling"] | {"widths": [4, 8], "learning_rates": [0.2], "carried": 0}
    file.write_text(tomli_w.dumps(CONTENT | {"coupling": small}))
    code, out, err = call("couple", file)
    assert (code, err) == (0, "")
    data = xr.load_dataset(tmp_path / "runs" / "tiny" / "coupling.nc")
    assert str(fitted(data.isel(system=0), "width", "flow-limit")) in out
    assert "three <3>" in out and (tmp_path / "runs" / "tiny" / "coupling.html").is_file()
    code, _, err = call("couple", file)
    assert code == 2 and "finished coupling" in err and "--overwrite" in err

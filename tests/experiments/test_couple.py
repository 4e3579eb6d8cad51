"""`neuronal couple`: what it writes, and what it refuses."""

import numpy as np
import pytest
import tomli_w
import xarray as xr
from browser import is_sound
from rich.console import Console

import neuronal as nr
from neuronal import InvalidInput
from neuronal.experiments import parse
from neuronal.experiments.build import build
from neuronal.experiments.couple import couple_systems
from neuronal.report import coupling as page
from neuronal.report import terminal
from neuronal.theory.fits import fitted, fitted_prefactor

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_page_shows_every_rate_and_figure(coupled):
    _, data, _ = coupled
    text = page.page(data)
    rate = fitted(data.isel(system=1), "width", "flow-limit", "weight_rms", 3)
    assert f"{rate.slope:.2f}".replace("-", "−") in text
    assert "three &lt;3&gt;" in text and "three <3>" not in text
    assert text.count("<figure ") == 4 and "http" not in text.replace("http://www.w3.org", "")
    assert f">{fitted_prefactor(data.isel(system=0), 'width').value:.3g} <" in text
    assert "predicted" not in data and "Predicted:" not in text
    assert len(list(page.rates(data, 0))) == 4 and len(list(page.rates(data, 1))) == 5


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """A system that the limit can predict, and one of which all networks are the limit."""
    alike = {"label": "al<i>ke", "embedding": "iid", "depth": 2, "mean": 1.0, "std": 0.0}
    small = {"widths": [4, 8], "seeds": 2, "carried": 0, "predicted": True}
    content = CONTENT | {
        "systems": [CONTENT["systems"][0], alike],
        "coupling": CONTENT["coupling"] | small,
    }
    return couple_systems(parse(content), tmp_path_factory.mktemp("predicted"))


def test_predicted_distances_are_those_of_the_fluctuations(predicted):
    system = build(parse(CONTENT)).systems[0]
    law = nr.fluctuations(
        system.problem,
        system.embedding,
        1.0,
        16,
        save_at=predicted.time.values,
        data_nodes=8,
        key=0,
    )
    own = predicted.predicted.sel(system="two")
    np.testing.assert_allclose(own, law.distances([4, 8], [0.2, 0.1]), rtol=1e-5)
    assert predicted.predicted.sel(system="al<i>ke").isnull().all()


def test_the_page_and_the_terminal_show_what_is_predicted_and_what_cannot_be(predicted):
    text = page.page(predicted)
    factor = fitted_prefactor(predicted.isel(system=0), "learning_rate")
    assert f">{factor.predicted:.3g}</td>" in text and "Dashed" in text
    assert "al&lt;i&gt;ke: start: its neurons are all alike" in text and "al<i>ke" not in text
    console = Console(width=300)
    with console.capture() as captured:
        console.print(terminal.coupled(predicted))
    assert str(factor) in captured.get()
    assert "not predicted, al<i>ke: start: its neurons are all alike" in captured.get()


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_command_prints_the_rates_and_writes_the_page(call, tmp_path):
    file = tmp_path / "tiny.toml"
    small = CONTENT["coupling"] | {"widths": [4, 8], "learning_rates": [0.2], "carried": 0}
    file.write_text(tomli_w.dumps(CONTENT | {"coupling": small}))
    code, out, err = call("couple", file)
    assert (code, err) == (0, "")
    data = xr.load_dataset(tmp_path / "runs" / "tiny" / "coupling.nc")
    assert str(fitted(data.isel(system=0), "width", "flow-limit")) in out
    assert "three <3>" in out and (tmp_path / "runs" / "tiny" / "coupling.html").is_file()
    is_sound(tmp_path / "runs" / "tiny" / "coupling.html")
    code, _, err = call("couple", file)
    assert code == 2 and "finished coupling" in err and "--overwrite" in err

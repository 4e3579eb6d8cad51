"""`neuronal predict`: the file that it writes is what `fluctuations` says."""

import numpy as np
import pytest
import tomli_w
import xarray as xr

import neuronal as nr
from neuronal.experiments import parse
from neuronal.experiments.build import build

CONTENT = {
    "name": "tiny",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [
        {"label": "two", "embedding": "bidirectional", "depth": 2},
        {"label": "alike", "embedding": "iid", "depth": 3, "mean": 1.0},
    ],
    "fluctuations": {
        "widths": [8, 32], "nodes": 16, "directions": 4, "data_nodes": 4, "records": 2,
        "learning_rate": 0.1, "batch_size": 2,
    },
    "run": {"until": 0.5, "seed": 3},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::neuronal.InaccuracyWarning")
def test_the_prediction_is_written_and_printed(call, tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(CONTENT))
    code, out, _ = call("predict", file)
    assert code == 0
    assert all(word in out for word in ("two", "alike", "width 8", "width 32", "–", "±"))
    with xr.open_dataset(tmp_path / "runs" / "tiny-prediction" / "prediction.nc") as data:
        assert dict(data.sizes) == {"system": 2, "width": 2, "time": 3}
        assert np.isnan(data.risk_mean.sel(system="alike")).all()
        system = build(parse(CONTENT)).systems[0]
        law = nr.fluctuations(
            system.problem, system.embedding, 0.5, 16, save_at=2, data_nodes=4, directions=4, key=3
        )
        of_two = data.sel(system="two", width=32)
        for name in ("risk_mean", "risk_sd", "risk_mean_error", "risk_sd_error"):
            np.testing.assert_allclose(of_two[name], getattr(law, name)(32, 0.1, 2), rtol=1e-6)


RUN = CONTENT | {
    "systems": [
        CONTENT["systems"][0],
        {"label": "al<i>ke", "embedding": "iid", "depth": 2, "mean": 1.0, "std": 0.0},
    ],
    "limit": {"nodes": 16, "data_nodes": 4},
    "networks": {"widths": [8, 16], "seeds": [0, 1], "learning_rate": 0.05, "batch_size": 2},
    "fluctuations": {"nodes": 16, "directions": 4, "data_nodes": 4},
    "run": {"until": 0.5, "seed": 3, "records": 4},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::neuronal.InaccuracyWarning")
def test_a_run_with_the_table_predicts_its_own_networks(call, tmp_path):
    """Widths, rate, batches and times are those of `[networks]` and `[run]` where they are left out."""
    file, folder = tmp_path / "tiny.toml", tmp_path / "runs" / "tiny"
    file.write_text(tomli_w.dumps(RUN))
    assert call("run", file)[0] == 0
    run = xr.load_dataset(folder / "results.nc")
    data = xr.load_dataset(folder / "prediction.nc")
    np.testing.assert_array_equal(data.time, run.time)
    assert data.width.values.tolist() == [8, 16]
    assert (data.attrs["learning_rate"], data.attrs["batch_size"]) == (0.05, 2)
    system = build(parse(RUN)).systems[0]
    law = nr.fluctuations(
        system.problem, system.embedding, 0.5, 16, save_at=run.time.values, data_nodes=4,
        directions=4, key=3,
    )  # fmt: skip
    np.testing.assert_allclose(
        data.risk_sd.sel(system="two", width=8), law.risk_sd(8, 0.05, 2), rtol=1e-6
    )
    assert data.risk_sd.sel(system="al<i>ke").isnull().all()
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "Networks and their prediction" in text
    assert "al&lt;i&gt;ke: start: its neurons are all alike" in text and "al<i>ke" not in text
    # What the run and the prediction left is taken as it is.
    kept = (folder / "prediction.nc").stat().st_mtime_ns
    assert call("run", file, "--resume")[0] == 0
    assert (folder / "prediction.nc").stat().st_mtime_ns == kept
    assert call("report", folder)[0] == 0
    assert (folder / "report.html").read_text(encoding="utf-8") == text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::neuronal.InaccuracyWarning")
def test_a_prediction_of_something_else_is_left_out_of_the_page(call, tmp_path):
    file, folder = tmp_path / "tiny.toml", tmp_path / "out"
    plain = {key: value for key, value in RUN.items() if key != "fluctuations"}
    plain["networks"] = RUN["networks"] | {"widths": [8], "seeds": [0]}
    asked = plain | {"fluctuations": RUN["fluctuations"]}
    text = lambda: (folder / "report.html").read_text(encoding="utf-8")
    # A prediction may be there before the run, which draws it if it is its own.
    file.write_text(tomli_w.dumps(asked))
    assert call("predict", file, "-o", folder)[0] == 0
    file.write_text(tomli_w.dumps(plain))
    code, _, err = call("run", file, "-o", folder)
    assert code == 0 and "prediction" not in err and "Networks and their prediction" in text()
    # One of gradient flow is not what these networks are trained by.
    flow = asked | {"fluctuations": RUN["fluctuations"] | {"learning_rate": 0.0}}
    file.write_text(tomli_w.dumps(flow))
    assert call("predict", file, "-o", folder)[0] == 0
    code, _, err = call("report", folder)
    assert code == 0 and "learning rate 0 and batches of 2" in err
    assert "Networks and their prediction" not in text()
    # Nor does another experiment's get into the folder, or stay there once another run is.
    file.write_text(tomli_w.dumps(asked | {"run": RUN["run"] | {"until": 1.0}}))
    code, _, err = call("predict", file, "-o", folder)
    assert code == 2 and "another configuration (run differ)" in err
    file.write_text(tomli_w.dumps(plain | {"run": RUN["run"] | {"until": 0.4}}))
    code, _, err = call("run", file, "-o", folder, "--overwrite")
    assert code == 0 and "another configuration (run differ)" in err
    assert "Networks and their prediction" not in text()


@pytest.mark.slow
def test_nothing_is_written_where_no_system_can_be_predicted(call, tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(RUN | {"systems": RUN["systems"][1:]}))
    code, _, err = call("predict", file, "-o", tmp_path / "out")
    assert code == 2 and "all alike" in err and not (tmp_path / "out" / "prediction.nc").exists()


def test_fields_are_named(call, tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(CONTENT | {"fluctuations": {"widths": [0]}}))
    code, _, err = call("predict", file)
    assert code == 2
    assert "fluctuations.widths[0]" in err

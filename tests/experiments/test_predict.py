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


def test_fields_are_named(call, tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(CONTENT | {"fluctuations": {"widths": [0]}}))
    code, _, err = call("predict", file)
    assert code == 2
    assert "fluctuations.widths[0]" in err

"""The theorist's job in one script: it runs, and what it leaves is what it says."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

SCRIPT = Path(__file__).parents[1] / "examples" / "theorist.py"


@pytest.mark.slow
def test_the_theorists_job_is_one_short_script(tmp_path):
    assert len(SCRIPT.read_text().splitlines()) <= 40
    environment = os.environ | {"MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "run"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    exponent = float(done.stdout.split("exponent in the width:")[1].split()[0])
    assert -0.9 < exponent < -0.2  # 5 seeds of small networks
    assert "1.1 phi" in done.stdout or "φ" in done.stdout
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"report.html", "results.nc", "certificate.json", "config.toml", "rate.pdf"} <= left
    assert (tmp_path / "run" / "rate.pdf").read_bytes().startswith(b"%PDF")
    with xr.open_dataset(tmp_path / "run" / "results.nc", engine="h5netcdf") as data:
        assert list(data.system.values) == ["i.i.d.", "bidirectional"]
        assert np.isfinite(data.risk).all() and np.isfinite(data.limit_risk).all()
    with xr.open_dataset(tmp_path / "run" / "limit.nc", engine="h5netcdf") as data:
        assert data.prediction.dims == ("time", "sample", "output")
        assert float(data.risk[-1]) < float(data.risk[0])

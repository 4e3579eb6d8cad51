"""A sweep killed at any moment and gone on with gives the bits of one never disturbed."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tomli_w
import xarray as xr

CONTENT = {
    "name": "tiny",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "a", "embedding": "bidirectional", "depth": 2}],
    "limit": {"nodes": 4, "data_nodes": 8, "solver": "euler", "step": 0.25},
    "networks": {"widths": [4], "learning_rate": 0.25},
    "run": {"until": 2.0, "records": 8, "checkpoints": 8},
}
OF_TIME = ["seconds", "limit_seconds", "limit_report", "tries"]
"""What tells of clocks and of kills, and no number of the mathematics."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sweep never disturbed, and the seconds that it computed."""
    home = tmp_path_factory.mktemp("whole")
    (home / "tiny.toml").write_text(tomli_w.dumps(CONTENT))
    began = begun(process := start(home, home / "whole"), home / "whole")
    assert process.wait() == 0
    return home, time.monotonic() - began


def start(home, out):
    # Processes of a group of their own, so that all are killed with one signal; programs are
    # compiled once for all of them.
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(home / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    rates = "networks.learning_rate=0.25,0.125,0.0625,0.03125"
    command = ["sweep", home / "tiny.toml", "-s", rates, "-j", "2", "-q"]
    return subprocess.Popen(
        [sys.executable, "-m", "neuronal.cli", *command, "-o", out],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=os.environ | cache,
    )  # fmt: skip


def begun(process, out):
    """Wait until a first limit or point is at work."""
    while process.poll() is None and not any((out / "tries").glob("*")):
        time.sleep(0.01)
    return time.monotonic()


def same(one, other):
    files = sorted(p.relative_to(one) for p in one.rglob("*.nc"))
    assert len(files) == 5 and files == sorted(p.relative_to(other) for p in other.rglob("*.nc"))
    for file in files:
        a, b = (
            xr.load_dataset(folder / file, engine="h5netcdf").drop_vars(OF_TIME, errors="ignore")
            for folder in (one, other)
        )
        xr.testing.assert_equal(a, b)


def killed_and_gone_on_with(whole, out, seed):
    home, seconds = whole
    process = start(home, out)
    began = begun(process, out)
    moment = random.Random(seed).uniform(0, seconds)
    time.sleep(max(0.0, began + moment - time.monotonic()))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = len(list(out.glob("*/results.nc")))
    assert start(home, out).wait() == 0
    same(home / "whole", out)
    return finished


@pytest.mark.parametrize(
    "seed", [pytest.param(0, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.long)]
)
def test_killed_and_gone_on_with(whole, tmp_path, seed):
    killed_and_gone_on_with(whole, tmp_path / "killed", seed)


@pytest.mark.long
def test_killed_at_twenty_moments(whole, tmp_path):
    finished = [killed_and_gone_on_with(whole, tmp_path / str(n), 100 + n) for n in range(20)]
    print("points finished at the moment of the kill:", finished)
    assert len(np.unique(finished)) > 1  # early and late

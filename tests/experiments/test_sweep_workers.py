"""Processes of a sweep: one that is killed takes nothing with it but its own point."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import neuronal as nr
from neuronal.experiments import parse
from neuronal.experiments.sweep import attempts, sweep
from neuronal.experiments.sweep.workers import Here, Processes, WorkerKilled, opened

CONTENT = {
    "name": "tiny",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "a", "embedding": "bidirectional", "depth": 2}],
    "limit": {"nodes": 4, "data_nodes": 8, "solver": "euler", "step": 0.25},
    "networks": {"widths": [4], "learning_rate": 0.25},
    "run": {"until": 1.0, "records": 2, "checkpoints": 1},
}
POISON = 0.0625
"""A learning rate that kills its worker."""


def die(home, name, times):
    """Die by SIGKILL the first `times` times, and then tell how often it was begun."""
    count = attempts.begin(home, name)
    if count <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return count


def leave():
    os._exit(3)


def refuse():
    raise nr.InvalidInput("x: takes y")


def forever(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)


@pytest.fixture(scope="module")
def pool():
    pool = Processes(2)
    yield pool
    pool.stop()


@pytest.fixture
def home(tmp_path):
    (tmp_path / "tries").mkdir()
    return tmp_path


@pytest.mark.slow
def test_what_a_killed_worker_did_is_done_again(pool, home):
    futures = {n: pool.submit(die, home, f"p{n}", n) for n in (0, 1)}
    assert futures[0].result() == 1 and futures[1].result() == 2


@pytest.mark.slow
def test_errors_of_what_is_called_come_back(pool):
    with pytest.raises(nr.InvalidInput, match="x: takes y"):
        pool.submit(refuse).result()


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path):
    with pytest.raises(nr.InvalidInput, match="does not see"):
        attempts.begin(tmp_path, "p")


@pytest.mark.slow
def test_a_sweep_goes_on_where_workers_are_killed(tmp_path):
    """One worker is killed after the first point; another's point kills it each time."""
    settings = {"networks.learning_rate": [0.25, 0.125, POISON, 0.03125]}  # of one program
    quiet = sweep(parse(CONTENT), settings, tmp_path / "quiet", 1)
    pool = Poisoned(2)
    killed = []

    def kill(point, error):
        if not killed:
            killed.extend(multiprocessing.active_children()[:1])
            killed[0].kill()

    try:
        data = sweep(parse(CONTENT), settings, tmp_path / "killed", pool, on_done=kill)
    finally:
        pool.stop()
    assert data.status.values.tolist() == ["finished", "finished", "failed", "finished"]
    assert "killed by signal 9, 3 times" in str(data.error.values[2])
    assert data.tries.values[2] in (2, 3)  # 2 if the first to be killed had not yet begun it
    whole = [0, 1, 3]
    np.testing.assert_array_equal(data.risk[whole], quiet.risk[whole])
    np.testing.assert_array_equal(data.limit_risk[whole], quiet.limit_risk[whole])


class Poisoned(Processes):
    def submit(self, fn, /, *args, **kwargs):
        if fn is attempts.attempt_point and args[3].endswith(f"={POISON}"):
            return super().submit(die, args[1], args[3], 9)
        return super().submit(fn, *args, **kwargs)


@pytest.mark.slow
def test_a_foreign_pool_that_breaks_leaves_the_rest_for_the_next_sweep(tmp_path):
    class Broken(ProcessPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):
            if fn is attempts.attempt_point and args[3].endswith("=1"):
                return super().submit(leave)
            return super().submit(fn, *args, **kwargs)

    with Broken(1, multiprocessing.get_context("spawn")) as pool:
        data = sweep(
            parse(CONTENT | {"limit": {"enabled": False}}), {"networks.batch_size": [1, 2]},
            tmp_path, pool,
        )  # fmt: skip
    assert set(data.status.values) == {"failed"}
    assert all("was not begun: its worker was killed" in str(e) for e in data.error.values)


@pytest.mark.slow
def test_what_is_at_work_is_killed_when_a_sweep_is_stopped(tmp_path):
    pool = Processes(1)
    file = tmp_path / "pid"
    future = pool.submit(forever, str(file))
    while not file.is_file() or not file.read_text():
        time.sleep(0.05)
    pool.stop()
    with pytest.raises(WorkerKilled):
        future.result()
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)


def test_one_process_or_one_point_is_computed_here(tmp_path):
    for executor, count in ((1, 5), (4, 1), (None, 1)):
        with opened(executor, count, tmp_path) as found:
            assert isinstance(found, Here)
    with opened(4, 3, tmp_path) as found:
        assert isinstance(found, Processes) and found._max_workers == 3


@pytest.mark.slow
def test_a_script_without_a_guard_is_told(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from neuronal.experiments import parse\n"
        "from neuronal.experiments.sweep import sweep\n"
        f"sweep(parse({CONTENT!r}), {{'networks.batch_size': [1, 2]}}, 'runs', 2)\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'sweep below `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]

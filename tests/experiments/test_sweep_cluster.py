"""Sweeps over a real cluster of processes on this machine, some of them killed."""

import os
import signal
import sys

import numpy as np
import pytest
import tomli_w

import neuronal as nr
from neuronal.experiments import parse
from neuronal.experiments.sweep import cluster as clusters
from neuronal.experiments.sweep import sweep

distributed = pytest.importorskip("distributed")

CONTENT = {
    "name": "tiny",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "a", "embedding": "bidirectional", "depth": 2}],
    "limit": {"nodes": 4, "data_nodes": 8, "solver": "euler", "step": 0.25},
    "networks": {"widths": [4], "learning_rate": 0.25},
    "run": {"until": 1.0, "records": 2, "checkpoints": 1},
}


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
        memory_limit=0,
    ) as found:  # fmt: skip
        yield found


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as found:
        yield found


def killing(client, at):
    """Called with each point; kills one worker of the cluster after the `at`-th."""
    told = []

    def on_done(point, error):
        told.append(error)
        if len(told) == at:
            pids = client.run(os.getpid)
            os.kill(next(iter(pids.values())), signal.SIGKILL)

    return on_done


@pytest.mark.slow
def test_a_cluster_of_which_a_worker_is_killed_gives_the_same_numbers(client, tmp_path):
    settings = {"networks.batch_size": [1, 2, 3, 4]}
    data = sweep(parse(CONTENT), settings, tmp_path / "c", client, on_done=killing(client, 1))
    here = sweep(parse(CONTENT), settings, tmp_path / "h", 1)
    assert set(data.status.values) == {"finished"} and (data.tries.values >= 1).all()
    assert len(list((tmp_path / "c" / "limits").iterdir())) == 1
    np.testing.assert_array_equal(data.risk, here.risk)
    np.testing.assert_array_equal(data.limit_risk, here.limit_risk)


def test_a_folder_that_workers_do_not_see_is_refused(client, tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "sees", lambda path: False)
    with pytest.raises(nr.InvalidInput, match="--out: .* is not seen by 2 of 2 workers"):
        sweep(parse(CONTENT), {"networks.batch_size": [1, 2]}, tmp_path, client)
    assert {p.name for p in tmp_path.iterdir()} <= {".lock"}


@pytest.mark.slow
def test_from_the_command_line(call, cluster, tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(CONTENT | {"limit": {"enabled": False}}))
    address = cluster.scheduler_address
    code, out, err = call(
        "sweep", file, "--set", "networks.batch_size=1,2", "--scheduler", address, "-o", "o"
    )
    assert code == 0, err
    assert "2/2 points" in out and (tmp_path / "o" / "sweep.html").is_file()


def test_a_scheduler_that_is_not_there_or_cannot_be_used_is_told(call, tmp_path, monkeypatch):
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(CONTENT))
    monkeypatch.setattr(clusters, "_WAIT", 0.5)
    command = ("sweep", file, "--set", "networks.batch_size=1,2", "--scheduler")
    for address in ("tcp://127.0.0.1:9", "nonsense://a", "127.0.0.1:x"):
        code, _, err = call(*command, address)
        assert code == 2 and "--scheduler: no scheduler answers" in err and "Traceback" not in err
    code, _, err = call(*command, "tcp://127.0.0.1:9", "-j", 2)
    assert code == 2 and "--workers" in err
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = call(*command, "tcp://127.0.0.1:9")
    assert code == 2 and "pip install 'neuronal[cluster]'" in err


@pytest.mark.long
def test_two_hundred_points_of_which_a_worker_is_killed_in_the_middle(client, tmp_path):
    content = CONTENT | {"limit": {"enabled": False}}
    settings = {"networks.batch_size": [1, 2], "networks.seeds": [[n] for n in range(100)]}
    data = sweep(parse(content), settings, tmp_path, client, on_done=killing(client, 100))
    assert data.status.size == 200 and set(data.status.values.ravel()) == {"finished"}
    assert len(list(tmp_path.glob("*/results.nc"))) == 200
    per_point = data.risk.isel(system=0, width=0).values
    assert np.isfinite(per_point).sum() == 200  # each its own seed

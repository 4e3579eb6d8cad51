"""Several devices and several processes give what one device does, and exchange no matrix.

The runs are in processes of their own (`sharded_runs`): devices are forced before JAX starts.
"""

import doctest
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import sharded_runs

import neuronal as nr
from neuronal import communication, sharding

SCRIPT = Path(__file__).with_name("sharded_runs.py")
SECONDS = 240
"""After which a process is given up: one that waits for another would do so for ever."""
RUNS = (
    "dense limit", "factored limit", "iid limit", "network of four outputs",
    "sgd, one sample", "sgd, batches", "sgd, factored",
)  # fmt: skip


def results(tmp_path, *commands):
    """What `sharded_runs` leaves, of processes that run at the same time."""
    outs = [tmp_path / f"{i}.pkl" for i in range(len(commands))]
    logs = [open(tmp_path / f"{i}.log", "w+") for i in range(len(commands))]
    started = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(out), *map(str, command)],
            stdout=log, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for out, command, log in zip(outs, commands, logs, strict=True)
    ]  # fmt: skip
    try:
        for process, log in zip(started, logs, strict=True):
            try:
                code = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                code = f"none within {SECONDS} s"
            log.seek(0)
            assert code == 0, f"{command_of(process)}: exit code {code}\n{log.read()[-4000:]}"
    finally:
        for process, log in zip(started, logs, strict=True):
            process.kill()
            process.wait()
            log.close()
    return [pickle.loads(out.read_bytes()) for out in outs]


def command_of(process):
    return " ".join(map(str, process.args[2:]))


@pytest.fixture(scope="module")
def devices(tmp_path_factory):
    return results(tmp_path_factory.mktemp("devices"), ("devices", 4))[0]


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    commands = [("process", i, 2, port) for i in range(2)]
    return results(tmp_path_factory.mktemp("processes"), *commands)


@pytest.fixture(scope="module", params=["4 devices", "process 0 of 2", "process 1 of 2"])
def many(request):
    if request.param == "4 devices":
        return request.getfixturevalue("devices")
    return request.getfixturevalue("processes")[int(request.param.split()[1])]


def distances(one, other):
    """Relative to the largest number of each record."""
    return {
        key: np.max(np.abs(other[key] - one[key])) / np.max(np.abs(one[key]))
        for key in ("loss", "predictions", "between", "taken up again")
        if key in one
    }


@pytest.mark.parametrize("name", RUNS)
def test_many_devices_give_what_one_does(devices, many, name):
    one, found = devices["float64", "one"][name], many["float64", "many"][name]
    assert max(distances(one, found).values()) < 1e-11
    assert found["steps"] == one["steps"]
    assert found.get("diverged") == one.get("diverged")


@pytest.mark.parametrize("name", [name for name in RUNS if "factored" not in name])
def test_so_they_do_in_single_precision(devices, many, name):
    one, found = devices["float32", "one"][name], many["float32", "many"][name]
    assert max(distances(one, found).values()) < 1e-6
    assert found["steps"] == one["steps"]


@pytest.mark.parametrize("name", [name for name in RUNS if "factored" in name])
def test_factored_kernels_in_single_precision_are_as_near_as_it_is_precise(devices, many, name):
    """Cuts at ten roundings of the weights make single precision itself that coarse."""
    exact, one = devices["float64", "one"][name], devices["float32", "one"][name]
    precise = distances(exact, one)
    for key, distance in distances(one, many["float32", "many"][name]).items():
        assert distance < 2 * max(precise.values()) + 1e-6, key


def test_a_dense_right_hand_side_exchanges_two_arrays_of_nodes_times_data_a_layer(devices):
    middle, m, byte = 2, sharded_runs.DATA, 4
    for n in (512, 1024):
        found = devices["exchanges"]["dense", n]
        assert communication.total(found["rhs"]) == byte * (2 * middle * n * m + m)
        largest = max(c.bytes for p in found["programs"].values() for c in p)
        assert largest == byte * n * m  # in steps of the ODE and of SGD too


def test_factored_kernels_exchange_no_array_of_the_nodes(devices):
    few, many = (devices["exchanges"]["factored", n] for n in (2048, 4096))
    for kind in ("rhs", "step"):
        assert few[kind] == many[kind]
        assert communication.total(few[kind]) > 0
    assert few["programs"] == many["programs"]
    rows = max(max(c.shape, default=0) for c in few["step"])
    assert rows <= 4 * 9 * 16  # the sketch of a start's 32 rows and 16 a stage


def test_no_device_holds_a_matrix_whole(devices):
    for (kernel, n), found in by_size(devices):
        for name, shapes in found["held"].items():
            assert shapes, name
            assert not any(s.count(n) > 1 or np.prod(s[-2:]) == n * n for s in shapes), name
        sizes = [np.prod(shape) for shape in found["weights"]]
        assert max(sizes) == (n * n // 4 if kernel == "dense" else 8 * n // 4)


def by_size(devices):
    return [(key, found) for key, found in devices["exchanges"].items() if key != "refusal"]


def test_a_width_that_devices_do_not_divide_is_refused(devices):
    assert (
        "devices: 4 of them do not share the 10 neurons of layer 1"
        in devices["exchanges"]["refusal"]
    )
    assert "multiple of 4" in devices["exchanges"]["refusal"]


@pytest.mark.parametrize("given", [[], "cpu", [0, 1], 4, jax.devices()[:1] * 2])
def test_what_are_no_devices_is_refused(given):
    network = nr.embeddings.IID(2, 3).sample(4, 0)
    with pytest.raises(nr.InvalidInput, match=r"^devices: "):
        sharding.spread(network, given)


def test_exchanges_are_those_of_a_network_that_is_spread():
    law = nr.distributions.Regression(lambda x: x[:, 0], nr.distributions.Gaussian(2))
    problem = nr.Problem(law, nr.losses.Squared())
    network = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.0).sample(8, 0)
    with pytest.raises(nr.InvalidInput, match="network: takes one that is spread"):
        communication.right_hand_side(problem, network)
    with pytest.raises(nr.InvalidInput, match="network: has no factored kernels"):
        communication.factored_step(problem, network)


def test_loops_and_started_exchanges_are_counted():
    """A gather within a loop of seven, as a GPU's compiler writes it."""
    text = """HloModule jit_f, num_partitions=4

%body (p: (s32[], f32[8])) -> (s32[], f32[8]) {
  %g = (f32[2]{0}, f32[8]{0}) all-gather-start(f32[2]{0} %a), dimensions={0}
  %d = f32[8]{0} all-gather-done((f32[2]{0}, f32[8]{0}) %g)
}

ENTRY %main (p0: f32[2]) -> f32[8] {
  %w = (s32[], f32[8]) while(%t), condition=%c, body=%body, backend_config={"known_trip_count":{"n":"7"}}
  %r = f32[3,2]{1,0} reduce-scatter(%x), dimensions={1}, to_apply=%add
}
"""

    class Compiled:
        as_text = staticmethod(lambda: text)

    found = communication.collectives(Compiled())
    assert found == [
        ("all-gather", (8,), 32, 7),
        ("reduce-scatter", (3, 8), 96, 1),
    ]
    assert communication.total(found) == 7 * 32 + 96


@pytest.mark.parametrize("module", [sharding, communication])
def test_the_examples_run(module):
    tried = doctest.testmod(module)
    assert tried.failed == 0
    assert tried.attempted > 0

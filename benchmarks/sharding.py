"""The limit over several devices and processes against one device, and what they exchange.

Devices are forced host devices, processes talk over loopback. Bytes are those of the arrays
exchanged, read off the compiled programs (`neuronal.communication`); each of D devices sends and
receives (D - 1)/D of a gather or of pieces that change places, and twice that of an all-reduce.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

DATA, UNTIL, RECORDS = 64, 2.0, 4
CASES = (("dense", 1024), ("dense", 2048), ("factored", 8192), ("factored", 16384))
PLACES = ((1, 1), (4, 1), (2, 2))
"""Devices in all, and processes."""


def measure(devices) -> dict:
    """Bytes exchanged and predictions, by kernel and nodes."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import neuronal as nr

    from .common import problem_1d

    x = np.linspace(-1, 1, 33)[:, None] * [1.0, 0.0] + [0.0, 1.0]
    found = {}
    for kernel, n in CASES:
        for double in (False, True):
            with jax.enable_x64(double):
                problem = problem_1d()
                inputs = problem.quadrature(DATA)[0]
                embedding = nr.embeddings.Bidirectional(2, 4, rank=8, inputs=inputs, spread=0.5)
                run = nr.solve(
                    problem, embedding, UNTIL, n, kernel=kernel, data_nodes=DATA,
                    save_at=RECORDS, devices=devices,
                )  # fmt: skip
                case = found.setdefault((kernel, n), {})
                case[jnp.zeros(()).dtype.name] = np.asarray(run.predict(x))
                if devices is not None and not double:
                    count = nr.communication.right_hand_side(problem, run.network, DATA)
                    case["right-hand side"] = nr.communication.total(count)
                    if kernel == "factored":
                        start = embedding.quadrature(n, kernel=kernel)
                        start = nr.sharding.spread(start, devices)
                        count = nr.communication.factored_step(problem, start, DATA)
                        case["step"] = nr.communication.total(count)
    return found


def child(out: str, devices: int, processes: int, index: int, port: int) -> None:
    """One process: devices of its own, or one of several that share them."""
    if processes == 1:
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax

    if processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"127.0.0.1:{port}", processes, index)
    found = measure(jax.devices() if devices > 1 else None)
    Path(out).write_bytes(pickle.dumps(found))


def measure_at(devices: int, processes: int) -> dict:
    """`measure` on `devices` in `processes`: what the first process found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder) / str(i) for i in range(processes)]
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.sharding", str(out)]
                + [str(n) for n in (devices, processes, i, port)]
            )
            for i, out in enumerate(outs)
        ]
        try:
            codes = [process.wait(1800) for process in started]
        finally:
            for process in started:
                process.kill()
        if any(codes):
            raise RuntimeError(f"a process on {devices} devices left with {codes}")
        return pickle.loads(outs[0].read_bytes())


def main() -> None:
    import numpy as np

    from .common import report

    found = {at: measure_at(*at) for at in PLACES}
    one = found.pop((1, 1))

    def difference(case: dict, exact: dict, dtype: str) -> float:
        away = np.abs(case[dtype] - exact[dtype]).max()
        return float(away / np.abs(exact[dtype]).max())

    rows = [
        {
            "devices": devices,
            "processes": processes,
            "kernel": kernel,
            "N": n,
            "m": DATA,
            "bytes, 4 N m": 4 * n * DATA,
            "bytes exchanged, right-hand side": case["right-hand side"],
            "over 4 N m": case["right-hand side"] / (4 * n * DATA),
            "bytes exchanged, factored step": case.get("step", "-"),
            "difference, float64": difference(case, one[kernel, n], "float64"),
            "difference, float32": difference(case, one[kernel, n], "float32"),
        }
        for (devices, processes), cases in found.items()
        for (kernel, n), case in cases.items()
    ]
    report(
        "sharding",
        "the limit of L = 4 over several devices and processes: bytes exchanged, and the largest "
        "difference of the prediction from that of one device, relative to the largest prediction",
        rows,
        f"bytes in float32; predictions at {RECORDS + 1} times up to t = {UNTIL:g}; a matrix "
        "would be 4 N^2 bytes",
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(sys.argv[1], *map(int, sys.argv[2:]))
    else:
        main()

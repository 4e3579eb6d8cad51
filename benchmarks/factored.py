"""The limit on factored kernels: against the dense one, its cost in N, and a million neurons.

Agreement and speed are of whole runs of `solve`, both with the same tolerances and data.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr

from .common import paired, problem_1d, report

DATA, UNTIL = 32, 10.0
SIZES = (4096, 16384, 65536, 262144)
TOLERANCES = {"rtol": 1e-3, "atol": 1e-5}


def solve_limit(
    depth: int, nodes: int, kernel: str, data: int = DATA, **tolerances
) -> nr.Trajectory:
    problem = problem_1d()
    x = problem.quadrature(64)[0]
    embedding = nr.embeddings.Bidirectional(2, depth, rank=8, input_scale=2.0, inputs=x, spread=0.5)
    return nr.solve(
        problem, embedding, UNTIL, nodes=nodes, kernel=kernel, data_nodes=data, save_at=1,
        **(tolerances or TOLERANCES),
    )  # fmt: skip


def compare_kernels(x64: bool, rtol: float, nodes: int = 2048) -> dict:
    """The largest difference of predictions by dense and by factored kernels."""
    with jax.enable_x64(x64):
        x = problem_1d().quadrature(64)[0]
        dense, factored = (
            solve_limit(4, nodes, kernel, rtol=rtol, atol=rtol / 100)
            for kernel in ("dense", "factored")
        )
        gap = jnp.max(jnp.abs(dense.network(x) - factored.network(x)))
    claim = f"predictions, N = {nodes}, L = 4, {'float64' if x64 else 'float32'}, rtol {rtol:g}"
    row = {"claim": claim, "figure": float(gap), "ranks": str(factored.report.ranks)}
    return row | {"seconds": factored.report.seconds, "dense, s": dense.report.seconds}


def measure_speed(nodes: int = 16384, data: int = 64) -> dict:
    """How many times faster factored kernels are."""

    def run(kernel: str) -> float:
        began = time.perf_counter()
        jax.block_until_ready(solve_limit(3, nodes, kernel, data).network.weights)
        return time.perf_counter() - began

    times = paired(
        {kernel: lambda kernel=kernel: run(kernel) for kernel in ("dense", "factored")}, 2
    )
    dense, factored = (float(np.median(times[kernel])) for kernel in ("dense", "factored"))
    claim = f"times faster than dense, N = {nodes}, L = 3, {data} data points"
    return {"claim": claim, "figure": dense / factored, "seconds": factored, "dense, s": dense}


def measure_cost() -> list[dict]:
    """Seconds per step tried over `SIZES`, and their exponent."""
    seconds, rows = [], []
    for nodes in SIZES:
        runs = [solve_limit(4, nodes, "factored") for _ in range(2)]
        seconds.append(runs[1].report.seconds / (runs[1].report.steps + runs[1].report.rejected))
        row = {"claim": f"seconds per step tried, N = {nodes}, L = 4", "figure": seconds[-1]}
        rows.append(row | {"ranks": str(runs[1].report.ranks), "seconds": runs[1].report.seconds})
    slope = float(np.polyfit(np.log(SIZES), np.log(seconds), 1)[0])
    claim = f"fitted exponent of the cost in N, {SIZES[0]} to {SIZES[-1]}"
    return [*rows, {"claim": claim, "figure": slope}]


def measure_memory() -> dict:
    """A million nodes in a process of its own, for its peak memory."""
    script = f"from benchmarks.factored import solve_and_print; solve_and_print({10**6})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def solve_and_print(nodes: int) -> None:
    """The row of `measure_memory`, as JSON."""
    run = solve_limit(4, nodes, "factored")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    row = {"claim": f"GiB at most, N = {nodes}, L = 4", "figure": peak}
    print(json.dumps(row | {"ranks": str(run.report.ranks), "seconds": run.report.seconds}))


def main() -> None:
    rows = [
        compare_kernels(False, 1e-6),
        compare_kernels(True, 1e-10),
        measure_speed(),
        *measure_cost(),
        measure_memory(),
    ]
    keys = ("claim", "figure", "seconds", "dense, s", "ranks")
    report(
        "factored",
        f"the limit on factored kernels, 1-D problem, t = {UNTIL:g}",
        [{key: row.get(key, "") for key in keys} for row in rows],
        f"Tsit5, rtol {TOLERANCES['rtol']:g} where not stated, {DATA} data points, float32; the first "
        "two compile within their time, speed and cost do not",
    )


if __name__ == "__main__":
    main()

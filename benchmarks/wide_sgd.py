"""Online SGD on factored weights, at widths whose matrices would not fit any machine."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import jax

import neuronal as nr

from .common import problem_1d, report

RATE = 0.1
STEPS = {10_000: 1000, 100_000: 1000, 1_000_000: 100}


def train_and_print(width: int) -> None:
    """The row of one width as JSON, in a process of its own, for its peak memory.

    It runs twice, for a time without compilation.
    """
    problem = problem_1d()
    x = problem.quadrature(64)[0]
    embedding = nr.embeddings.Bidirectional(2, 4, rank=8, input_scale=2.0, inputs=x, spread=0.5)
    network = embedding.sample(width, jax.random.key(0), kernel="factored")
    first, warm = (
        nr.train(problem, network, RATE, RATE * STEPS[width], key=1, save_at=1, data_nodes=32)
        for _ in range(2)
    )
    row = {"n": width, "steps": warm.report.steps, "seconds": warm.report.seconds}
    row |= {"first run, s": first.report.seconds, "ranks": str(warm.report.ranks)}
    row["peak, GiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    row["dense weights, GiB"] = 2 * width**2 * 4 / 2**30
    row["loss"], row["loss at the start"] = float(warm.loss[-1]), float(warm.loss[0])
    print(json.dumps(row))


def main() -> None:
    rows = []
    for width in STEPS:
        script = f"from benchmarks.wide_sgd import train_and_print; train_and_print({width})"
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    report(
        "wide_sgd",
        f"online SGD, batch 1, L = 4, steps of {RATE}, on factored weights",
        rows,
        "seconds without compilation; float32; the tests compare steps with the dense path in float64",
    )


if __name__ == "__main__":
    main()

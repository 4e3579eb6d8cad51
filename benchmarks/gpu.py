"""Limits and SGD on the device at hand: errors against float64 on the CPU, shares of its ceilings.

    python -m benchmarks.gpu [--small] [--dense N] [--factored N] [--out NAME]

Products run at the precision named in the table's title (full float32: no TF32), the ceiling's too. The
ceilings are measured in the same run: a square matrix product, and a triad `a + s b` of long vectors. A
table is kept in `results/gpu.json` if the device is a GPU, and under NAME if one is given.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr
from neuronal.kernels import Factored

from .common import problem_1d, report, seconds, show

DEPTH, STEP, RATE, RANK, STAGES = 4, 0.1, 0.1, 8, 6
"""Tsit5 evaluates six stages per step: its last is the next step's first."""
PRECISION = "float32"


@dataclass(frozen=True)
class Sizes:
    """Sides of the square product, of the triad; neurons per layer timed and checked; data and steps."""

    product: int
    stream: int
    dense: int
    factored: int
    check: int
    data: int
    steps: int
    rounds: int


LARGE = Sizes(16384, 2**28, 16384, 2**20, 1024, 64, 100, 5)
SMALL = Sizes(256, 2**20, 64, 256, 48, 16, 20, 2)
BATCH = 64


@dataclass(frozen=True)
class Case:
    """A run and, a step, its least operations and bytes: `n` neurons, `m` samples, rank `r`."""

    name: str
    kernel: str
    run: Callable[[nr.Network, Sizes], nr.Trajectory]
    operations: Callable[[int, int, int], float]
    bytes: Callable[[int, int, int], float]
    samples: int | None


def limit(network: nr.Network, sizes: Sizes) -> nr.Trajectory:
    """A constant step, so that every precision takes the same ones."""
    until = STEP * max(1, sizes.steps // 5)
    how = {"step": STEP, "data_nodes": sizes.data, "save_at": 1}
    return nr.solve(problem_1d(), network, until, **how)


def sgd(batch: int) -> Callable[[nr.Network, Sizes], nr.Trajectory]:
    """SGD on a stream that every precision takes alike."""

    def run(network: nr.Network, sizes: Sizes) -> nr.Trajectory:
        rng = np.random.default_rng(0)
        x = np.ones((sizes.steps, batch, 2), np.float32)
        x[..., 0] = rng.uniform(-1, 1, size=(sizes.steps, batch))
        data = (x, np.sin(4 * x[..., 0]))
        how = {"data": data, "save_at": 1, "data_nodes": sizes.data}
        return nr.train(problem_1d(), network, RATE, RATE * sizes.steps, 0, **how)

    return run


MIDDLE = DEPTH - 2
# Dense: three products per layer; matrices read for either pass, and a velocity written. Online SGD holds
# its updates back. Factored: two thin products per pass, which read both factors.
CASES = (
    Case("limit, dense", "dense", limit,
         lambda n, m, r: STAGES * MIDDLE * 6 * n * n * m, lambda n, m, r: STAGES * MIDDLE * 12 * n * n, None),
    Case("limit, factored", "factored", limit,
         lambda n, m, r: STAGES * MIDDLE * 8 * n * m * r, lambda n, m, r: STAGES * MIDDLE * 16 * n * r, None),
    Case("SGD, dense, batch 1", "dense", sgd(1),
         lambda n, m, r: MIDDLE * 6 * n * n, lambda n, m, r: MIDDLE * 8 * n * n, 1),
    Case(f"SGD, dense, batch {BATCH}", "dense", sgd(BATCH),
         lambda n, m, r: MIDDLE * 6 * n * n * m, lambda n, m, r: MIDDLE * 16 * n * n, BATCH),
    Case("SGD, factored, batch 1", "factored", sgd(1),
         lambda n, m, r: MIDDLE * 8 * n * r, lambda n, m, r: MIDDLE * 16 * n * r, 1),
)  # fmt: skip


def ceilings(sizes: Sizes) -> tuple[float, float]:
    """Operations and bytes per second, the best of several rounds."""
    a = jax.random.normal(jax.random.key(0), (sizes.product, sizes.product))
    b = jnp.ones(sizes.stream)
    product = jax.jit(jnp.matmul)
    triad = jax.jit(lambda b, c: b + 0.5 * c)
    best = lambda f: min(seconds(f) for _ in range(2 * sizes.rounds))
    flops = 2 * sizes.product**3 / best(lambda: product(a, a))
    return flops, 3 * b.nbytes / best(lambda: triad(b, b + 1))


def network(n: int, kernel: str) -> nr.Network:
    x = problem_1d().quadrature(64)[0]
    embedding = nr.embeddings.Bidirectional(
        2, DEPTH, rank=RANK, input_scale=2.0, inputs=x, spread=0.5
    )
    return embedding.sample(n, jax.random.key(0), kernel=kernel)


def error(case: Case, sizes: Sizes) -> float:
    """Largest difference of predictions from float64 on the CPU, over the largest prediction."""
    start = network(sizes.check, case.kernel)
    x = np.stack([np.linspace(-1, 1, 65), np.ones(65)], 1).astype(np.float32)
    ours = np.asarray(case.run(start, sizes).network(x))
    parts = [jax.tree.map(np.asarray, w) for w in start.weights]
    measures = [np.asarray(p, np.float64) for p in start.measures]
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        weights = [
            Factored(*(jnp.asarray(a, float) for a in (w.f, w.g, w.s)))
            if isinstance(w, Factored)
            else np.asarray(w, np.float64)
            for w in parts
        ]
        exact = case.run(nr.Network(weights, start.activations, measures), sizes)
        reference = np.asarray(exact.network(x))
    return float(np.abs(ours - reference).max() / np.abs(reference).max())


def rows(sizes: Sizes) -> list[dict]:
    """The table: the ceilings first."""
    with jax.default_matmul_precision(PRECISION):
        flops, stream = ceilings(sizes)
        table = [
            {"run": f"product of side {sizes.product}", "TFLOP/s": flops / 1e12, "of product": 1.0},
            {"run": f"triad of {sizes.stream} numbers", "GB/s": stream / 1e9, "of triad": 1.0},
        ]
        for case in CASES:
            n = sizes.dense if case.kernel == "dense" else sizes.factored
            start, times = network(n, case.kernel), []
            for _ in range(sizes.rounds + 1):
                began = time.perf_counter()
                run = case.run(start, sizes)
                jax.block_until_ready(run.network.weights)
                times.append(time.perf_counter() - began)
            step = min(times[1:]) / run.report.steps  # the first one compiles
            rank = int(np.mean(run.report.ranks)) if run.report.ranks else n
            counts = (n, case.samples or sizes.data, rank)
            rate, traffic = case.operations(*counts) / step, case.bytes(*counts) / step
            row = {"run": case.name, "n": n, "rank": rank, "ms/step": 1e3 * step}
            row |= {"TFLOP/s": rate / 1e12, "of product": rate / flops}
            row |= {"GB/s": traffic / 1e9, "of triad": traffic / stream}
            table.append(row | {"error": error(case, sizes)})
    keys = ("run", "n", "rank", "ms/step", "TFLOP/s", "of product", "GB/s", "of triad", "error")
    return [{key: row.get(key, "") for key in keys} for row in table]


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--small", action="store_true", help="sizes for a CPU, its default")
    parser.add_argument("--dense", type=int, help="neurons per layer on dense kernels")
    parser.add_argument("--factored", type=int, help="neurons per layer on factored kernels")
    parser.add_argument("--out", help="name under benchmarks/results to keep the table as")
    given = parser.parse_args(arguments)
    device = jax.devices()[0]
    sizes = SMALL if given.small or device.platform != "gpu" else LARGE
    chosen = {name: getattr(given, name) for name in ("dense", "factored")}
    sizes = replace(sizes, **{name: n for name, n in chosen.items() if n})
    name = given.out or ("gpu" if device.platform == "gpu" else None)
    claim = f"limits and SGD on {device.device_kind}, products in {PRECISION}, L = {DEPTH}"
    notes = (
        "least operations and bytes of passes and updates; compressing factored weights is not counted; "
        f"{sizes.data} data points; error: of predictions, relative, at n = {sizes.check}, against float64 "
        "on the CPU"
    )
    tell = (lambda *a: show("gpu", *a)) if name is None else (lambda *a: report(name, *a))
    tell(claim, rows(sizes), notes)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The limits of README and guides that `benchmarks.limits` has each checkout solve; names that both have."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr


@cache  # one function for all calls, so that repeated ones compile nothing
def sine(noise: float = 0.0) -> Any:
    inputs = nr.distributions.Biased(nr.distributions.Uniform(-1, 1))
    law = nr.distributions.Regression(lambda x: jnp.sin(3 * x[:, 0]), inputs, noise=noise)
    return nr.Problem(law, nr.losses.PseudoHuber())


@cache
def square(squared: bool = False) -> Any:
    inputs = nr.distributions.Biased(nr.distributions.Uniform())
    law = nr.distributions.Regression(lambda x: x[:, 0] ** 2, inputs)
    return nr.Problem(law, nr.losses.Squared() if squared else nr.losses.PseudoHuber())


@cache
def example() -> Any:
    inputs = nr.distributions.Biased(nr.distributions.Uniform(-1.0, 1.0))
    target = lambda x: jnp.sin(4 * x[:, 0]) + x[:, 0] * jnp.cos(9 * x[:, 0]) / 2
    return nr.Problem(nr.distributions.Regression(target, inputs), nr.losses.PseudoHuber(1.0))


def inputs(problem: Any, nodes: int = 64) -> Any:
    return problem.quadrature(nodes)[0]


def bidirectional(depth: int, **how: Any) -> Any:
    return nr.embeddings.Bidirectional(2, depth, spread=0.5, **how)


def readme() -> Any:
    start = bidirectional(3, inputs=inputs(sine()))
    return nr.solve(sine(), start, until=5.0, nodes=128, rtol=1e-3, data_nodes=32)


def of_width() -> Any:
    start = bidirectional(3, rank=4, inputs=inputs(sine(), 32))
    return nr.solve(sine(), start, until=10.0, nodes=256, save_at=1, data_nodes=32)


def of_a_network() -> Any:
    network = bidirectional(3, rank=4, inputs=inputs(sine(), 32)).sample(16, 0)
    return nr.solve(sine(), network, until=20.0, save_at=2, data_nodes=32)


def of_python() -> Any:
    start = bidirectional(4, inputs=inputs(sine(0.1)))
    return nr.solve(sine(0.1), start, until=5.0, nodes=128, data_nodes=64)


def flow() -> Any:
    network = bidirectional(4, inputs=inputs(sine(0.1))).sample(128, 0)
    return nr.solve(sine(0.1), network, until=5.0, data_nodes=64)


def of_nodes() -> Any:
    start = bidirectional(3, rank=2)
    return nr.solve(square(), start, 2.0, nodes=256, data_nodes=32, save_at=4)


def accurate() -> Any:
    start = bidirectional(3, rank=2)
    return nr.solve(square(), start, 2.0, nodes=64, accuracy=1e-2, data_nodes=32, save_at=4)


def fast(t: Any) -> Any:
    return 30.0 + 0 * t


def stiff() -> Any:
    axis = np.linspace(-1, 1, 5)
    x = np.stack([*map(np.ravel, np.meshgrid(axis, axis)), np.ones(25)], axis=1)
    plane = nr.distributions.Empirical(x, np.sin(3 * x[:, 0]) * np.cos(2 * x[:, 1]))
    problem = nr.Problem(plane, nr.losses.PseudoHuber(), fast)
    start = nr.embeddings.Bidirectional(3, 4, rank=4, inputs=x, spread=0.5)
    return nr.solve(problem, start, until=10.0, nodes=32, rtol=1e-3, save_at=2)


def of_scale() -> Any:
    how = {"nodes": 4096, "kernel": "factored", "data_nodes": 16, "save_at": 2}
    return nr.solve(square(), bidirectional(4, rank=4), 2.0, **how)


def of_devices() -> Any:
    how = {"nodes": 256, "kernel": "dense", "data_nodes": 16, "save_at": 2}
    return nr.solve(square(), bidirectional(4, rank=4), 2.0, **how)


def certified() -> Any:
    start = bidirectional(3, rank=4, activation="relu")
    problem = square(squared=True)
    return nr.solve(problem, start, until=1.0, nodes=64, data_nodes=32, save_at=4)


def fine() -> Any:
    with jax.enable_x64(True):
        how = {"rtol": 1e-8, "atol": 1e-10, "data_nodes": 8}
        return nr.solve(square(), bidirectional(3, rank=2), 0.5, nodes=16, save_at=2, **how)


def bundled(depth: int, until: float) -> Any:
    balanced = nr.schedules.depth_balanced(depth)
    problem = nr.Problem(example().distribution, nr.losses.PseudoHuber(1.0), balanced)
    start = bidirectional(depth, input_scale=8.0, inputs=inputs(problem))
    how = {"nodes": 512, "rtol": 1e-3, "data_nodes": 64, "save_at": 60}
    return nr.solve(problem, start, until, **how)


def recorded(nodes: int, kernel: str) -> Any:
    start = bidirectional(4, rank=8, input_scale=2.0, inputs=inputs(example()))
    how = {"rtol": 1e-3, "atol": 1e-5, "data_nodes": 64, "save_at": 64}
    return nr.solve(example(), start, 1.0, nodes=nodes, kernel=kernel, **how)


def infinite() -> Any:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 8))
    model = nr.MeanFieldRegressor(width=np.inf, random_state=0)
    return model.fit(x, np.sin(x[:, 0]) + x[:, 1] / 2)


LIMITS: dict[str, Callable[[], Any]] = {
    "README": readme,
    "guide/width": of_width,
    "guide/width, a network's flow": of_a_network,
    "guide/python": of_python,
    "guide/python, a network's flow": flow,
    "guide/accuracy, 256 nodes": of_nodes,
    "guide/accuracy, to 1e-2": accurate,
    "guide/accuracy, stiff": stiff,
    "guide/scale": of_scale,
    "guide/devices": of_devices,
    "theory/certificate": certified,
    "theory/coupling, rtol 1e-8": fine,
    "the bundled example, L = 4": lambda: bundled(4, 100.0),
    "the bundled example, L = 8, to t = 20": lambda: bundled(8, 20.0),
    "64 records, factored, N = 8192": lambda: recorded(8192, "factored"),
    "64 records, dense, N = 1024": lambda: recorded(1024, "dense"),
    "estimator of width inf, 200 samples of 8 columns": infinite,
}


def serve() -> None:
    for line in sys.stdin:
        began = time.perf_counter()
        solved = LIMITS[line.strip()]()
        jax.block_until_ready(getattr(solved, "network", None) or solved.network_)
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    serve()

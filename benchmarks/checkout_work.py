"""The work that `benchmarks.checkouts` has each checkout do; names that both have, and no others."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr

EPS = 0.05


def problem(loss: Any = None, schedules: Any = None) -> Any:
    inputs = nr.distributions.Biased(nr.distributions.Uniform(-1, 1))
    law = nr.distributions.Regression(lambda x: jnp.sin(4 * x[:, 0]), inputs, noise=0.1)
    return nr.Problem(law, loss or nr.losses.PseudoHuber(), schedules)


def embedding(depth: int = 4) -> Any:
    return nr.embeddings.Bidirectional(
        2, depth, rank=4, inputs=problem().quadrature(32)[0], spread=0.5
    )


def classes() -> Any:
    law = nr.distributions.GaussianMixture([[-1.0, 0.0], [1.0, 0.5], [0.0, 1.0]], 0.6, bias=True)
    return nr.Problem(law, nr.losses.CrossEntropy(), nr.schedules.cosine(4.0))


CASES: dict[str, Callable[[], Any]] = {
    "train, dense, width 40, batch 1": lambda: nr.train(
        problem(), embedding().sample(40, 0), 0.1, 4.0, 1, save_at=3
    ),
    "train, updates held back, width 300": lambda: nr.train(
        problem(), embedding().sample(300, 0), 0.1, 4.0, 1, save_at=3
    ),
    "train, in batches of 8, width 300, depth balanced": lambda: nr.train(
        problem(schedules=nr.schedules.depth_balanced(4)),
        embedding().sample(300, 0), 0.1, 4.0, 1, 8, save_at=3,
    ),
    "train, in place, width 2100, batch 64": lambda: nr.train(
        problem(), embedding(3).sample(2100, 0), 0.1, 0.5, 1, 64, save_at=1
    ),
    "train, factored, width 200": lambda: nr.train(
        problem(), embedding().sample(200, 0, "factored"), 0.1, 8.0, 1, save_at=3
    ),
    "train, three classes": lambda: nr.train(
        classes(), nr.embeddings.Bidirectional(3, 3, 3, spread=0.5).sample(50, 0), 0.1, 4.0, 1, 4, save_at=3
    ),
    "solve, dense, adaptive": lambda: nr.solve(problem(), embedding(), 5.0, 96, save_at=5, data_nodes=24),
    "solve, dense, Euler": lambda: nr.solve(
        problem(), embedding(), 2.0, 96, save_at=5, data_nodes=24, solver=diffrax.Euler(), step=0.1
    ),
    "solve, factored, adaptive": lambda: nr.solve(
        problem(), embedding(), 5.0, 96, save_at=5, data_nodes=24, kernel="factored"
    ),
    "solve, i.i.d.": lambda: nr.solve(
        problem(), nr.embeddings.IID(2, 4, mean=0.5), 3.0, 96, save_at=5, data_nodes=24
    ),
    "solve, a network's flow": lambda: nr.solve(
        classes(), nr.embeddings.Bidirectional(3, 3, 3, spread=0.5).sample(30, 0), 3.0, save_at=5,
        data_nodes=48,
    ),
}  # fmt: skip


def trajectories(file: str) -> str:
    """Final weights, risks and predictions of every case, in both precisions."""
    found = {}
    for double in (True, False):
        with jax.enable_x64(double):
            for name, run in CASES.items():
                trajectory = run()
                key = f"{name}, float{64 if double else 32}"
                network = trajectory.network
                x = np.random.default_rng(0).normal(size=(16, network.input_dim))
                numbers = [np.asarray(a).ravel() for a in jax.tree.leaves(network.weights)]
                numbers += [trajectory.loss, np.asarray(network(x)).ravel()]
                found[key] = np.concatenate([np.asarray(a, float) for a in numbers])
    np.savez(file, **found)  # pyright: ignore[reportArgumentType]
    return "done"


@cache
def timed(kind: str, n: int) -> Callable[[], Any]:
    start = nr.embeddings.Bidirectional(16, 4, rank=8, spread=0.5).sample(n, jax.random.key(0))
    rng = np.random.default_rng(0)
    if kind == "velocity":
        x = jnp.asarray(rng.normal(size=(256, 16)), jnp.float32)
        law = nr.distributions.Empirical(x, jnp.tanh(x[:, :1]))
        asked, samples = nr.Problem(law, nr.losses.PseudoHuber()), None
        t = jnp.zeros(())
        samples = asked.quadrature(1)
        if hasattr(asked, "motion"):
            velocity = jax.jit(lambda w: asked.motion(start).velocity(t, w, samples))
        else:
            from neuronal import dynamics

            velocity = jax.jit(
                lambda w: dynamics.velocity(
                    w, start.measures, start.activations, asked.loss, asked.rates(t, 4), *samples
                )[0]
            )
        return lambda: velocity(start.weights)
    batch, steps = (64, 60) if kind == "batch" else (1, 600 if n <= 1024 else 200)
    x = rng.normal(size=(steps, batch, 16)).astype(np.float32)
    y = np.tanh(x[:, :, :1])
    asked = nr.Problem(nr.distributions.Empirical(x[:8, 0], y[:8, 0]), nr.losses.PseudoHuber())
    stream = (jnp.asarray(x), jnp.asarray(y))
    train = lambda: nr.train(asked, start, EPS, EPS * steps, 0, data=stream, save_at=1)
    return lambda: train().network.weights


def serve() -> None:
    for line in sys.stdin:
        what, argument = line.split()
        if what == "trajectories":
            answer = trajectories(argument)
        else:
            run = timed(what, int(argument))
            began = time.perf_counter()
            jax.block_until_ready(run())
            answer = str(time.perf_counter() - began)
        print(answer, flush=True)


if __name__ == "__main__":
    serve()

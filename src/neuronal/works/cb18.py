"""Chizat and Bach: particles find sparse measures, if there are enough of them in all directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..distributions import Empirical, Regression, Sphere
from ..drivers.ode.solve import solve
from ..losses import Squared
from ..network import Network
from ..problem import Problem
from . import deconvolution
from .figures import over_seeds
from .rows import Row
from .work import Work

TEACHERS = 4
ALIKE = np.tile([[0.6, 0.8]], (8, 1))
"""Neurons that all begin in one direction."""


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    yield from deconvolution.rows(fast)
    yield _balance()
    yield from _teacher(fast)


def teacher(x: Float[Array, "m 2"]) -> Float[Array, "m"]:
    """ReLU neurons of alternating signs at uneven angles."""
    angles = jnp.asarray([0.3, 1.7, 3.1, 5.0])
    directions = jnp.stack([jnp.cos(angles), jnp.sin(angles)])
    return jnp.maximum(x @ directions, 0) @ jnp.asarray([1.0, -1.0, 1.0, -1.0])


def student(width: int, seed: int) -> Network:
    """Independent normal ReLU neurons, amplitudes of both signs."""
    rng = np.random.default_rng([21, width, seed])
    return Network([rng.normal(size=(width, 2)), rng.normal(size=(width, 1))], "relu")


def _balance() -> Row:
    angles = 2 * np.pi * (np.arange(8) + 0.5) / 8
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    problem = Problem(Empirical(x, np.asarray(teacher(jnp.asarray(x)))), Squared())
    start = student(8, 1)
    end = solve(problem, start, 1.0, save_at=1, rtol=1e-10, atol=1e-12, solver="tsit5").network
    before, after = (
        np.sum(np.asarray(of.weights[0]) ** 2, axis=1) - np.asarray(of.weights[1])[:, 0] ** 2
        for of in (start, end)
    )
    moved = np.max(np.abs(np.asarray(end.weights[1]) - np.asarray(start.weights[1])))
    return Row(
        "2-homogeneous neurons keep |w_1|^2 - w_2^2",
        "invariance of the flow",
        0.0,
        float(np.max(np.abs(after - before))) if moved > 0.1 else np.nan,
        1e-8,
        f"largest change over 8 ReLU neurons at t = 1, while weights moved by {moved:.1f}",
    )


def _teacher(fast: bool) -> Iterator[Row]:
    problem = Problem(Regression(teacher, Sphere(2)), Squared())
    until, seeds, nodes = (100.0, 6, 64) if fast else (400.0, 24, 128)
    settings: dict[str, Any] = {"save_at": 1, "rtol": 1e-3, "data_nodes": nodes, "solver": "tsit5"}
    x, y, q = map(np.asarray, problem.quadrature(nodes))
    scale = float(q @ y[:, 0] ** 2 / 2)

    def left(width: int, seed: int) -> float:
        return float(solve(problem, student(width, seed), until, **settings).loss[-1]) / scale

    many = over_seeds(seeds, lambda seed: left(64, seed))
    few = over_seeds(seeds, lambda seed: left(TEACHERS, seed))
    yield Row(
        f"ReLU, {TEACHERS} neurons of a teacher in the plane: 64 students always learn it",
        "main theorem, 2-homogeneous case",
        0.0,
        float(many.max()),
        0.01,
        f"largest risk left at t = {until:g}, of the target's half square, {seeds} starts; infimum "
        "0 by the teacher",
    )
    yield Row(
        f"{TEACHERS} students often do not",
        "as we computed it",
        0.3,
        float(np.mean(few > 0.01)),
        0.0,
        f"share of {seeds} starts with more than 1 % left",
        relation=">=",
    )
    alike = Network([ALIKE, np.full((8, 1), 0.5)], "relu")
    end = solve(problem, alike, until, **settings)
    angles = np.linspace(0, 2 * np.pi, 20001)
    features = np.maximum(x @ np.stack([np.cos(angles), np.sin(angles)]), 0)
    fit = np.maximum((q * y[:, 0]) @ features, 0) ** 2 / (q @ features**2)
    yield Row(
        "without its support condition: neurons that start alike stay worse than the best single one",
        "main theorem, its condition on the start",
        scale - float(fit.max()) / 2,
        float(end.loss[-1]),
        1e-8,
        "risk of 8 neurons of one direction, against the least over all single neurons, by angle on a grid",
        relation=">=",
    )


WORK = Work(
    title="On the global convergence of gradient descent for over-parameterized models using "
    "optimal transport",
    reference="Chizat and Bach 2018, arXiv 1805.09545; in the cone metric, Chizat 2019, arXiv 1907.10300",
    settings="Spikes on the torus: 10 problems of 5 spikes, Dirichlet kernel of order 7, penalty "
    "0.02 (kernel of peak 1), "
    "6 to 100 particles, half of each sign, in the cone metric (as Chizat 2019 has it; the flow of "
    "(w, theta) is stiff); "
    "ReLU in the plane: 4 teachers, 64 students, 24 starts.",
    step="-m grad F_m",
    scaling="xi = 1, the penalty a term of the motion",
    out_of_reach="Not run: sigmoid neurons, ReLU in 100 dimensions.",
    rows=rows,
)

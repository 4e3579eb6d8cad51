r"""Two Gaussians that differ in some coordinates, and neurons $a\,\mathrm{relu}(\langle w, x\rangle + b)$.

With x given, and directions of both parts of w uniform, $\langle w, x \rangle$ is nearly normal: $N(0, r_1^2
|x_1|^2 / s + r_2^2 |x_2|^2 / (d - s))$. The limit is one of four numbers per neuron, $(a, r_1, r_2, b)$,
and two per input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy import stats

from ..activations import identity, relu
from ..distributions import Empirical
from ..distributions.base import Distribution
from ..distributions.radial import gamma_rule
from ..drivers.ode.solve import solve
from ..drivers.sgd.train import train
from ..losses import Squared
from ..network import Network
from ..problem import Problem
from ..quadrature import gaussian
from ..schedules import Frozen, constant
from ..units import Amplitude, Functions
from .panels import DASHED, POINTS, Panel, curve
from .radial_problem import RATE, START
from .rows import Row

DIM, PART, SEPARATION = 320, 60, 0.8
NODES = 12
"""Of either length of an input."""


class TwoParts(Distribution):
    r"""Deviations $1 \pm \Delta$ of the first coordinates, 1 of the others; labels 1 and -1."""

    dim: int = eqx.field(static=True)
    part: int = eqx.field(static=True)
    separation: float

    @property
    def input_dim(self) -> int:
        return self.dim

    def sample(self, key: PRNGKeyArray, m: int) -> tuple[Array, Array]:
        for_label, for_x = jax.random.split(key)
        label = jax.random.rademacher(for_label, (m, 1), float)
        z = jax.random.normal(for_x, (m, self.dim))
        return z.at[:, : self.part].multiply(1 + self.separation * label), label

    def quadrature(self, m: int) -> tuple[Array, Array, Array]:
        """Sobol nodes of either class."""
        z, p = gaussian("sobol", max(m // 2, 1), self.dim, jax.random.key(0))
        both = [z.at[:, : self.part].multiply(1 + sign * self.separation) for sign in (1, -1)]
        label = jnp.repeat(jnp.asarray([1.0, -1.0]), len(z))[:, None]
        return jnp.concatenate(both), label, jnp.tile(p, 2) / 2


def lengths() -> Empirical:
    r"""$(|x_1| / \sqrt{s}, |x_2| / \sqrt{d - s})$ and the label, by Gauss's rules for the squares."""
    (s, p), (u, q) = (gamma_rule(k / 2, NODES) for k in (PART, DIM - PART))
    first, second = np.sqrt(2 * s / PART), np.sqrt(2 * u / (DIM - PART))
    x = [
        np.stack(np.meshgrid((1 + sign * SEPARATION) * first, second, indexing="ij"), -1)
        for sign in (1, -1)
    ]
    weights = np.tile(np.outer(p, q).ravel(), 2)
    y = np.repeat([1.0, -1.0], p.size * q.size)
    return Empirical(np.reshape(x, (-1, 2)), y, weights / weights.sum())


def averaged(theta: Float[Array, "4"], x: Float[Array, "2"]) -> Float[Array, ""]:
    r"""$a\,\mathbb{E}\,\mathrm{relu}(s G + b)$ in closed form."""
    a, r_1, r_2, b = theta
    s = jnp.sqrt((r_1 * x[0]) ** 2 + (r_2 * x[1]) ** 2)
    return a * (s * jax.scipy.stats.norm.pdf(b / s) + b * jax.scipy.stats.norm.cdf(b / s))


def reduced(count: int) -> Network:
    """Radii at quantiles of their laws, amplitudes at those of N(1, 1/4) beside them, offsets 1."""
    u, _ = gaussian("sobol", count, 3, jax.random.key(1))
    shares = np.clip(stats.norm.cdf(np.asarray(u)), 1e-9, 1 - 1e-9)
    scale = START / np.sqrt(DIM)
    radii = [scale * stats.chi(k).ppf(shares[:, i]) for i, k in enumerate((PART, DIM - PART))]
    theta = np.stack([1 + np.asarray(u)[:, 2] / 2, *radii, np.ones(count)], axis=1)
    unit = Functions(averaged, 4, 2)
    return Network([theta, np.ones((count, 1))], [identity, identity], unit=unit)


def drawn(count: int, seed: int) -> Network:
    """The same start in all coordinates: directions of both parts of w at random."""
    rng = np.random.default_rng([60, count, seed])
    theta = np.asarray(reduced(count).weights[0])
    parts = [
        r[:, None] * z / np.linalg.norm(z, axis=1, keepdims=True)
        for r, z in (
            (theta[:, 1], rng.normal(size=(count, PART))),
            (theta[:, 2], rng.normal(size=(count, DIM - PART))),
        )
    ]
    theta = np.concatenate([theta[:, :1], *parts, theta[:, 3:]], axis=1)
    return Network([theta, np.ones((count, 1))], [identity, identity], unit=Amplitude(relu))


def rows(fast: bool) -> Iterator[Row]:
    """Rows of mmn18."""
    until, rate, batch, count = (1.0, 0.002, 200, 512) if fast else (2.0, 0.002, 400, 512)
    seeds, times = (4 if fast else 12), np.linspace(0, until, 9)[1:]
    of_limit: dict[str, Any] = {"save_at": times, "rtol": 1e-5, "solver": "tsit5"}
    problem = Problem(lengths(), Squared(), schedules=[constant(RATE), Frozen()])
    limit = solve(problem, reduced(1024), until, **of_limit)
    law = TwoParts(DIM, PART, SEPARATION)
    full = Problem(law, Squared(), schedules=[constant(RATE), Frozen()])
    settings: dict[str, Any] = {"batch_size": batch, "save_at": times, "data_nodes": 2**13}
    runs = [train(full, drawn(count, seed), rate, until, seed, **settings) for seed in range(seeds)]
    ratios = np.array([np.asarray(of.loss) / np.asarray(limit.loss) for of in runs])
    risks = ratios.mean(axis=0) * np.asarray(limit.loss)
    error = 3 * float(np.max(ratios.std(axis=0, ddof=1))) / np.sqrt(seeds)
    yield Row(
        "anisotropic Gaussians, ReLU with amplitudes: SGD in 320 dimensions has the risk of four numbers "
        "per neuron",
        "reduction as we computed it",
        0.0,
        float(np.max(np.abs(ratios.mean(axis=0) - 1))),
        error + 0.01,
        f"largest relative difference at {len(times)} times to t = {until:g}; N = {count}, batch {batch}, "
        f"eps = {rate:g}, mean of {seeds} seeds, against 1024 neurons (a, r_1, r_2, b) on Gauss's rules of "
        "lengths; three standard errors, and 1 % for the noise of samples and the step",
        panel=Panel(
            "Anisotropic Gaussians, ReLU",
            "time $t$",
            "risk",
            (
                curve(f"SGD, $N = {count}$", runs[0].times, risks, POINTS),
                curve("limit of four numbers", limit.times, limit.loss, DASHED),
            ),
        ),
    )
    radii = np.concatenate([np.asarray(of.network.weights[0])[:, 1:-1] for of in runs])
    first = np.linalg.norm(radii[:, :PART], axis=1)
    mean = float(np.mean(np.abs(np.asarray(limit.network.weights[0])[:, 1])))
    yield Row(
        "and its neurons have the limit's radii in the coordinates that differ: mean",
        "reduction as we computed it",
        mean,
        float(first.mean()),
        0.02 * mean,
        f"{first.size} neurons at t = {until:g}; 2 % for the sizes of N and of the step",
    )

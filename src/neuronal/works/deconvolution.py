r"""Sparse deconvolution on the torus, as Chizat and Bach have it: spikes behind an ideal low-pass filter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from sklearn.linear_model import LassoLars

from ..distributions import Empirical
from ..drivers.ode.solve import solve
from ..losses import Squared
from ..motion.change import Change
from ..motion.term import Term
from ..network import Network
from ..problem import Problem
from ..schedules import Frozen, constant
from ..units import Dirichlet, Homogeneous
from .panels import POINTS, Panel, curve
from .rows import Row

ORDER, SPIKES, SEPARATION = 7, 5, 0.1
PEAK = 2 * ORDER + 1
"""Of the kernel, by which time and penalty are measured."""
STRENGTH, UNTIL, ANGLES, GRID = 0.02 * PEAK, 400.0, 32, 4096
SUCCESS = 0.01
"""The proven gap over the objective up to which a run has found the minimum: a number of ours, between
what runs that find it leave at this time and what the others do, as a row tells."""


class MassPenalty(Term):
    r"""$\lambda\,\mathbb{E}[r^2]$, the total variation of the measure of particles $(r, u)$.

    Attributes:
        strength: $\lambda$.
        parameters: of a particle, r the first of them.
    """

    strength: float
    parameters: int

    outside: ClassVar[str] = "masses are penalised, which Assumption 1 and Theorem 2 do not have"

    def added(
        self, changes: list[Change], rates: Sequence[Float[Array, ""]], t: Float[Array, ""]
    ) -> list[Change]:
        of_r = jnp.zeros(self.parameters, t.dtype).at[0].set(2 * self.strength)
        return [changes[0]._replace(decay=rates[0] * of_r), *changes[1:]]

    def of_layers(self, first: int, last: int) -> MassPenalty:
        return self


class Deconvolution(NamedTuple):
    """Spikes behind an ideal low-pass filter.

    Attributes:
        x, y: the filtered signal, on angles that give its inner products exactly.
        places, weights: of the spikes.
    """

    x: Float[np.ndarray, "m"]
    y: Float[np.ndarray, "m"]
    places: Float[np.ndarray, "s"]
    weights: Float[np.ndarray, "s"]


def filtered(x: np.ndarray, places: np.ndarray) -> Float[np.ndarray, "m s"]:
    """The Dirichlet kernel, from its definition."""
    k = np.arange(1, ORDER + 1)
    return 1 + 2 * np.cos(k * (x[:, None, None] - places[:, None])).sum(axis=2)


def deconvolution(seed: int) -> Deconvolution:
    """Spikes at least a tenth of the circle apart, weights of both signs in [1/2, 3/2]."""
    rng = np.random.default_rng([18, seed])
    gaps = SEPARATION + (1 - SPIKES * SEPARATION) * rng.dirichlet(np.ones(SPIKES))
    places = 2 * np.pi * ((np.cumsum(gaps) + rng.uniform()) % 1)
    weights = rng.uniform(0.5, 1.5, SPIKES) * rng.choice([-1.0, 1.0], SPIKES)
    x = 2 * np.pi * np.arange(ANGLES) / ANGLES
    return Deconvolution(x, filtered(x, places) @ weights, places, weights)


class Reached(NamedTuple):
    """What particles came to.

    Attributes:
        objective, gap: J, and a proven bound of its distance from the infimum.
        certificate: the largest value of $|\\eta|$, proven; 1 at the optimum.
        places, masses: of the measure, signed.
    """

    objective: float
    gap: float
    certificate: float
    places: Float[np.ndarray, "n"]
    masses: Float[np.ndarray, "n"]


def reached(task: Deconvolution, particles: int) -> Reached:
    """Flow so many particles, half of each sign, from an even grid, and certify the end in NumPy."""
    half = particles // 2
    angles = 2 * np.pi * np.arange(half) / half
    theta = np.stack([np.ones(particles), np.tile(angles, 2)], axis=1)
    signs = np.repeat([1.0, -1.0], half)
    unit = Homogeneous(Dirichlet(ORDER), cone=True)
    network = Network([theta, signs[:, None]], ["identity", "identity"], unit=unit)
    problem = Problem(
        Empirical(task.x[:, None], task.y),
        Squared(),
        schedules=[constant(1 / PEAK), Frozen()],
        terms=[MassPenalty(STRENGTH, 2)],
    )
    end = solve(problem, network, UNTIL, save_at=1, rtol=1e-5, atol=1e-8, solver="tsit5").network
    r, places = np.asarray(end.weights[0]).T
    masses = signs * r**2 / particles
    residual = task.y - filtered(task.x, places) @ masses
    objective = float(np.mean(residual**2) / 2 + STRENGTH * np.abs(masses).sum())
    grid = 2 * np.pi * np.arange(GRID) / GRID
    # Bernstein: a trigonometric polynomial of degree N exceeds its largest value on the grid by little.
    eta = np.abs(filtered(task.x, grid).T @ residual / ANGLES / STRENGTH).max()
    eta = float(eta / (1 - (np.pi * ORDER / GRID) ** 2 / 2))
    dual = residual * min(1.0, 1 / eta)
    bound = np.mean(task.y**2) / 2 - np.mean((task.y - dual) ** 2) / 2
    return Reached(objective, objective - float(bound), eta, places % (2 * np.pi), masses)


def rows(fast: bool) -> Iterator[Row]:
    """Rows of cb18."""
    tasks = [deconvolution(seed) for seed in range(4 if fast else 10)]
    few, many = (6, 32) if fast else (6, 100)
    with_many = [reached(task, many) for task in tasks]
    yield Row(
        f"deconvolution: {many} particles reach the global minimum",
        "main theorem, partially 1-homogeneous case",
        0.0,
        max(of.gap / of.objective for of in with_many),
        SUCCESS,
        f"largest proven gap over the objective in {len(tasks)} problems of {SPIKES} spikes: dual "
        "certificate, in "
        "NumPy, its supremum by Bernstein's inequality",
    )
    yield Row(
        "the dual certificate touches 1 and does not pass it",
        "optimality condition",
        1.0,
        max(of.certificate for of in with_many),
        SUCCESS,
        f"largest sup |eta| over the {len(tasks)} problems",
    )
    nodes = 2 * np.pi * np.arange(360) / 360
    of_lasso = []
    for task in tasks:
        matrix = filtered(task.x, nodes)
        lasso = LassoLars(STRENGTH, fit_intercept=False, max_iter=5000).fit(matrix, task.y)
        residual = task.y - matrix @ lasso.coef_
        of_lasso.append(np.mean(residual**2) / 2 + STRENGTH * np.abs(lasso.coef_).sum())
    found = np.array([of.objective for of in with_many])
    yield Row(
        "the objective is that of the convex problem over measures",
        "definition",
        1.0,
        float(np.max(found / of_lasso)),
        2e-3,
        f"largest ratio to scikit-learn's Lasso, by least angles, over {nodes.size} fixed places",
    )
    yield Row(
        "mass sits at the spikes: mean distance from the nearest of its sign, in periods",
        "as we computed it",
        0.0,
        max(_misplaced(task, of) for task, of in zip(tasks, with_many, strict=True)),
        0.01,
        "weighted by mass, the worst problem; the penalty moves spikes a little",
        panel=Panel(
            f"Spikes, and {many} particles",
            "place, in periods",
            "mass",
            (
                curve("particles, near ones added up", *_lumps(with_many[0]), POINTS),
                curve("spikes", tasks[0].places / (2 * np.pi), tasks[0].weights, POINTS),
            ),
        ),
    )
    of_few = [reached(task, few) for task in tasks]
    lost = float(np.mean([_fails(of) for of in of_few]))
    yield Row(
        f"{few} particles do not suffice: share of problems that fail",
        "figure of success against the number of particles, as we computed it",
        0.5,
        lost,
        0.0,
        f"{SPIKES} spikes of unknown signs; proven gap over the objective above {100 * SUCCESS:g} %, a "
        f"measure of ours: {few} particles leave {min(of.gap / of.objective for of in of_few):.2g} or more, "
        f"{many} leave {max(of.gap / of.objective for of in with_many):.2g} or less",
        relation=">=",
    )
    if not fast:
        sizes = (10, 16, 20, 40)
        shares = [1 - float(np.mean([_fails(reached(task, n)) for task in tasks])) for n in sizes]
        told = ", ".join(f"{share:.2f} at {n}" for n, share in zip(sizes, shares, strict=True))
        yield Row(
            "success comes with a small multiple of the number of spikes",
            "figure of success against the number of particles, as we computed it",
            1.0,
            shares[-1],
            0.0,
            f"share of problems with a gap below 1 %: {told}",
            panel=Panel(
                "Problems that are solved", "particles", "share",
                (
                    curve("", (few, *sizes), (1 - lost, *shares), POINTS),
                ),
                "x",
            ),
        )  # fmt: skip


def _fails(of: Reached) -> bool:
    return of.gap / of.objective > SUCCESS


def _lumps(of: Reached) -> tuple[np.ndarray, np.ndarray]:
    """Places and masses of runs of particles that are nearer to each other than a hundredth."""
    order = np.argsort(of.places)
    places, masses = of.places[order] / (2 * np.pi), of.masses[order]
    kept = np.abs(masses) > 1e-3 * np.abs(masses).max()
    places, masses = places[kept], masses[kept]
    ends = np.flatnonzero(np.diff(places, append=np.inf) > 0.01) + 1
    runs = np.split(np.arange(places.size), ends[:-1])
    means = [np.average(places[run], weights=np.abs(masses[run])) for run in runs]
    return np.array(means), np.array([masses[run].sum() for run in runs])


def _misplaced(task: Deconvolution, of: Reached) -> float:
    apart = np.abs(of.places[:, None] - task.places)
    apart = np.minimum(apart, 2 * np.pi - apart) / (2 * np.pi)
    same = np.sign(of.masses)[:, None] == np.sign(task.weights)
    nearest = np.min(np.where(same, apart, 0.5), axis=1)
    return float(np.average(nearest, weights=np.abs(of.masses)))

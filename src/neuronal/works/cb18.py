"""Chizat and Bach: particles find sparse measures, if there are enough of them in all directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from sklearn.linear_model import LassoLars

from ..distributions import Empirical, Regression, Sphere
from ..drivers.ode.solve import solve
from ..losses import Squared
from ..motion.change import Change
from ..motion.term import Term
from ..network import Network
from ..problem import Problem
from ..schedules import Frozen, constant
from ..units import Dirichlet, Homogeneous
from .figures import over_seeds
from .rows import Row
from .work import Work

ORDER, SPIKES, SEPARATION = 7, 5, 0.1
PEAK = 2 * ORDER + 1
"""Of the kernel, by which time and penalty are measured."""
STRENGTH, UNTIL, POINTS, GRID = 0.02 * PEAK, 400.0, 32, 4096
TEACHERS = 4
ALIKE = np.tile([[0.6, 0.8]], (8, 1))
"""Neurons that all begin in one direction."""


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
    x = 2 * np.pi * np.arange(POINTS) / POINTS
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
    eta = np.abs(filtered(task.x, grid).T @ residual / POINTS / STRENGTH).max()
    eta = float(eta / (1 - (np.pi * ORDER / GRID) ** 2 / 2))
    dual = residual * min(1.0, 1 / eta)
    bound = np.mean(task.y**2) / 2 - np.mean((task.y - dual) ** 2) / 2
    return Reached(objective, objective - float(bound), eta, places % (2 * np.pi), masses)


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    yield from _spikes(fast)
    yield _balance()
    yield from _teacher(fast)


def _spikes(fast: bool) -> Iterator[Row]:
    tasks = [deconvolution(seed) for seed in range(4 if fast else 20)]
    few, many = (6, 32) if fast else (6, 100)
    with_many = [reached(task, many) for task in tasks]
    yield Row(
        f"deconvolution: {many} particles reach the global minimum",
        "main theorem, partially 1-homogeneous case",
        0.0,
        max(of.gap / of.objective for of in with_many),
        1e-3,
        f"largest proven gap over the objective in {len(tasks)} problems of {SPIKES} spikes: dual "
        "certificate, in "
        "NumPy, its supremum by Bernstein's inequality",
    )
    yield Row(
        "the dual certificate touches 1 and does not pass it",
        "optimality condition",
        1.0,
        max(of.certificate for of in with_many),
        2e-3,
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
    )
    failed = [reached(task, few) for task in tasks]
    yield Row(
        f"{few} particles do not suffice: share of problems that fail",
        "figure of success against the number of particles, as we computed it",
        0.5,
        float(np.mean([of.gap / of.objective > 1e-3 for of in failed])),
        0.0,
        f"proven gap above 1e-3; {SPIKES} spikes of unknown signs",
        relation=">=",
    )
    if not fast:
        sizes = (10, 16, 20, 40)
        shares = [
            float(np.mean([r.gap / r.objective < 1e-3 for r in (reached(t, n) for t in tasks)]))
            for n in sizes
        ]
        told = ", ".join(f"{share:.2f} at {n}" for n, share in zip(sizes, shares, strict=True))
        yield Row(
            "success comes with a small multiple of the number of spikes",
            "figure of success against the number of particles, as we computed it",
            1.0,
            shares[-1],
            0.0,
            f"share of problems with a gap below 1e-3: {told}",
        )


def _misplaced(task: Deconvolution, of: Reached) -> float:
    apart = np.abs(of.places[:, None] - task.places)
    apart = np.minimum(apart, 2 * np.pi - apart) / (2 * np.pi)
    same = np.sign(of.masses)[:, None] == np.sign(task.weights)
    nearest = np.min(np.where(same, apart, 0.5), axis=1)
    return float(np.average(nearest, weights=np.abs(of.masses)))


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
    settings="Spikes on the torus: 20 problems of 5 spikes, Dirichlet kernel of order 7, penalty "
    "0.02 (kernel of peak 1), "
    "6 to 100 particles, half of each sign, in the cone metric (as Chizat 2019 has it; the flow of "
    "(w, theta) is stiff); "
    "ReLU in the plane: 4 teachers, 64 students, 24 starts.",
    step="-m grad F_m",
    scaling="xi = 1, the penalty a term of the motion",
    out_of_reach="Not run: sigmoid neurons, ReLU in 100 dimensions.",
    rows=rows,
)

r"""The example of Rotskoff et al. 2019: Gaussian units on the line, of which all integrals are closed forms.

$E = \frac12 \int (f - \sum_i p_i c_i N(\cdot; y_i, \frac12))^2 dx$: products of Gaussians integrate to
Gaussians of the sum of their variances, and so do F and K of the particles' equations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp

from ..distributions import Empirical
from ..drivers.ode.solve import solve
from ..drivers.sgd.train import train
from ..embeddings import Embedding
from ..losses import Squared
from ..network import Network
from ..problem import Problem
from ..schedules import constant
from ..units import Gaussian
from .rows import Row

CENTRES, SPREADS = np.array([-2.0, 0.0, 2.0]), np.array([0.5, 1.0, 0.5])
"""Means and variances of the three Gaussians whose combination is the target."""
SHARES = np.array([1.0, -2.0, 1.0]) / 3
VARIANCE, REACH, POINTS = 0.5, 9.0, 181
UNIT = Gaussian(VARIANCE**0.5)
BIRTHS, UNTIL = 5.0, 20.0
"""Births and deaths per unit of time and of potential: 0.05 in steps of 0.01."""


def normal(u: np.ndarray, variance: np.ndarray | float) -> np.ndarray:
    """The density of N(0, variance)."""
    return np.exp(-(u**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


HEIGHT = float(normal(np.zeros(1), VARIANCE)[0])
"""Of a normal density, whose unit has the height 1: w_2 is c times it."""


def forces(
    c: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], p: Float[np.ndarray, "n"]
) -> tuple[np.ndarray, np.ndarray]:
    r"""$-\frac1{p_i}\,\partial E$ in the amplitudes and places of units of masses p."""
    from_target, wide = y[:, None] - CENTRES, SPREADS + VARIANCE
    near = normal(from_target, wide)
    between = y[:, None] - y
    own = normal(between, 2 * VARIANCE)
    of_c = near @ SHARES - own @ (p * c)
    slope_target = (-from_target / wide * near) @ SHARES
    slope_own = (-between / (2 * VARIANCE) * own) @ (p * c)
    return of_c, c * (slope_target - slope_own)


def followed(
    c: np.ndarray, y: np.ndarray, births: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Amplitudes, places and masses at `UNTIL`, by SciPy from the closed forms."""
    n = c.size

    def velocity(t: float, state: np.ndarray) -> np.ndarray:
        c, y, p = state[:n], state[n : 2 * n], np.exp(state[2 * n :])
        of_c, of_y = forces(c, y, p)
        # V_i = -c_i times the force on c_i: the first variation of E in p.
        return np.concatenate([of_c, of_y, births * (c * of_c - p @ (c * of_c))])

    start = np.concatenate([c, y, np.full(n, -np.log(n))])
    end = solve_ivp(velocity, (0.0, UNTIL), start, "DOP853", rtol=1e-10, atol=1e-12).y[:, -1]
    return end[:n], end[n : 2 * n], np.exp(end[2 * n :])


def problem(births: float = 0.0, reinject: Embedding | None = None) -> Problem:
    r"""The energy as a risk: dx on [-9, 9] as a law, with rates that undo its normalisation."""
    x = np.linspace(-REACH, REACH, POINTS)
    f = normal(x[:, None] - CENTRES, SPREADS) @ SHARES
    # E_X = (1/length) int dx; with w_2 = HEIGHT c, c flows at the rate HEIGHT^2.
    schedules = [constant(length()), constant(length() * HEIGHT**2)]
    of_measures: dict[str, Any] = (
        {"birth_death": births * length(), "reinject": reinject} if births else {}
    )
    return Problem(Empirical(x[:, None], f), Squared(), schedules=schedules, **of_measures)


def length() -> float:
    """Of the line, by which a risk is an energy."""
    return POINTS * 2 * REACH / (POINTS - 1)


def network(c: np.ndarray, y: np.ndarray) -> Network:
    """Units of these amplitudes and places, of equal masses."""
    return Network([y[:, None], HEIGHT * c[:, None]], ["identity", "identity"], unit=UNIT)


def rows(fast: bool) -> Iterator[Row]:
    """Rows of rve18."""
    count = 24 if fast else 200
    rng = np.random.default_rng(8)
    y, c = rng.uniform(-2, 2, count), rng.normal(size=count)
    settings: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-10}
    for births, what in ((0.0, "move by"), (BIRTHS, "with birth and death, move and weigh by")):
        end = solve(
            problem(births), network(c, y), UNTIL, save_at=1, solver="tsit5", **settings
        ).network
        exact = followed(c, y, births)
        ours = (
            np.asarray(end.weights[1])[:, 0] / HEIGHT,
            np.asarray(end.weights[0])[:, 0],
            np.asarray(end.measures[0]),
        )
        apart = max(float(np.max(np.abs(a - b))) for a, b in zip(ours, exact, strict=True))
        yield Row(
            f"radial units {what} the potential F and the kernel K",
            "equations of the particles; Rotskoff et al. 2019, its equation with birth and death"
            if births
            else "equations of the particles, section 2",
            0.0,
            apart,
            1e-5,
            f"{count} Gaussian units at t = {UNTIL:g}, `solve` with the unit Gaussian and dx as a law, "
            "against closed forms of F and K integrated by SciPy's DOP853",
        )
    wide = SPREADS[:, None] + SPREADS
    energy = float(SHARES @ normal(CENTRES[:, None] - CENTRES, wide) @ SHARES / 2)
    nothing = network(np.zeros(1), np.zeros(1))
    yield Row(
        "energy of no unit, half the square of the target over the line",
        "closed form, as we computed it",
        energy,
        problem().risk(nothing) * length(),
        1e-8,
        "Gaussians of summed variances against the law on [-9, 9]",
    )
    yield from _far_start(fast)


def _far_start(fast: bool) -> Iterator[Row]:
    """All units near -2: gradient descent, and copies alone, do not come to the others."""
    count, until = (100, 30.0) if fast else (200, 100.0)
    rng = np.random.default_rng(9)
    start = network(rng.normal(size=count), rng.normal(-2.0, 0.1, count))
    fresh = Embedding([2], [lambda z: 2 * z[:1], lambda z: z[1]], "identity", "identity", unit=UNIT)
    ways = {"descent": problem(), "copies": problem(BIRTHS), "newborn": problem(BIRTHS, fresh)}
    settings: dict[str, Any] = {"batch_size": 64, "save_at": 1}
    left = {
        name: float(train(given, start, 0.01, until, 1, **settings).loss[-1]) * length()
        for name, given in ways.items()
    }
    yield Row(
        "birth and death with newborn units finds what no unit was near: energy over that without",
        "Rotskoff et al. 2019, reinjection; as we computed it",
        0.5,
        left["newborn"] / min(left["descent"], left["copies"]),
        0.0,
        f"{count} units that start at -2 +- 0.1, batch 64, Delta t = 0.01, to t = {until:g}; energies "
        + ", ".join(f"{name} {energy:.2g}" for name, energy in left.items()),
        relation="<=",
    )

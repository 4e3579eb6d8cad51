"""Mean-field Langevin dynamics: noisy neurons, their stationary law, and how fast they come to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import stats

from ..activations import tanh
from ..distributions import Empirical
from ..drivers.ode.solve import solve
from ..losses import Squared
from ..network import Network
from ..problem import Problem
from ..schedules import Frozen, constant
from ..theory.fokker_planck import FokkerPlanck
from ..units import Amplitude
from .figures import over_seeds, rms, slope
from .panels import DASHED, POINTS, Panel, curve, power_law
from .rows import Row
from .work import Work

DECAY, TEMPERATURE, STEP = 0.6, 0.05, 0.02
DATA = 9


def particles(theta: np.ndarray, activation: str) -> Network:
    """An average of phi(theta x) over neurons: w_2 = 1 rests."""
    return Network([theta[:, None], np.ones((theta.size, 1))], activation)


def noisy(law: Empirical, decay: float, temperature: float) -> Problem:
    """The problem with weight decay and noise in the first layer."""
    return Problem(
        law,
        Squared(),
        schedules=[constant(1.0), Frozen()],
        decay=[decay, 0.0],
        temperature=[temperature, 0.0],
    )


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    count = 4000 if fast else 40000
    yield from _linear(count)
    x = np.linspace(-1, 1, DATA)
    y = 0.4 * np.sin(2 * x)
    law = Empirical(x[:, None], y)
    grid = np.linspace(-4, 4, 401 if fast else 1601)
    features = np.tanh(np.outer(x, grid))

    def potential(masses: np.ndarray) -> np.ndarray:
        return (features @ masses - y) @ features / DATA + DECAY * grid**2 / 2

    equation = FokkerPlanck(grid, potential, TEMPERATURE)
    start = stats.norm.pdf(grid, 1.0, 0.5)
    start /= start.sum()
    rest = equation.stationary(start)
    until, steps = 20.0, 4000 if fast else 20000
    yield Row(
        "the stationary law is the fixed point of its own Boltzmann law",
        "first-order condition (Hu, Ren, Siska and Szpruch 2021)",
        0.0,
        float(np.abs(equation.solve(start, 40.0, 800) - rest).sum()),
        1e-6,
        "total variation between the Fokker-Planck equation on a grid at t = 40 and damped iteration of "
        "rho = exp(-Psi/tau)/Z",
    )
    ours, end = _particles(law, count, until)
    of_rest = features @ rest
    yield Row(
        "particles predict as the stationary law",
        "as we computed it",
        0.0,
        float(np.max(np.abs(ours - of_rest))),
        4 * float(np.max(np.sqrt(rest @ (features.T - of_rest) ** 2))) / np.sqrt(count) + STEP / 4,
        f"{count} neurons by `solve` with steps of {STEP:g} to t = {until:g}, against the fixed "
        "point; four "
        "standard errors and the bias of the step",
    )
    cumulative = np.cumsum(rest) - rest / 2
    distance = stats.kstest(end, lambda at: np.interp(at, grid, cumulative)).statistic
    yield Row(
        "and are spread as it: Kolmogorov's distance",
        "as we computed it",
        0.0,
        float(distance),
        1.63 / np.sqrt(count) + STEP / 4,
        "the 1 % quantile of the statistic and the bias of the step",
        panel=_law(grid, rest, end),
    )
    yield from _free_energy(equation, features, y, start, rest, 8.0, steps)
    yield _chaos(law, of_rest, fast)
    yield _parity(fast)


def _linear(count: int) -> Iterator[Row]:
    """A linear neuron: an Ornstein-Uhlenbeck process, exactly solved for Euler's steps too."""
    x = np.linspace(-1, 1, DATA) + 0.25
    y = 1.5 * x
    decay, temperature, until = 0.3, 0.2, 2.0
    problem = noisy(Empirical(x[:, None], y), decay, temperature)
    begin = np.random.default_rng(0).normal(-1.0, 0.3, count)
    network = particles(begin, "identity")
    settings: dict[str, Any] = {"save_at": 1, "solver": "euler", "step": STEP}
    end = np.asarray(solve(problem, network, until, key=1, **settings).network.weights[0])[:, 0]
    mean, variance, kept = float(begin.mean()), float(begin.var()), (1 - STEP * decay) ** 2
    for _ in range(round(until / STEP)):
        mean += STEP * float(np.mean(x * y) - (np.mean(x * x) + decay) * mean)
        variance = kept * variance + 2 * STEP * temperature
    yield Row(
        "linear neuron: mean of the neurons",
        "closed form: m' = b - (S + lambda) m",
        mean,
        float(end.mean()),
        4 * float(np.sqrt(variance / count)),
        f"{count} neurons at t = {until:g}; four standard errors",
    )
    yield Row(
        "linear neuron: variance of the neurons",
        "closed form: C' = -2 lambda C + 2 tau",
        variance,
        float(end.var()),
        4 * variance * float(np.sqrt(2 / count)),
        "exact for Euler's steps; four standard errors",
    )


def _particles(law: Empirical, count: int, until: float, key: int = 0) -> tuple[np.ndarray, ...]:
    """Predictions and neurons at the end, from N(1, 1/4)."""
    problem = noisy(law, DECAY, TEMPERATURE)
    network = particles(np.random.default_rng([5, key]).normal(1.0, 0.5, count), "tanh")
    settings: dict[str, Any] = {"save_at": 1, "solver": "euler", "step": STEP, "key": key}
    end = solve(problem, network, until, **settings).network
    return np.asarray(end(law.x))[:, 0], np.asarray(end.weights[0])[:, 0]


def _free_energy(equation, features, y, start, rest, until: float, steps: int) -> Iterator[Row]:
    """Gaps of the free energy along the flow on the grid, against both bounds and the dual."""
    tau, grid = equation.temperature, equation.grid

    def energy(masses: np.ndarray) -> float:
        risk = np.mean((features @ masses - y) ** 2) / 2
        return float(risk + DECAY * masses @ grid**2 / 2 + tau * equation.entropy(masses))

    def divergence(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.sum(one * np.log(np.maximum(one, 1e-300) / np.maximum(other, 1e-300))))

    least, masses, found = energy(rest), start, []
    pieces = 16
    for k in range(pieces + 1):
        gap = energy(masses) - least
        of_rest = tau * divergence(masses, rest)
        of_own = tau * divergence(masses, equation.boltzmann(masses))
        found.append((k * until / pieces, gap, of_rest, of_own))
        masses = equation.solve(masses, until / pieces, steps // pieces)
    times, gaps, below, above = np.array(found).T
    yield Row(
        "free energy's gap is at least tau KL(rho | rho*): least ratio over times",
        "Nitanda, Wu and Suzuki 2022, entropy sandwich",
        1.0,
        float(np.min(gaps / below)),
        1e-9,
        f"Fokker-Planck on {grid.size} cells, {pieces + 1} times to t = {until:g}",
        relation=">=",
        panel=Panel(
            "Free energy above its least", "time $t$", "",
            (
                curve(r"$\tau\,$KL$(\rho\,|\,$its own Boltzmann law$)$", times, above),
                curve("gap", times, gaps),
                curve(r"$\tau\,$KL$(\rho\,|\,\rho_*)$", times, below),
            ),
            "y",
        ),
    )  # fmt: skip
    yield Row(
        "and at most tau KL(rho | exp(-Psi_rho/tau)/Z): largest ratio",
        "Nitanda, Wu and Suzuki 2022, entropy sandwich",
        1.0,
        float(np.max(gaps / above)),
        1e-9,
        "the same flow",
        relation="<=",
    )
    # |d2/dtheta2 tanh(theta x)| <= 4/(3 sqrt 3) x^2, residuals are at most 1 + |y|: Bakry-Emery.
    x = np.linspace(-1, 1, DATA)
    curvature = DECAY - 4 / (3 * np.sqrt(3)) * np.mean((1 + np.abs(y)) * x**2)
    yield Row(
        "it falls at least as exp(-2 alpha tau t): largest ratio to that",
        "Nitanda, Wu and Suzuki 2022, Theorem 1",
        1.0,
        float(np.max(gaps[1:] / (gaps[0] * np.exp(-2 * curvature * times[1:])))),
        1e-9,
        f"alpha = {curvature / tau:.3g} by Bakry and Emery's bound of the potential's curvature; an "
        "inequality, "
        "the rate itself is faster",
        relation="<=",
    )
    masses = equation.solve(start, 1.0, steps // 8)
    slopes = features @ masses - y
    exponent = -(slopes @ features / DATA + DECAY * grid**2 / 2) / tau
    total = np.log(np.sum(np.exp(exponent)) * (grid[1] - grid[0]))
    dual = -np.mean(slopes**2 / 2 + slopes * y) - tau * total
    yield Row(
        "the duality gap is tau KL(rho | exp(-Psi_rho/tau)/Z)",
        "Nitanda, Wu and Suzuki 2022, Theorem 3",
        energy(masses) - float(dual),
        tau * divergence(masses, equation.boltzmann(masses)),
        1e-8,
        "primal less Fenchel's dual of the squared loss, at t = 1",
    )


def _law(grid: np.ndarray, rest: np.ndarray, end: np.ndarray) -> Panel:
    """The stationary density on the grid, and a histogram of neurons."""
    density, edges = np.histogram(end, bins=48, density=True)
    middles = (edges[1:] + edges[:-1]) / 2
    inside = (grid >= edges[0]) & (grid <= edges[-1])
    shown = np.flatnonzero(inside)[:: max(1, int(inside.sum()) // 100)]
    curves = (
        curve("neurons", middles, density, POINTS),
        curve("Boltzmann's law", grid[shown], rest[shown] / (grid[1] - grid[0]), DASHED),
    )
    return Panel("The law of neurons at rest", r"$\theta$", "density", curves)


def _chaos(law: Empirical, of_rest: np.ndarray, fast: bool) -> Row:
    counts, seeds, until = ((50, 400), 40, 8.0) if fast else ((50, 100, 200, 400, 800), 64, 50.0)

    def distance(count: int, seed: int) -> float:
        return float(rms(_particles(law, count, until, 10 + seed)[0] - of_rest))

    distances = np.stack([over_seeds(seeds, lambda s, n=n: distance(n, s)) for n in counts])
    return Row(
        f"n neurons stay within C n^(-1/2) of the stationary law, at t = {until:g} still: exponent",
        "propagation of chaos, uniform in time, as we computed it",
        -0.5,
        slope(counts, distances),
        0.2 if fast else 0.1,
        f"n = {counts[0]} to {counts[-1]}, {seeds} seeds each",
        panel=power_law(
            f"Distance from the stationary law at t = {until:g}",
            "neurons $n$",
            "distance",
            counts,
            {"": distances},
            -0.5,
        ),
    )


def _parity(fast: bool) -> Row:
    """The product of two coordinates of corners of a cube, which no linear function sees."""
    dim, count, rounds = (3, 200, 5) if fast else (6, 1000, 6)
    corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * dim, indexing="ij"), -1).reshape(-1, dim)
    law = Empirical(corners, corners[:, 0] * corners[:, 1])
    length = 40.0

    def halved(t):
        return 0.05 * 0.5 ** jnp.floor(t / length)

    problem = Problem(
        law,
        Squared(),
        schedules=[constant(1.0), Frozen()],
        decay=[0.02, 0.0],
        temperature=[halved, 0.0],
    )
    theta = np.random.default_rng(2).normal(size=(count, dim + 2))
    network = Network([theta, np.ones((count, 1))], ["identity", "identity"], unit=Amplitude(tanh))
    end = solve(
        problem,
        network,
        rounds * length,
        save_at=1,
        solver="euler",
        step=0.1,
        key=3,
    )
    return Row(
        f"annealing learns parity of 2 of {dim} bits, for which linear functions are useless",
        "annealing: Chizat 2022, abstract; this problem as we computed it",
        0.5 / 4,
        float(end.loss[-1]),
        0.0,
        f"risk after {rounds} halvings of the temperature, {count} neurons; at most a quarter of "
        "1/2, the best linear "
        "function's",
        relation="<=",
    )


WORK = Work(
    title="Mean-field Langevin dynamics",
    reference="Mei, Montanari and Nguyen 2018, arXiv 1804.06561; Hu, Ren, Siska and Szpruch 2021, "
    "arXiv 1905.07769; "
    "Nitanda, Wu and Suzuki 2022, arXiv 2201.10469; Chizat 2022, arXiv 2202.01009",
    settings="tanh(theta x), 9 inputs, decay 0.6, temperature 0.05, 40000 neurons by steps of 0.02; "
    "a grid of 1601 "
    "cells; parity of 2 of 6 bits with 1000 neurons, temperature 0.05 halved every 40 units of time.",
    step="eta, noise sqrt(2 lambda eta), decay 2 lambda'",
    scaling="eps = eta, tau = lambda, decay = 2 lambda'",
    out_of_reach="",
    rows=rows,
)

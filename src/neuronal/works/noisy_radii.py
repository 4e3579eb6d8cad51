r"""Noise in the radial problem of Mei, Montanari and Nguyen: Langevin's, and that of samples.

Noisy SGD in d dimensions against the Fokker-Planck equation of radii. And SGD at the start that fails: a
step adds $S\,\epsilon^2 / P$ per coordinate to the variance of w, P samples each, which alone moves $|w|$
out, while the force c draws it in. They balance at $r = \frac{\epsilon c}{2} + \frac{\epsilon}{P}
\frac{S d}{2 c}$: in 320 dimensions small steps or large batches keep the start, and width does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import special, stats

from ..activations import Activation, piecewise_linear
from ..drivers.sgd.train import train
from ..losses import Squared
from ..problem import Problem
from ..schedules import Frozen, constant
from ..theory.fokker_planck import of_radii
from .figures import over_seeds
from .panels import DASHED, POINTS, Panel, curve
from .radial_problem import FAILING, RATE, START, classes, drawn, output_spread, trained_radii
from .rows import Row

NOISY_DIM, NOISY_SEPARATION = 10, 0.8
DECAY, TEMPERATURE = 0.1, 0.02
FAILING_DIM, FAILING_SEPARATION = 320, 0.5


def langevin(phi: Activation, knots: np.ndarray, values: np.ndarray, fast: bool) -> Iterator[Row]:
    """Noisy SGD against the equation of radii on a grid."""
    dim, until = NOISY_DIM, 1.0 if fast else 4.0
    rate, count, seeds = 0.005, 400, 6 if fast else 16
    s, p = special.roots_genlaguerre(48, dim / 2 - 1)
    sigmas = np.array([1 + NOISY_SEPARATION, 1 - NOISY_SEPARATION])
    lengths, q = (sigmas[:, None] * np.sqrt(2 * s)).ravel(), np.tile(p / p.sum(), 2) / 2
    y = np.repeat([1.0, -1.0], s.size)
    u, share = special.roots_gegenbauer(400, (dim - 2) / 2)
    grid = np.linspace(0.01, 5.0, 500)
    inner = np.multiply.outer(np.outer(lengths, grid), u)
    features = np.tensordot(np.interp(inner, knots, values), share / share.sum(), 1)

    def potential(masses: np.ndarray) -> np.ndarray:
        return (q * (features @ masses - y)) @ features + DECAY * grid**2 / 2

    equation = of_radii(grid, potential, TEMPERATURE, dim)
    masses = stats.chi.pdf(grid / START * np.sqrt(dim), dim)
    # The rate of both the force and the noise is RATE: the equation's own time runs so much faster.
    masses = equation.solve(masses / masses.sum(), RATE * until, round(1000 * RATE * until))
    risk = float(q @ (features @ masses - y) ** 2 / 2)
    mean = float(masses @ grid)
    mixture = classes(dim, NOISY_SEPARATION)
    problem = Problem(
        mixture,
        Squared(),
        schedules=[constant(RATE), Frozen()],
        decay=[DECAY, 0.0],
        temperature=[TEMPERATURE, 0.0],
    )
    settings: dict[str, Any] = {"batch_size": 20, "save_at": 1, "data_nodes": 2**14}
    runs = [
        train(problem, drawn(dim, START, count, phi, seed), rate, until, seed, **settings)
        for seed in range(seeds)
    ]
    radii = np.array([np.linalg.norm(np.asarray(of.network.weights[0]), axis=1) for of in runs])
    risks = np.array([float(of.loss[-1]) for of in runs])
    error = lambda values: 4 * float(np.std(values, ddof=1)) / np.sqrt(seeds)
    yield Row(
        f"noisy SGD in {dim} dimensions has the risk of the Fokker-Planck equation of radii",
        "noisy SGD, as we computed it",
        risk,
        float(risks.mean()),
        error(risks) + output_spread(mixture, runs[0].network) / (2 * count),
        f"N = {count}, batch 20, eps = {rate:g}, decay {DECAY:g}, temperature {TEMPERATURE:g}, at t = "
        f"{until:g}, {seeds} seeds, against a grid of {grid.size} radii; four standard errors, and what "
        "N independent neurons add to the risk",
        panel=_radii_panel(grid, masses, radii, until),
    )
    yield Row(
        "and its radii: mean",
        "noisy SGD, as we computed it",
        mean,
        float(radii.mean()),
        error(radii.mean(axis=1)) + rate * RATE,
        f"{radii.size} neurons; four standard errors of a seed's mean, and the length of a step",
    )


def _radii_panel(grid: np.ndarray, masses: np.ndarray, radii: np.ndarray, until: float) -> Panel:
    density, edges = np.histogram(radii, bins=32, density=True)
    shown = slice(0, int(np.searchsorted(grid, edges[-1])), 5)
    curves = (
        curve("noisy SGD", (edges[1:] + edges[:-1]) / 2, density, POINTS),
        curve("Fokker-Planck", grid[shown], masses[shown] / (grid[1] - grid[0]), DASHED),
    )
    return Panel(f"Radii of neurons at t = {until:g}", "$r$", "density", curves)


def kept_radius(rate: float, batch: int) -> float:
    """Where noise and force balance, at the start that fails: see the module.

    There phi falls by 3 per unit from phi(0) on one side and is flat on the other. With the residual b of
    class c, E[x; <w, x> > 0] = sigma w / (|w| (2 pi)^(1/2)) gives the force, and half of 9 b^2 sigma^2 the
    variance of a coordinate.
    """
    knots, values = FAILING
    steep = (values[0] - values[1]) / (knots[1] - knots[0])
    sigma = np.array([1 + FAILING_SEPARATION, 1 - FAILING_SEPARATION])
    y, r = np.array([1.0, -1.0]), 0.0
    for _ in range(50):
        residual = y - values[0] + steep * r * sigma / np.sqrt(2 * np.pi)
        force = RATE * steep * np.mean(residual * sigma) / np.sqrt(2 * np.pi)
        variance = RATE**2 * steep**2 * np.mean(residual**2 * sigma**2) / 2
        r = rate * force / 2 + rate / batch * variance * FAILING_DIM / (2 * force)
    return float(r)


def failing(fast: bool) -> Iterator[Row]:
    """SGD in 320 dimensions at the start that fails."""
    law, phi = classes(FAILING_DIM, FAILING_SEPARATION), piecewise_linear(*FAILING)
    problem = trained_radii(law)

    def end(rate: float, batch: int, width: int, until: float):
        start = drawn(FAILING_DIM, 0.1, width, phi, 0)
        settings: dict[str, Any] = {"batch_size": batch, "save_at": 1, "data_nodes": 4096}
        return train(problem, start, rate, until, 0, **settings)

    rate, width = 0.002, 100
    batches = (400,) if fast else (400, 800, 1600)
    radii = [
        float(np.linalg.norm(end(rate, P, width, 0.6 if fast else 2.0).network.weights[0], axis=1).mean())
        for P in batches
    ]  # fmt: skip
    smooth = np.geomspace(batches[0] / 1.5, batches[-1] * 1.5, 24)
    yield Row(
        "SGD in 320 dimensions rests at the failing start where its samples let it: radius over foretold",
        "the case of failure, as we computed it",
        1.0,
        float(max((of / kept_radius(rate, P) for of, P in zip(radii, batches, strict=True)),
                  key=lambda ratio: abs(ratio - 1))),
        0.05,
        f"mean over {width} neurons, eps = {rate:g}, batches {', '.join(map(str, batches))}, against the "
        "balance of noise and force in closed form, whose error is of the order of the radius",
        panel=Panel(
            "Where SGD rests at the failing start", "batch $P$", "mean radius",
            (
                curve("SGD", batches, radii, POINTS),
                curve("closed form", smooth, [kept_radius(rate, P) for P in smooth], DASHED),
            ),
            "xy",
        ),
    )  # fmt: skip
    widths, rate, batch, until = (100, 800), 0.005, 20, 2.0
    left = over_seeds(len(widths), lambda i: end(rate, batch, widths[i], until).loss[-1])
    yield Row(
        "with large steps and small batches it leaves that start, and width does not hold it",
        "the case of failure, as we computed it",
        0.5,
        float(left.max()),
        0.0,
        f"risk at t = {until:g}, 3.625 where all neurons are dead, eps = {rate:g}, batch {batch}, widths "
        f"{widths[0]} and {widths[1]}; noise alone would keep radii at {kept_radius(rate, batch):.2g}, where "
        "the activation rises",
        relation="<=",
    )

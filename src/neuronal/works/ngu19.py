"""Nguyen: curves of wide multilayer networks lie on each other, and on the limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..datasets import digits
from ..distributions import Empirical
from ..drivers.ode.solve import solve
from ..drivers.trajectory import Trajectory
from ..embeddings import IID
from ..losses import Squared
from ..problem import Problem
from ..schedules import constant
from ..theory.fluctuations import fluctuations
from ..widths.resample import resample, resampling_error
from .collapsed import System, of_ends
from .figures import over_seeds, rms, slope
from .panels import POINTS, Panel, curve, power_law
from .rows import Row
from .work import Work

DEPTH, DIM, UNTIL, RATE = 4, 16, 2.0, 2.0
MEANS, STDS = (0.0, 1.0, 1.0, 1.0), (1.41 / DIM**0.5, 0.1, 0.1, 0.1)
"""As the notebook of the author's code has them."""


def isotropic(points: int, dim: int) -> Empirical:
    """Two isotropic Gaussians of deviations 1.5 and 0.5, as a data set."""
    rng = np.random.default_rng(3)
    label = np.where(np.arange(points) % 2, -1.0, 1.0)
    return Empirical(rng.normal(size=(points, dim)) * (1 + label / 2)[:, None], label)


class Family(NamedTuple):
    """Networks of many widths and their limit, trained on one problem.

    Attributes:
        rows: what they show.
        runs: by width, then by seed.
    """

    rows: list[Row]
    runs: list[list[Trajectory]]


def family(problem: Problem, biased: bool, widths: Sequence[int], seeds: int) -> Family:
    """Train them, with biases of inner layers from 0 or without any."""
    biases = 0.0 if biased else None
    embedding = IID(DIM, DEPTH, activation="relu", mean=MEANS, std=STDS, biases=biases)
    x, y, q = map(np.asarray, problem.quadrature(1))
    start = embedding.quadrature((1024, 1, 128))
    first, last = np.asarray(start.weights[0]), np.asarray(start.weights[-1])[:, 0]
    p, r = (np.asarray(start.measures[i]) for i in (0, -1))
    relu, step = lambda h: np.maximum(h, 0), lambda h: (h > 0).astype(float)
    system = System(x, y[:, 0], q, p, r, relu, step, (RATE,) * DEPTH, biased)
    begin = of_ends(first, last, MEANS)
    ideal, coarse = (system.values(system.stepped(begin, UNTIL, k))[1] for k in (200, 100))
    # Constant steps: adaptive ones shrink at ReLU's kinks.
    settings: dict[str, Any] = {"save_at": 10, "solver": "tsit5", "step": 0.05}
    fine, half = (
        solve(problem, start, UNTIL, save_at=10, solver="tsit5", step=step) for step in (0.01, 0.02)
    )
    ours, theirs = (np.asarray(of.network(x))[:, 0] for of in (fine, half))
    # All neurons of an inner layer cross the kink at once: a jump, behind which any method is of first order.
    of_steps = float(np.max(np.abs(ideal - coarse)) + np.max(np.abs(ours - theirs)))
    what = ", biases of inner layers trained" if biased else ""
    of_limit = Row(
        f"the limit by its forward, backward and evolution equations: averages alone matter{what}",
        "abstract (self-averaging); derived on the page on the i.i.d. collapse",
        0.0,
        float(np.max(np.abs(ours - ideal))),
        3 * of_steps,
        "largest difference of predictions at the end from the collapsed equations in NumPy, by the "
        "classical Runge-Kutta method on the same nodes; three times what steps of twice the length change",
    )

    def trained(width: int, seed: int) -> Trajectory:
        return solve(problem, embedding.sample(width, 40 + seed), UNTIL, **settings)

    runs = [[trained(n, seed) for seed in range(seeds)] for n in widths]
    off = [[rms(np.asarray(run.network(x))[:, 0] - ours, q) for run in of] for of in runs]
    of_curves = Row(
        f"networks of all widths lie on the limit: exponent of n of the distance{what}",
        "as we computed it; Theorem 15 of Nguyen and Pham bounds it so",
        -0.5,
        slope(widths, np.array(off)),
        0.15,
        f"predictions at the end, widths {widths[0]} to {widths[-1]}, {seeds} networks each",
        panel=_risks(fine, runs, widths, what),
    )
    return Family([of_limit, of_curves], runs)


def _risks(
    limit: Trajectory, runs: list[list[Trajectory]], widths: Sequence[int], what: str
) -> Panel:
    curves = [
        curve(f"$n = {n}$", limit.times, np.mean([run.loss for run in of], axis=0), POINTS)
        for n, of in zip(widths, runs, strict=True)
    ]
    title = "Risk, with inner biases" if what else "Risk"
    of_limit = curve("limit", limit.times, limit.loss)
    return Panel(title, "time $t$", "risk", (*curves, of_limit))


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    widths, seeds, points = ((50, 200), 12, 32) if fast else ((50, 100, 200, 400), 24, 64)
    law = isotropic(points, DIM)
    problem = Problem(law, Squared(), schedules=constant(RATE))
    embedding = IID(DIM, DEPTH, activation="relu", mean=MEANS, std=STDS)
    x, _, q = map(np.asarray, law.quadrature(1))
    found, runs = family(problem, False, widths, seeds)
    yield from found
    law_of = fluctuations(problem, embedding, UNTIL, 512, save_at=1, directions=12 if fast else 24)
    ends = np.array([np.asarray(run.network(x))[:, 0] for run in runs[-1]])
    foretold = float(rms(law_of.prediction_sd(widths[-1])[-1, :, 0], q))
    yield Row(
        "width times the variance of predictions is one number, the limit's",
        "as we computed it; Pham and Nguyen 2021, abstract",
        1.0,
        float(rms(ends.std(axis=0, ddof=1), q)) / foretold,
        2 / np.sqrt(2 * (seeds - 1)),
        f"scatter of {seeds} trained networks of {widths[-1]} over what `fluctuations` foretells from the "
        "limit alone; two standard errors",
    )
    wide, small = runs[-1][0].network, widths[0]
    draws = over_seeds(
        64 if fast else 400, lambda seed: np.asarray(resample(wide, small, seed)(x))[:, 0]
    )
    told = rms(np.asarray(resampling_error(wide, small, x))[:, 0], q)
    yield Row(
        "neurons drawn from one trained wide network: their variance",
        "as we computed it, after the code of Pham and Nguyen 2021",
        1.0,
        float(rms(draws.std(axis=0, ddof=1), q) / told),
        0.15,
        f"scatter of {len(draws)} networks of {small} neurons drawn from one of {widths[-1]} over "
        "`resampling_error`",
    )
    yield _digits(fast)
    yield from family(problem, True, widths, seeds // 2).rows


def _digits(fast: bool) -> Row:
    data = digits().train
    chosen = np.flatnonzero(np.isin(np.asarray(data.y)[:, 0], (0, 4, 5, 9)))
    chosen = chosen[: 40 if fast else 100]
    x, label = np.asarray(data.x)[chosen], np.asarray(data.y)[chosen, 0]
    y = np.where(np.isin(label, (0, 4)), 1.0, -1.0)
    problem = Problem(Empirical(x, y), Squared(), schedules=constant(RATE))
    embedding = IID(x.shape[1], 3, mean=(0.0, 0.1, 0.1), std=(1 / x.shape[1] ** 0.5, 1.0, 1.0))
    widths, seeds = ((50, 200), 8) if fast else ((50, 100, 200, 400), 32)
    settings: dict[str, Any] = {"save_at": 1, "solver": "tsit5"}
    nodes = embedding.quadrature((2048, 256) if fast else (8192, 512))
    limit = solve(problem, nodes, UNTIL, **settings)

    exact = np.asarray(limit.network(x))[:, 0]

    def gap(width: int, seed: int) -> float:
        run = solve(problem, embedding.sample(width, 60 + seed), UNTIL, **settings).network
        return float(rms(np.asarray(run(x))[:, 0] - exact))

    gaps = np.stack([over_seeds(seeds, lambda s, n=n: gap(n, s)) for n in widths])
    return Row(
        "digits {0, 4} against {5, 9}, three layers: the same",
        "as we computed it, after the code of Pham and Nguyen 2021",
        -0.5,
        slope(widths, gaps),
        0.2,
        f"exponent of n of the distance of predictions from the limit, {len(x)} images of 8 x 8, widths "
        f"{widths[0]} to "
        f"{widths[-1]}, {seeds} networks each",
        panel=power_law("Digits", "width $n$", "distance from the limit", widths, {"": gaps}, -0.5),
    )


WORK = Work(
    title="Mean field limit of the learning dynamics of multilayer neural networks",
    reference="Nguyen 2019, arXiv 1902.02880; with Pham and Nguyen 2021, arXiv 2110.15954",
    settings="Isotropic Gaussians in 16 dimensions, 64 samples, L = 4, ReLU, means (0, 1, 1, 1), "
    "deviations (1.41/4, .1, "
    ".1, .1), widths 50 to 400, gradient flow to t = 2; 100 images of digits, L = 3.",
    step="beta n_{i-1} n_i times the gradient of the mean squared error",
    scaling="eps = beta, xi = 2 (the package's squared loss has a factor 1/2)",
    out_of_reach="Out of reach: the convolutional network on CIFAR-10, for which signals would have "
    "to be indexed "
    "by position; MNIST is replaced by scikit-learn's digits.",
    rows=rows,
)

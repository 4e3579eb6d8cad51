"""Mei, Montanari and Nguyen: two isotropic Gaussians, told apart by a limit of one number per neuron."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import optimize, special, stats

from ..activations import Activation, identity, piecewise_linear, radial
from ..distributions import Radial
from ..drivers.ode.solve import solve
from ..drivers.sgd.train import train
from ..network import Network
from . import anisotropic, noisy_radii
from .figures import over_seeds, rms, slope
from .panels import DASHED, POINTS, Panel, curve
from .radial_problem import FAILING, KNOTS, START, VALUES, classes, drawn, trained_radii
from .rows import Row
from .work import Work

DIM, SEPARATION = 40, 0.8


def reduced(dim: int, start: float, nodes: int, phi: Activation) -> Network:
    """The same as radii at quantiles of their law, with the activation averaged over directions."""
    r = start / np.sqrt(dim) * stats.chi(dim).ppf((np.arange(nodes) + 0.5) / nodes)
    return Network([r[:, None], np.ones((nodes, 1))], [radial(phi, dim), identity])


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    phi = piecewise_linear(KNOTS, VALUES)
    yield from _radii(phi, fast)
    for separation in (0.3,) if fast else (0.2, 0.3, 0.4):
        yield _optimum(phi, separation, fast)
    yield _threshold(phi, fast)
    yield from _failure()
    yield from noisy_radii.failing(fast)
    yield from noisy_radii.langevin(phi, KNOTS, VALUES, fast)
    yield from anisotropic.rows(fast)


def _radii(phi: Activation, fast: bool) -> Iterator[Row]:
    until, rate, count = (2.0, 0.0025, 400) if fast else (10.0, 0.002, 800)
    times = np.linspace(0, until, 9)[1:]
    mixture = classes(DIM, SEPARATION)
    settings: dict[str, Any] = {
        "save_at": times,
        "data_nodes": 128,
        "rtol": 1e-5,
        "solver": "tsit5",
    }
    start = reduced(DIM, START, 256, phi)
    limit = solve(trained_radii(Radial(mixture)), start, until, **settings)
    of_sgd: dict[str, Any] = {"batch_size": 20, "save_at": times, "data_nodes": 2**14}

    def run(width: int, seed: int):
        network = drawn(DIM, START, width, phi, seed)
        return train(trained_radii(mixture), network, rate, until, seed, **of_sgd)

    seeds = 4 if fast else 8
    widest = [run(count, seed) for seed in range(seeds)]
    risks = np.mean([of.loss for of in widest], axis=0)
    yield Row(
        "SGD in 40 dimensions has the risk of the limit of radii: largest relative difference",
        "Theorem 3, radial reduction as we computed it",
        0.0,
        float(np.max(np.abs(risks / limit.loss - 1))),
        0.02 if fast else 0.05,
        f"N = {count}, batch 20, eps = {rate:g}, mean of {seeds} seeds, {len(times)} times to t = "
        f"{until:g}, against "
        "256 radii and the activation averaged over the sphere",
        panel=Panel(
            f"Risk in {DIM} dimensions", "time $t$", "risk",
            (
                curve(f"SGD, $N = {count}$", widest[0].times, risks, POINTS),
                curve("limit of radii", limit.times, limit.loss, DASHED),
            ),
        ),
    )  # fmt: skip
    found = np.linalg.norm(np.concatenate([of.network.weights[0] for of in widest]), axis=1)
    radius = float(np.mean(np.asarray(limit.network.weights[0])))
    yield Row(
        "and its neurons have the limit's radii: mean",
        "radial histograms, as we computed it",
        radius,
        float(found.mean()),
        0.02 * radius,
        f"{found.size} neurons at t = {until:g}; 2 % for the sizes of N and of the step",
    )
    x = np.asarray(mixture.quadrature(512)[0])
    lengths = np.linalg.norm(x, axis=1)[:, None]
    exact = np.asarray(limit.network(lengths))[:, 0]
    widths = (50, 400) if fast else (50, 200, 800)

    def distance(width: int, seed: int) -> float:
        network = widest[seed].network if width == count else run(width, seed).network
        return float(rms(np.asarray(network(x))[:, 0] - exact))

    distances = np.stack([over_seeds(seeds, lambda s, n=n: distance(n, s)) for n in widths])
    yield Row(
        "distance from the limit: exponent of N",
        "Theorem 3",
        -0.5,
        slope(widths, distances),
        0.12,
        f"predictions at 512 inputs, t = {until:g}, N = {widths[0]} to {widths[-1]}, {seeds} seeds; eps is "
        "small enough not to show",
    )


def _optimum(phi: Activation, separation: float, fast: bool) -> Row:
    """The limit's last risk against the convex problem over laws of radii, by SciPy alone."""
    mixture = classes(DIM, separation)
    until = 60.0 if fast else 200.0
    settings: dict[str, Any] = {"save_at": 1, "data_nodes": 96, "rtol": 1e-4, "solver": "tsit5"}
    end = solve(trained_radii(Radial(mixture)), reduced(DIM, START, 64, phi), until, **settings)
    s, p = special.roots_genlaguerre(48, DIM / 2 - 1)
    p = p / p.sum()
    sigmas = np.array([1 + separation, 1 - separation])
    lengths = (sigmas[:, None] * np.sqrt(2 * s)).ravel()
    u, q = special.roots_gegenbauer(400, (DIM - 2) / 2)
    radii = np.linspace(0, 12, 240)
    phi_of = lambda h: np.interp(h, KNOTS, VALUES)
    features = np.tensordot(phi_of(np.multiply.outer(np.outer(lengths, radii), u)), q / q.sum(), 1)
    root = np.sqrt(np.tile(p, 2) / 2)
    y = np.repeat([1.0, -1.0], s.size)
    # Masses sum to 1: a row of large weight.
    matrix = np.vstack([root[:, None] * features, np.full(radii.size, 1e3)])
    masses, _ = optimize.nnls(matrix, np.append(root * y, 1e3))
    least = float(np.sum((root * (features @ (masses / masses.sum()) - y)) ** 2) / 2)
    return Row(
        f"the limit comes to the near-global optimum, separation {separation:g}",
        "Theorem 1",
        least,
        float(end.loss[-1]),
        0.02 * least,
        f"risk of 64 radii at t = {until:g}, against the least over all laws of radii on a grid, by "
        "SciPy's "
        "non-negative least squares and its own average over the sphere",
    )


def _least_separation(curve) -> float:
    """The least separation at which labels (1, -1) are in the convex hull of a curve over radii."""
    r = np.concatenate([np.linspace(0, 8, 1601), np.geomspace(8.05, 400, 400)])

    def reachable(separation: float) -> bool:
        points = np.stack(
            [curve((1 + separation) * r), curve((1 - separation) * r), np.ones(r.size)]
        )
        found = optimize.linprog(np.zeros(r.size), A_eq=points, b_eq=[1.0, -1.0, 1.0])
        return found.status == 0

    low, high = 0.2, 0.8
    for _ in range(11):
        middle = (low + high) / 2
        low, high = (low, middle) if reachable(middle) else (middle, high)
    return (low + high) / 2


def normal_average(t: Float[np.ndarray, "g"]) -> Float[np.ndarray, "g"]:
    r"""$E \sigma(t G)$, G standard normal, by its distribution function."""
    (a, b), (low, high) = KNOTS, VALUES
    steep = (high - low) / (b - a)
    t = np.maximum(t, 1e-12)
    part = lambda c: t * stats.norm.pdf(c / t) - c * stats.norm.sf(c / t)  # E (tG - c)_+
    return low + steep * (part(a) - part(b))


def _threshold(phi: Activation, fast: bool) -> Row:
    dim = 10_000
    average = radial(phi, dim, 500.0 * np.sqrt(dim))
    closed = _least_separation(normal_average)
    ours = _least_separation(lambda t: np.asarray(average(t * np.sqrt(dim))))
    return Row(
        "the separation from which the infimum is 0 as d grows",
        "as we computed it",
        closed,
        ours,
        0.003,
        f"by linear programmes, the activation averaged over the sphere of {dim} dimensions against "
        "the closed "
        "form of a normal projection",
    )


def _failure() -> Iterator[Row]:
    dim, separation = 320, 0.5
    phi = piecewise_linear(*FAILING)
    problem = trained_radii(Radial(classes(dim, separation)))
    # Neurons rest at the kink at 0, where adaptive steps stall.
    settings: dict[str, Any] = {"save_at": 40, "solver": "euler", "step": 0.001, "data_nodes": 96}
    dies, learns = (
        solve(problem, reduced(dim, start, 64, phi), 10.0, **settings) for start in (0.1, 0.4)
    )

    # All radii 0: the prediction is sigma(0) = -2.5 for either label.
    stuck = ((1 + 2.5) ** 2 + (1 - 2.5) ** 2) / 4
    where = "the case of failure, as we computed it"
    yield Row(
        "an activation that first falls, a small start: all neurons die",
        where,
        stuck,
        float(dies.loss[-1]),
        0.02,
        "d = 320, radii 0.1 chi/sqrt(d); risk at t = 10 against that of w = 0 in closed form",
        panel=Panel(
            "An activation that first falls",
            "time $t$",
            "risk",
            (
                curve("start 0.1", dies.times, dies.loss),
                curve("start 0.4", learns.times, learns.loss),
            ),
            "y",
        ),
    )
    yield Row(
        "the same from a larger start learns",
        where,
        0.02,
        float(learns.loss[-1]),
        0.0,
        "radii 0.4 chi/sqrt(d); risk at t = 10",
        relation="<=",
    )


WORK = Work(
    title="A mean field view of the landscape of two-layer neural networks",
    reference="Mei, Montanari and Nguyen 2018, arXiv 1804.06561",
    settings="Two isotropic Gaussians, deviations 1 +- 0.8, d = 40; activation -2.5 up to 1/2, 7.5 "
    "from 3/2; w ~ N(0, 0.64/d I); N = 800, batch 20, eps = 0.002, to t = 10. Failure: d = 320, deviations "
    "1 +- 0.5, in the limit and by SGD. Noisy SGD: d = 10. Anisotropic: d = 320, deviations 1 +- 0.8 of 60 "
    "coordinates and 1 of the others, neurons a relu(<w, x> + b). Settings as we recall the source's.",
    step="2 s_k, s_k = eps xi(k eps), squared loss",
    scaling="eps, xi_pkg = 2 xi, Squared; the source's risk is twice the package's",
    out_of_reach="Out of reach: 10^7 steps.",
    rows=rows,
)

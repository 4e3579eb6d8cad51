"""Sirignano and Spiliopoulos: two hidden layers, their limits one after the other and together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from scipy import special

from .. import quadrature
from ..drivers.ode.solve import solve
from ..drivers.sgd.train import train
from ..embeddings import IID
from ..losses import Squared
from ..network import Network
from ..problem import Problem
from ..theory.fluctuations import fluctuations
from .figures import over_seeds, rms, slope, wave
from .panels import DASHED, POINTS, Panel, curve
from .rows import Row
from .work import Work

UNTIL = 2.0
MEANS, STDS = (0.5, 1.0, 0.5), (1.0, 1.0, 1.0)


def half_limit(n_2: int, nodes: int, key: int) -> Network:
    r"""N_1 infinite, N_2 finite: a neuron of layer 1 is $(w_1, w_2(\cdot, 1..N_2))$, normal."""
    points, p = quadrature.gaussian("sobol", nodes, 2 + n_2, jax.random.key(key))
    last = np.random.default_rng([19, key]).normal(MEANS[2], STDS[2], (n_2, 1))
    first = MEANS[0] + STDS[0] * points[:, :2]
    second = MEANS[1] + STDS[1] * points[:, 2:]
    return Network([first, second, last], "erf", [p, np.full(n_2, 1 / n_2)])


def first_drawn(n_1: int, like: Network, seed: int) -> Network:
    """N_1 neurons of layer 1 drawn before the same layer 2 as a half limit's."""
    rng = np.random.default_rng([20, seed])
    n_2 = like.widths[1]
    first = rng.normal(MEANS[0], STDS[0], (n_1, 2))
    second = rng.normal(MEANS[1], STDS[1], (n_1, n_2))
    return Network([first, second, like.weights[2]], "erf")


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    law = wave(16)
    problem, embedding = Problem(law, Squared()), IID(2, 3, activation="erf", mean=MEANS, std=STDS)
    x, _, q = map(np.asarray, law.quadrature(1))
    told = fluctuations(
        problem,
        embedding,
        UNTIL,
        256 if fast else 1024,
        save_at=1,
        directions=12 if fast else 24,
    )
    variance = np.einsum("stx,x->st", told.data.prediction_variance.values[..., 0], q)
    # H_1(x) is normal: E erf(m + s Z) = erf(m / sqrt(1 + 2 s^2)).
    mean = MEANS[0] * x.sum(axis=1)
    common = special.erf(mean / np.sqrt(1 + 2 * STDS[0] ** 2 * np.sum(x**2, axis=1)))
    second = STDS[2] ** 2 * special.erf(MEANS[1] * common) ** 2
    yield Row(
        "V_2, the second layer's part of N_2 times the variance, at the start",
        "closed form",
        float(q @ second),
        float(variance[1, 0]),
        0.03 * float(q @ second),
        "Var(c) sigma(E w_2 E sigma(w_1 x))^2, mean over inputs; `fluctuations` at t = 0",
    )

    settings: dict[str, Any] = {"save_at": 1, "solver": "tsit5"}
    nodes = 512 if fast else 1024
    limit = np.asarray(
        solve(
            problem, embedding.quadrature((4 * nodes, 128)), UNTIL, rtol=1e-6, **settings
        ).network(x)
    )[:, 0]

    def of_half(n_2: int, key: int) -> np.ndarray:
        return np.asarray(
            solve(problem, half_limit(n_2, nodes, key), UNTIL, **settings).network(x)
        )[:, 0]

    sizes, seeds = ((16, 64), 100) if fast else ((8, 16, 32, 64), 150)
    halves = [over_seeds(seeds, lambda key, n=n: of_half(n, key)) for n in sizes]
    distances = np.array([rms(of - limit, q) for of in halves])
    yield Row(
        "N_1 to infinity first, then N_2: exponent of N_2 of the distance",
        "Theorem 2.3",
        -0.5,
        slope(sizes, distances),
        0.15 if fast else 0.1,
        f"half limits on {nodes} Sobol nodes, N_2 = {sizes[0]} to {sizes[-1]}, {seeds} draws each, against "
        "the joint limit",
        panel=_constant(sizes, distances, float(variance[1, 1])),
    )
    of_last = sizes[-1] * distances[-1] ** 2
    yield Row(
        "its constant is V_2",
        "as we computed it",
        float(variance[1, 1]),
        float(of_last.mean()),
        3 * float(of_last.std(ddof=1)) / np.sqrt(seeds) + 0.05 * float(variance[1, 1]),
        f"N_2 = {sizes[-1]} times the mean squared distance of half limits, against `fluctuations` "
        "of the joint "
        "limit; three standard errors and 5 % for order 1/N_2",
    )
    n_1, n_2 = 200, sizes[-1]

    def behind(seed: int) -> float:
        network = first_drawn(n_1, half_limit(n_2, nodes, seed), seed)
        end = np.asarray(solve(problem, network, UNTIL, **settings).network(x))[:, 0]
        return n_1 * float(q @ (end - halves[-1][seed]) ** 2)

    squares = over_seeds(seeds, behind)
    of_first = float(variance[0, 1])
    yield Row(
        "N_1 finite before one and the same layer of N_2: N_1 times the mean squared distance",
        "Lemma 2.2, its rate as we computed it",
        of_first,
        float(squares.mean()),
        3 * float(squares.std(ddof=1)) / np.sqrt(seeds) + 0.1 * of_first,
        f"N_1 = {n_1}, N_2 = {n_2}, {seeds} draws, from their half limits, against `fluctuations` "
        "of the joint "
        "limit; three standard errors and 10 % for order 1/N_1 and 1/N_2",
    )
    pairs = ((200, 20), (40, 80)) if fast else ((400, 20), (20, 400), (100, 100), (200, 50))
    for n_1, n_2 in pairs:
        squares = over_seeds(
            seeds, lambda s, of=(n_1, n_2): _joint(problem, embedding, of, s, limit)
        )
        expected = float(variance[:, 1] @ [1 / n_1, 1 / n_2, 1 / n_1])
        yield Row(
            f"both finite, ({n_1}, {n_2}): V_1/N_1 + V_2/N_2 and the samples' V_q/N_1",
            "as we computed it; step 1/N_1 as in section 2",
            expected,
            float(squares.mean()),
            3 * float(squares.std(ddof=1)) / np.sqrt(seeds) + 0.1 * expected,
            f"mean squared distance of {seeds} networks trained by SGD; three standard errors and "
            "10 % for the "
            "next order",
        )


def _constant(sizes: Sequence[int], distances: np.ndarray, foretold: float) -> Panel:
    """Half limits against the rate and the constant that the joint limit foretells."""
    at = np.asarray(sizes, float)
    curves = (
        curve("half limits", at, np.sqrt(np.mean(distances**2, axis=1)), POINTS),
        curve("$(V_2 / N_2)^{1/2}$", at, np.sqrt(foretold / at), DASHED),
    )
    return Panel("First layer infinite", "width $N_2$", "distance from the limit", curves, "xy")


def _joint(
    problem: Problem, embedding: IID, widths: tuple[int, int], seed: int, limit: np.ndarray
) -> float:
    x, _, q = map(np.asarray, problem.quadrature(1))
    network = embedding.sample(widths, 300 + seed)
    end = train(problem, network, 1 / widths[0], UNTIL, seed, save_at=1).network
    return float(q @ (np.asarray(end(x))[:, 0] - limit) ** 2)


WORK = Work(
    title="Mean field analysis of deep neural networks",
    reference="Sirignano and Spiliopoulos 2019, arXiv 1903.04440",
    settings="L = 3, erf, independent normal weights, means (0.5, 1, 0.5), deviations 1; sin 3x at "
    "16 inputs (x, 1), to "
    "t = 2; 150 draws each.",
    step="alpha_C = N_2/N_1, alpha_W1 = 1, alpha_W2 = N_2, k = floor(N_1 t)",
    scaling="eps = 1/N_1, xi = 1 in every layer",
    out_of_reach="",
    rows=rows,
)

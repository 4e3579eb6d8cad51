"""Sirignano and Spiliopoulos: the law of large numbers of one hidden layer, and its central limit theorem."""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import stats

from ..drivers.ode.solve import solve
from ..drivers.sgd.train import train
from ..embeddings import IID
from ..losses import Squared
from ..network import Network
from ..problem import Problem
from ..theory.fluctuations import fluctuations
from .figures import over_seeds, rms, slope, wave
from .panels import DASHED, POINTS, Panel, curve, power_law
from .rows import Row
from .work import Work

UNTIL, INPUT_STD, POINT = 2.0, 2.0, 12
"""`POINT`: the input at which single predictions and pairs of neurons are looked at."""


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    widths, seeds = ((50, 100, 400), 300) if fast else ((50, 100, 200, 400, 800), 300)
    law = wave(16)
    problem, embedding = Problem(law, Squared()), IID(2, 2, activation="erf", std=(INPUT_STD, 1.0))
    x, _, q = map(np.asarray, law.quadrature(1))
    nodes = 8192 if fast else 32768
    fine = solve(problem, embedding, UNTIL, nodes, save_at=1, rtol=1e-6, solver="tsit5")
    limit = np.asarray(fine.network(x))[:, 0]

    def end(width: int, seed: int) -> np.ndarray:
        network = embedding.sample(width, 1000 + seed)
        run = train(problem, network, 1 / width, UNTIL, seed, save_at=1).network
        return np.append(np.asarray(run(x))[:, 0], np.mean(_neurons(run, x) ** 2))

    found = np.stack([over_seeds(seeds, lambda s, n=n: end(n, s)) for n in widths])
    ends = found[..., :-1]
    distances = rms(ends - limit, q)
    yield Row(
        "law of large numbers, step 1/N: exponent of N of the distance from the limit",
        "Theorem 1.2 (Theorem 1.6 for its rate, as we computed it)",
        -0.5,
        slope(widths, distances),
        0.06,
        f"root mean square over inputs, {seeds} networks each, N = {widths[0]} to {widths[-1]}",
        panel=power_law(
            "Law of large numbers",
            "width $N$",
            "distance from the limit",
            widths,
            {"": distances},
            -0.5,
        ),
    )
    told = fluctuations(
        problem,
        embedding,
        UNTIL,
        1024 if fast else 4096,
        save_at=1,
        directions=16 if fast else 32,
    )
    variance = told.data.prediction_variance.values[..., 0]
    norms = INPUT_STD**2 * np.sum(x**2, axis=1)
    closed = (2 / np.pi) * np.arcsin(2 * norms / (1 + 2 * norms))
    yield Row(
        "variance at the start, N Var = E[c^2 sigma(w x)^2]",
        "closed form (arcsine)",
        float(q @ closed),
        float(q @ variance[0, 0]),
        0.03 * float(q @ closed),
        "mean over inputs; `fluctuations` at t = 0",
    )
    n = widths[1]
    squares = n * np.average((ends[1] - limit) ** 2, axis=1, weights=q)
    total = float(q @ variance[:, -1].sum(axis=0))
    yield Row(
        "central limit theorem: N times the mean squared distance",
        "central limit theorem (arXiv 1808.09372), covariance as we computed it",
        total,
        float(squares.mean()),
        3 * float(squares.std(ddof=1)) / np.sqrt(seeds) + 0.03 * total,
        f"{seeds} networks of N = {n} trained by SGD with step 1/N, against `fluctuations` from the limit "
        "alone; three standard errors and 3 % for order 1/N",
    )
    flows = over_seeds(
        seeds,
        lambda s: np.asarray(
            solve(problem, embedding.sample(n, 1000 + s), UNTIL, save_at=1, solver="tsit5").network(
                x
            )
        )[:, 0],
    )
    of_neurons = n * np.average((flows - limit) ** 2, axis=1, weights=q)
    share = float(q @ variance[0, -1])
    yield Row(
        "of which the start's neurons bring, without the samples' noise",
        "central limit theorem, its initial condition",
        share,
        float(of_neurons.mean()),
        3 * float(of_neurons.std(ddof=1)) / np.sqrt(seeds) + 0.03 * share,
        "the same networks by gradient flow",
    )
    at = np.sqrt(n) * (ends[1][:, POINT] - limit[POINT])
    normal = stats.norm(0, np.sqrt(variance[:, -1, POINT].sum()))
    yield Row(
        "the limit of sqrt(N) times the distance is that normal law: Kolmogorov's distance",
        "central limit theorem",
        0.0,
        float(stats.kstest(at, normal.cdf).statistic),
        1.63 / np.sqrt(seeds) + 0.02,
        f"at one input, {seeds} networks; the 1 % quantile of the statistic, and 0.02 for order N^(-1/2)",
        panel=_quantiles(at, normal, n),
    )
    yield _chaos(fine.network, found[1], n, x, float(variance[:, -1, POINT].sum()))


def _quantiles(found: np.ndarray, normal, n: int) -> Panel:
    """Quantiles of what was found against those foretold."""
    shares = (np.arange(found.size) + 0.5) / found.size
    foretold = normal.ppf(shares)
    curves = (
        curve(f"$N = {n}$", foretold, np.sort(found), POINTS),
        curve("equal", foretold[[0, -1]], foretold[[0, -1]], DASHED),
    )
    return Panel(
        "Fluctuation at one input, times root N", "quantiles foretold", "quantiles found", curves
    )


def _neurons(network: Network, x: np.ndarray) -> Array:
    """c sigma(w x) of every neuron at one input."""
    return network.forward(jnp.asarray(x[POINT : POINT + 1]))[1][0][0] * network.weights[1][:, 0]


def _chaos(limit: Network, found: np.ndarray, n: int, x: np.ndarray, of_prediction: float) -> Row:
    """Two neurons' covariance from the variance of their mean, as neurons are exchangeable."""
    means, squares = found[:, POINT], found[:, -1]
    of_mean = n * float(means.var(ddof=1))
    alone = float(squares.mean() - means.mean() ** 2)
    return Row(
        "propagation of chaos: two neurons' covariance falls as 1/N; N times it",
        "Theorem 1.6",
        of_prediction - float(np.var(_neurons(limit, x))),
        of_mean - alone,
        3 * of_mean * np.sqrt(2 / len(means)),
        "of c sigma(w x) at one input: N times the variance of their mean less that of one, measured in "
        "networks, against the same of the limit and `fluctuations`; three standard errors",
    )


WORK = Work(
    title="Mean field analysis of neural networks: a law of large numbers, and a central limit theorem",
    reference="Sirignano and Spiliopoulos 2018, arXiv 1805.01053 and 1808.09372",
    settings="L = 2, erf, w ~ N(0, 4), c ~ N(0, 1), sin 3x at 16 inputs (x, 1), to t = 2; N = 50 to "
    "800, 300 networks each.",
    step="alpha / N, k = floor(N t)",
    scaling="eps = 1/N, xi = alpha",
    out_of_reach="MNIST is not run: the data are made.",
    rows=rows,
)

"""Rotskoff and Vanden-Eijnden: the error of finite networks, how training heals it, and radial units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..distributions import Regression, Sphere
from ..drivers.ode.solve import solve
from ..drivers.sgd.train import train
from ..embeddings import IID
from ..losses import Squared
from ..network import Network
from ..problem import Problem
from ..theory.fluctuations import fluctuations
from ..widths.resample import resampling_error
from . import radial_units
from .figures import over_seeds, rms, slope, wave
from .panels import power_law
from .rows import Row
from .work import Work

UNTIL = 5.0


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    yield from _healing(fast)
    yield from radial_units.rows(fast)
    yield from _spins(fast)


def _healing(fast: bool) -> Iterator[Row]:
    widths, seeds = ((50, 200), 100) if fast else ((50, 100, 200, 400), 400)
    law = wave(16)
    problem, embedding = Problem(law, Squared()), IID(2, 2, std=(2.0, 1.0))
    x, _, q = map(np.asarray, law.quadrature(1))
    times = np.array([1.0, UNTIL])
    nodes = 8192 if fast else 32768
    limit = solve(problem, embedding, UNTIL, nodes, save_at=times, rtol=1e-6, solver="tsit5")
    exact = np.asarray(limit.predict(x))[:, :, 0]

    def end(width: int, seed: int) -> np.ndarray:
        seen: list[np.ndarray] = []
        watch = lambda t, loss, network: seen.append(np.asarray(network(x))[:, 0])
        start = embedding.sample(width, 700 + seed)
        solve(problem, start, UNTIL, save_at=times, solver="tsit5", progress=watch)
        return np.array(seen[-2:])

    ends = np.stack([over_seeds(seeds, lambda s, n=n: end(n, s)) for n in widths])
    distances = rms(ends - exact[-2:], q)
    yield Row(
        "error of networks at a fixed time: exponent of n of its root mean square",
        "Proposition 3.7",
        -0.5,
        slope(widths, distances[..., 0]),
        0.08,
        f"at t = 1, from the limit, n = {widths[0]} to {widths[-1]}, {seeds} networks each",
        panel=power_law(
            "Networks and their limit", "width $n$", "distance", widths,
            {f"$t = {t:g}$": distances[..., i] for i, t in enumerate(times)}, -0.5,
        ),
    )  # fmt: skip
    yield _quench(problem, embedding, ends[0][:, 0], widths[0], fast)
    told = fluctuations(
        problem,
        embedding,
        UNTIL,
        1024 if fast else 4096,
        save_at=np.array([0.0, *times]),
        directions=16 if fast else 32,
    )
    n = widths[-1]
    variance = told.data.prediction_variance.values[0, :, :, 0] @ q
    for place, t in enumerate(times):
        squares = n * distances[-1, :, place] ** 2
        expected = float(variance[1 + place])
        yield Row(
            f"n times the mean squared error at t = {t:g}",
            "Proposition 3.7, covariance as we computed it",
            expected,
            float(squares.mean()),
            3 * float(squares.std(ddof=1)) / np.sqrt(seeds) + 0.06 * expected,
            f"{seeds} networks of {n}, against `fluctuations` from the limit alone; three standard "
            "errors and "
            "6 % for order 1/n",
        )
    yield Row(
        "training heals it: n times the mean squared error, over that at the start",
        "Proposition 3.9 (self-healing)",
        0.35,
        float(np.mean(distances[-1, :, -1] ** 2) * n / variance[0]),
        0.0,
        f"at t = {UNTIL:g}; the error of the start by Var(c phi)/n",
        relation="<=",
    )
    of_draws = float(np.mean(np.asarray(resampling_error(limit.network, n, x))[:, 0] ** 2))
    yield Row(
        "the trained fluctuation is at most that of neurons drawn anew from the trained limit",
        "Chen, Rotskoff, Bruna and Vanden-Eijnden 2020, abstract",
        1.0,
        float(np.mean(distances[-1, :, -1] ** 2) / of_draws),
        0.0,
        f"ratio of mean squares at t = {UNTIL:g}, the second by `resampling_error`",
        relation="<=",
    )


def _quench(
    problem: Problem, embedding: IID, flows: Float[np.ndarray, "S m"], width: int, fast: bool
) -> Row:
    """SGD of several batches against the flows of the same networks at t = 1."""
    batches, rate, seeds = ((1, 16) if fast else (1, 4, 16)), 0.01, len(flows)
    x, _, q = map(np.asarray, problem.quadrature(1))

    def left(batch: int, seed: int) -> float:
        network = embedding.sample(width, 700 + seed)
        run = train(problem, network, rate, 1.0, seed, batch, save_at=1).network
        return float(rms(np.asarray(run(x))[:, 0] - flows[seed], q))

    distances = [over_seeds(seeds, lambda s, p=p: left(p, s)) for p in batches]
    return Row(
        "a larger batch quenches the samples' noise: exponent of P",
        "section 4",
        -0.5,
        slope(batches, np.array(distances)),
        0.1,
        f"distance of SGD from its flow at t = 1, n = {width}, Delta t = {rate:g}, P = {batches[0]} to "
        f"{batches[-1]}, {seeds} seeds",
        panel=power_law(
            "SGD and its flow", "batch $P$", "distance", batches, {"": np.array(distances)}, -0.5
        ),
    )


def spins(dim: int) -> tuple[Float[np.ndarray, "d d d"], float]:
    r"""Couplings $a_{pqr} \sim N(0, 1)$ of the spherical 3-spin model, and $E f^2$ in closed form.

    $f = \frac1d \sum a_{pqr} x_p x_q x_r$ on the sphere of radius $\sqrt d$: six-fold moments there are those
    of the normal law times $d^3 / (d (d + 2)(d + 4))$, and Wick's fifteen pairings are $6 |A|^2 + 9
    |\mathrm{tr} A|^2$ of the symmetric part.
    """
    a = np.random.default_rng([3, dim]).normal(size=(dim, dim, dim))
    orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    a = np.mean([a.transpose(order) for order in orders], axis=0)
    trace = np.einsum("pqq->p", a)
    pairings = 6 * np.sum(a**2) + 9 * np.sum(trace**2)
    return a, float(pairings / dim**2 * dim**3 / (dim * (dim + 2) * (dim + 4)))


def _spins(fast: bool) -> Iterator[Row]:
    dim = 5
    a, second_moment = spins(dim)
    couplings = jnp.asarray(a)

    def energy(x: Float[Array, "m d"]) -> Float[Array, "m"]:
        return jnp.einsum("pqr,mp,mq,mr->m", couplings, x, x, x, optimize=True) / dim

    law = Regression(energy, Sphere(dim, dim**0.5))
    problem = Problem(law, Squared())
    constant_risk = 0.5 * second_moment
    widths, seeds = ((16, 128), 6) if fast else ((16, 64, 256), 8)
    rate, until = 0.05, 400.0
    embedding = IID(dim, 2, std=(1.0, 1.0))
    settings: dict[str, Any] = {"batch_size": 32, "save_at": 1, "data_nodes": 4096}

    def risk(width: int, seed: int) -> float:
        network = embedding.sample(width, 30 + seed)
        return float(train(problem, network, rate, until, seed, **settings).loss[-1])

    risks = np.stack([over_seeds(seeds, lambda s, n=n: risk(n, s)) for n in widths])
    nothing = Network([np.zeros((1, dim)), np.zeros((1, 1))])
    yield Row(
        "3-spin model: half the second moment of the target on the sphere",
        "closed form; the model as we recall it",
        constant_risk,
        problem.risk(nothing, 2**14),
        0.02 * constant_risk,
        "Wick's pairings against the law's nodes",
    )
    yield Row(
        "3-spin model, d = 5: wider networks end lower, the widest over the narrowest",
        "section 5 (there d = 10 to 25), as we computed it",
        0.5,
        float(risks[-1].mean() / risks[0].mean()),
        0.0,
        f"risk at t = {until:g}, SGD, Delta t = {rate:g}, P = 32, n = {widths[-1]} and {widths[0]}, "
        f"{seeds} seeds; over the "
        f"closed form {float(risks[0].mean() / constant_risk):.2g} and "
        f"{float(risks[-1].mean() / constant_risk):.2g}",
        relation="<=",
    )


WORK = Work(
    title="Trainability and accuracy of neural networks: an interacting particle system approach",
    reference="Rotskoff and Vanden-Eijnden 2018, arXiv 1805.00915; Rotskoff, Jelassi, Bruna and "
    "Vanden-Eijnden 2019, arXiv 1902.01843; Chen, Rotskoff, Bruna and Vanden-Eijnden 2020, arXiv "
    "2008.09623",
    settings="tanh, L = 2, sin 3x at 16 inputs (x, 1), n = 50 to 400, 400 networks each; Gaussian "
    "units of variance 1/2 on the line, births and deaths 0.05 per step of 0.01; the 3-spin model on the "
    "sphere in 5 dimensions, n = 16 to 256.",
    step="Delta t, batch P; sigma = Delta t / P",
    scaling="eps = Delta t, xi = 1, sigma = eps / batch",
    out_of_reach="Out of reach: the 3-spin model at d = 25 in full size.",
    rows=rows,
)

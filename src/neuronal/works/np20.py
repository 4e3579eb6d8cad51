"""Nguyen and Pham: networks of any depth near their limit, and three layers that learn to the infimum."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..distributions import Empirical
from ..drivers.ode.solve import solve
from ..embeddings import IID
from ..losses import Cauchy, Huber, Loss, Squared
from ..network import Network
from ..problem import Problem
from ..schedules import constant
from ..theory.certificate import certify
from ..theory.coupling import couple
from .collapsed import System, of_ends
from .figures import over_seeds, rms, slope, wave
from .panels import Panel, curve, power_law
from .rows import Row
from .work import Work

UNTIL, CONFIDENCE = 2.0, 0.05
MEANS, STDS = (0.5, 1.0, 0.5), (2.0, 1.0, 1.0)
TWO_SAMPLE = 64
"""The width at which two makers of one law of weights are compared."""


def raised(points: int) -> Empirical:
    """sin 3x + 1/2: a start of positive predictions is then better than 0, condition (ii)."""
    law = wave(points)
    return Empirical(law.x, law.y + 0.5)


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    widths, seeds, nodes = ((32, 128), 6, 128) if fast else ((32, 64, 128, 256), 16, 512)
    rates = (0.04, 0.01) if fast else (0.04, 0.02, 0.01, 0.005)
    problem, embedding = Problem(raised(16), Squared()), IID(2, 3, mean=MEANS, std=STDS)
    coupled = couple(
        problem,
        embedding,
        widths,
        list(rates),
        UNTIL,
        0,
        seeds=seeds,
        carried=widths[-1],
        nodes=nodes,
        save_at=4,
    ).data
    largest = coupled.weight_max.max("layer")
    logarithm = np.sqrt(np.log(3 * (UNTIL + 1) * np.square(widths) / CONFIDENCE + np.e))
    of_width = largest.sel(pair="flow-limit", learning_rate=rates[-1]).values
    yield Row(
        "D_T, the largest distance of any weight: exponent of n besides the logarithm",
        "Theorem 3 of the three-layer paper",
        -0.5,
        slope(widths, of_width / logarithm[:, None]),
        0.15,
        f"flow against the limit that carries its neurons, L = 3, n = {widths[0]} to {widths[-1]}, "
        f"{seeds} seeds, over log^(1/2)(3 (T+1) n^2/delta + e)",
        panel=power_law(
            "Largest distance of weights: flows",
            "width $n$",
            "$D_T / \\log^{1/2}$",
            widths,
            {"": of_width / logarithm[:, None]},
            -0.5,
        ),
    )
    of_rate = largest.sel(pair="sgd-flow", width=widths[-1]).values
    yield Row(
        "D_T of SGD against its flow: exponent of eps",
        "Theorem 3 of the three-layer paper",
        0.5,
        slope(rates, of_rate),
        0.15,
        f"width {widths[-1]}, eps = {rates[0]:g} to {rates[-1]:g}",
        panel=power_law(
            "Largest distance of weights: SGD",
            r"rate $\epsilon$",
            "$D_T$",
            rates,
            {"": of_rate},
            0.5,
        ),
    )
    yield _two_makers(problem, embedding, 24 if fast else 200)
    for trained in (False, True):
        yield from _learnt("convex loss", Huber(1.0), trained, fast)
    yield from _learnt("non-convex loss, Y a function of X", Cauchy(1.0), True, fast)
    yield from _degenerate(fast)


def _two_makers(problem: Problem, embedding: IID, seeds: int) -> Row:
    n, x = TWO_SAMPLE, np.asarray(problem.quadrature(1).x)

    def by_numpy(seed: int) -> Network:
        rng = np.random.default_rng([7, seed])
        shapes = ((n, 2), (n, n), (n, 1))
        weights = [rng.normal(m, s, of) for m, s, of in zip(MEANS, STDS, shapes, strict=True)]
        return Network(weights)

    def end(network: Network) -> np.ndarray:
        trained = solve(problem, network, UNTIL, save_at=1, solver="tsit5").network
        return np.asarray(trained(x))[:, 0]

    ours = over_seeds(seeds, lambda seed: end(embedding.sample(n, 500 + seed)))
    other = over_seeds(seeds, lambda seed: end(by_numpy(seed)))
    error = np.sqrt((ours.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)) / seeds)
    return Row(
        "the law of the limit does not depend on the embedding of its i.i.d. weights",
        "Corollary 5 of the three-layer paper",
        0.0,
        float(np.max(np.abs(ours.mean(axis=0) - other.mean(axis=0)) / error)),
        4.0,
        f"largest difference, in standard errors, of mean predictions at 16 inputs of {seeds} networks of "
        "counter-keyed weights and as many of NumPy's, both trained",
    )


def _learnt(what: str, loss: Loss, trained: bool, fast: bool) -> Iterator[Row]:
    """The risk along the limit of a setting, and the theorem's conditions there."""
    schedules = [constant(1.0), constant(1.0), constant(float(trained))]
    problem = Problem(raised(6 if fast else 8), loss, schedules=schedules)
    # w_3 is one number, as the theorem takes bounded ones; at rest it has to exceed the target.
    embedding = IID(2, 3, mean=(*MEANS[:2], MEANS[2] if trained else 4.0), std=(*STDS[:2], 0.0))
    until, nodes = 200.0, 64 if fast else 256
    run = solve(problem, embedding, until, nodes, save_at=24, rtol=1e-3, solver="tsit5")
    condition = "(ii) w_3 trained" if trained else "(i) w_3 frozen"
    found = certify(problem, embedding, run)["NP20 all conditions"]
    yield Row(
        f"{what}, {condition}: conditions of the theorem that fail or are not known",
        "Theorem 8 of the three-layer paper",
        0.0,
        float(found.figure),
        0.0,
        f"as `certify` answers them along the run: {found.how}",
    )
    yield Row(
        f"{what}, {condition}: the risk falls to the infimum, 0",
        "Theorem 8 of the three-layer paper",
        0.0,
        float(run.loss[-1] / run.loss[0]),
        1e-4,
        f"risk of the limit at t = {until:g} over that at the start; infimum by the data (Y a "
        "function of X)",
        panel=Panel(
            f"{what.split(',')[0]}, {condition[4:]}",
            "time $t$",
            "risk",
            (curve("", run.times, run.loss),),
            "y",
        ),
    )


def _degenerate(fast: bool) -> Iterator[Row]:
    law = raised(16)
    problem = Problem(law, Squared())
    x, y, q = map(np.asarray, law.quadrature(1))
    means = (0.5, 1.0, 1.0, 1.0)
    embedding = IID(2, 4, mean=means, std=(2.0, 1.0, 1.0, 1.0))
    limit = embedding.quadrature((4096, 1, 64), "gauss-hermite")
    first, last = np.asarray(limit.matrices[0]), np.asarray(limit.matrices[-1])[:, 0]
    p, r = (np.asarray(limit.measures[i]) for i in (0, -1))
    system = System(x, y[:, 0], q, p, r, np.tanh, lambda h: 1 - np.tanh(h) ** 2, (1.0,) * 4)
    ideal = system.values(system.solved(of_ends(first, last, means), UNTIL))[1]
    seeds, widths = (10, (40, 160)) if fast else (32, (50, 100, 200, 400))

    def seen(width: int, seed: int) -> tuple[float, float]:
        start = embedding.sample(width, 900 + seed)
        network = solve(problem, start, UNTIL, save_at=1, solver="tsit5").network
        heights = np.asarray(network.preactivations(x)[1])
        return float(rms(np.asarray(network(x))[:, 0] - ideal, q)), float(heights.std(axis=1).max())

    found = np.stack([over_seeds(seeds, lambda s, n=n: seen(n, s)) for n in widths])
    where = "abstract; derived on the page on the i.i.d. collapse"
    yield Row(
        "depth 4, independent weights: neurons of layer 2 all see the same; exponent of n of their spread",
        where,
        -0.5,
        slope(widths, found[..., 1]),
        0.12,
        f"trained networks of widths {widths[0]} to {widths[-1]}, {seeds} seeds; -1/2 is that of "
        "averages of "
        "independent terms",
    )
    yield Row(
        "and networks are near that collapsed system: exponent of n",
        "Theorem 15",
        -0.5,
        slope(widths, found[..., 0]),
        0.15,
        "distance of predictions from the collapsed system, in NumPy, integrated by SciPy's DOP853",
    )
    centred = IID(2, 4, mean=0.0, std=(2.0, 1.0, 1.0, 1.0))
    still = solve(problem, centred, UNTIL, 64, save_at=1).network
    before = centred.quadrature(64).matrices
    moved = [
        np.max(np.abs(np.asarray(a) - np.asarray(b)))
        for a, b in zip(before, still.matrices, strict=True)
    ]
    yield Row(
        "means 0: the limit never moves",
        where,
        0.0,
        float(max(moved)),
        1e-9,
        "largest change of a weight; by the law of large numbers all averages over weights vanish, up to "
        "that of 64 Sobol nodes",
    )


WORK = Work(
    title="A rigorous framework for the mean field limit of multilayer neural networks",
    reference="Nguyen and Pham 2020, arXiv 2001.11443; three layers: Pham and Nguyen, ICLR 2021",
    settings="tanh, independent normal weights: L = 3 of means (0.5, 1, 0.5) and deviations (2, 1, 1), "
    "L = 4 of means (0.5, 1, 1, 1) "
    "and deviations (2, 1, 1, 1), so that what passes through averages exceeds what networks of these "
    "widths scatter; sin 3x + 1/2 at 16 inputs (x, 1); widths 32 to 400.",
    step="as the paper has it",
    scaling="the same",
    out_of_reach="",
    rows=rows,
)

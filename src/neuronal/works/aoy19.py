"""Araújo, Oliveira and Yukimura: independent starts, frozen ends, and the collapse of what lies between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..drivers.ode.solve import solve
from ..drivers.sgd.train import train
from ..embeddings import IID
from ..losses import Squared
from ..problem import Problem
from ..schedules import constant
from .collapsed import System, of_ends
from .figures import over_seeds, rms, slope, wave
from .panels import power_law
from .rows import Row
from .work import Work

DEPTH, UNTIL, MEAN, STD = 5, 2.0, 1.0, (2.0, 1.0, 1.0, 1.0, 1.0)
RATES = (0.0, 1.0, 1.0, 1.0, 0.0)
EXACT: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-10, "save_at": 1, "solver": "tsit5"}


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    widths, seeds = ((50, 200), 12) if fast else ((50, 100, 200, 400, 800), 32)
    law = wave(16)
    problem = Problem(law, Squared(), schedules=[constant(rate) for rate in RATES])
    embedding = IID(2, DEPTH, mean=MEAN, std=STD)
    x, y, q = map(np.asarray, law.quadrature(16))

    limit = embedding.quadrature((4096, 1, 1, 64), "gauss-hermite")
    first, last = np.asarray(limit.matrices[0]), np.asarray(limit.matrices[-1])[:, 0]
    p, r = np.asarray(limit.measures[0]), np.asarray(limit.measures[-1])
    system = System(x, y[:, 0], q, p, r, np.tanh, lambda h: 1 - np.tanh(h) ** 2, RATES)
    state = system.solved(of_ends(first, last, [MEAN] * DEPTH), UNTIL)
    ideal = system.values(state)[1]
    ours = np.asarray(solve(problem, limit, UNTIL, **EXACT).network(x))[:, 0]
    yield Row(
        "the limit is the McKean-Vlasov system of ideal particles",
        "Theorem 5.3",
        0.0,
        float(np.max(np.abs(ours - ideal))),
        1e-6,
        "largest difference of predictions at the end between `solve` on nodes and the system written in "
        "the ideal particles' own variables, in NumPy, integrated by SciPy's DOP853",
    )

    def moved(width: int, seed: int) -> np.ndarray:
        network = embedding.sample(width, 100 + seed)
        end = solve(problem, network, UNTIL, save_at=1, solver="tsit5").network
        change = [
            np.asarray(b) - np.asarray(a)
            for a, b in zip(network.matrices, end.matrices, strict=True)
        ]
        of_middle, prediction = change[DEPTH // 2], np.asarray(end(x))[:, 0]
        figures = [
            np.max(np.abs(np.concatenate([change[0].ravel(), change[-1].ravel()]))),
            rms(prediction - ideal, q),
            np.std(of_middle),
            np.mean(of_middle),
            np.sqrt(np.mean(np.var(change[1], axis=1))),
            np.sqrt(np.mean(np.var(change[-2], axis=0))),
        ]
        return np.concatenate([figures, prediction])

    found = np.stack([over_seeds(seeds, lambda s, n=n: moved(n, s)) for n in widths])
    ends, distance, spread, displacement, second, fourth = np.moveaxis(found[..., :6], -1, 0)
    yield Row(
        "the first and the last layer of edges are random features that stay",
        "section 3",
        0.0,
        float(np.max(ends)),
        0.0,
        f"largest change of a weight of theirs in {ends.size} networks",
    )
    sizes = f"widths {widths[0]} to {widths[-1]}, {seeds} networks each"
    yield Row(
        "networks are within C N^(-1/2) of the ideal particles: exponent of N",
        "Theorem 5.4, equation (5.1)",
        -0.5,
        slope(widths, distance),
        0.12,
        f"root mean square distance of predictions from SciPy's solution, {sizes}",
        panel=power_law(
            "Networks and ideal particles", "width $N$", "distance", widths, {"": distance}, -0.5
        ),
    )
    names = (
        ("weights between inner layers all move alike: exponent of N of their spread", spread),
        ("those behind the first layer move as their incoming neuron alone says", second),
        ("those before the last layer move as their outgoing neuron alone says", fourth),
    )
    collapse = power_law(
        "Spread of displacements", "width $N$", "spread", widths,
        {"$w_3$, all": spread, "$w_2$, given $c_1$": second, "$w_4$, given $c_4$": fourth}, -0.5,
    )  # fmt: skip
    for claim, values in names:
        yield Row(
            claim,
            "section 4; derived on the page on the i.i.d. collapse",
            -0.5,
            slope(widths, values),
            0.12,
            f"spread of displacements, {sizes}; -1/2 is that of an average of N independent terms",
            panel=collapse if values is spread else None,
        )
    common = float(state.middle[0]) - MEAN
    of_widest = displacement[-1]
    yield Row(
        "their common displacement is the ideal particles'",
        "section 4; derived on the page on the i.i.d. collapse",
        common,
        float(of_widest.mean()),
        4 * float(of_widest.std(ddof=1)) / np.sqrt(seeds) + 2 * abs(common) / widths[-1],
        f"mean displacement of w_3 at width {widths[-1]} against SciPy's; four standard errors, and 1/N",
    )
    rates = (0.08, 0.01) if fast else (0.04, 0.02, 0.01, 0.005)
    flows = found[0][:, 6:]

    def left(rate: float, seed: int) -> float:
        network = embedding.sample(widths[0], 100 + seed)
        run = train(problem, network, rate, UNTIL, seed, save_at=1).network
        return float(rms(np.asarray(run(x))[:, 0] - flows[seed], q))

    distances = np.stack([over_seeds(seeds, lambda s, rate=rate: left(rate, s)) for rate in rates])
    yield Row(
        "SGD leaves its flow as (eps d)^(1/2): exponent of eps",
        "Theorem 5.4, equation (5.1)",
        0.5,
        slope(rates, distances),
        0.15,
        f"distance of predictions at the end, N = {widths[0]}, eps {rates[0]} to {rates[-1]}, "
        f"{seeds} seeds",
        panel=power_law(
            "SGD and its flow", "rate $\\epsilon$", "distance", rates, {"": distances}, 0.5
        ),
    )


WORK = Work(
    title="A mean-field limit for certain deep neural networks",
    reference="Araújo, Oliveira and Yukimura 2019, arXiv 1906.00193",
    settings="L = 5 (four hidden layers), tanh, w_1 ~ N(0, 4), the others N(1, 1); sin 3x at 16 "
    "inputs (x, 1), to "
    "t = 2; widths 50 to 800, 32 networks each.",
    step="eps N^2 times the gradient between hidden layers, ends frozen, fresh samples",
    scaling="eps, xi = (0, 1, ..., 1, 0)",
    out_of_reach="Out of reach: vector-valued edges and general maps sigma(theta, h), which the package's "
    "scalar weights do not have.",
    rows=rows,
)

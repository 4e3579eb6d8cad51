"""A network sampled at width n against the limit: the distance falls as n^(-1/2)."""

from __future__ import annotations

import neuronal as nr
from neuronal.theory.rates import rms

from .common import problem_1d, report

WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)
UNTIL, RATE, NODES, DATA = 5.0, 0.25, 8192, 32
TOLERANCES = {"rtol": 1e-3, "atol": 1e-5}  # far below the distances measured


def main(depths=(3, 4), seeds: int = 16) -> None:
    problem = problem_1d()
    x, _, _ = problem.quadrature(64)
    rows = []
    for depth in depths:
        embedding = nr.embeddings.Bidirectional(
            2, depth, rank=4, input_scale=2.0, inputs=x, spread=0.5
        )
        run = nr.couple(
            problem, embedding, WIDTHS, RATE, UNTIL, key=7, seeds=seeds, nodes=NODES, save_at=4,
            batch_size=64, carried=0, progress=True, data_nodes=DATA, **TOLERANCES,
        )  # fmt: skip
        # The limit's own error: the same nodes, scrambled by another key.
        other = nr.solve(
            problem, embedding, UNTIL, nodes=NODES, key=11, save_at=4, data_nodes=DATA, **TOLERANCES
        )
        at, _, p = problem.quadrature(DATA)
        gap = run.limit.network(at) - other.network(at)
        for pair in ("flow-limit", "sgd-limit"):
            rate = run.rate(pair=pair)
            row = {
                "L": depth,
                "pair": pair,
                "slope": rate.slope,
                "low": rate.low,
                "high": rate.high,
            }
            distance = run.data.prediction.sel(pair=pair, learning_rate=RATE)
            row |= {f"n={n}": rms(distance.sel(width=n).values) for n in WIDTHS}
            row["limit's error"] = float((p @ gap**2)[0] ** 0.5)
            rows.append(row)
    report(
        "width_rate",
        f"prediction distance to the limit, t = {UNTIL:g}, {seeds} seeds: fitted exponent in the width",
        rows,
        "slope with 95 % jackknife interval over seeds; flow: gradient flow of the network's own neurons, "
        f"sgd: learning rate {RATE}, batch 64; limit's error: between two scrambles of {NODES} Sobol nodes",
    )


if __name__ == "__main__":
    main()

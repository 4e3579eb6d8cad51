r"""i.i.d. mean-zero networks at L = 6: the limit never moves, networks leave later the wider.

Near the saddle every middle weight acts with operator norm 2 sigma / sqrt(n), so the time to
leave grows as a power of the width; bidirectional networks leave at a time of order one.
"""

from __future__ import annotations

import jax
import numpy as np

import neuronal as nr

from .common import problem_1d, report

WIDTHS, DEPTH, STD, UNTIL = (32, 64, 128, 256), 6, 3.0, 400.0


def main(widths=WIDTHS, seeds: int = 3) -> None:
    problem = problem_1d()
    x, _, _ = problem.quadrature(64)
    iid = nr.embeddings.IID(2, DEPTH, std=STD)
    bidirectional = nr.embeddings.Bidirectional(2, DEPTH, input_scale=STD, inputs=x, spread=0.5)
    limit = nr.solve(problem, iid, UNTIL, nodes=1024, data_nodes=64)
    stationary = limit.loss[0]
    drift = float(np.max(np.abs(limit.loss - stationary)))
    rows = [
        {
            "system": "i.i.d. limit",
            "leaves at": "never",
            "final risk": limit.loss[-1],
            "drift": drift,
        }
    ]

    def leaves(run) -> float:
        below = np.flatnonzero(run.loss < 0.75 * stationary)
        return float(run.times[below[0]]) if below.size else np.inf

    for name, embedding in (("i.i.d.", iid), ("bidirectional", bidirectional)):
        for n in widths:
            runs = [
                nr.solve(
                    problem, embedding.sample(n, jax.random.key(s)), UNTIL, data_nodes=64,
                    save_at=400, rtol=1e-3,
                )
                for s in range(seeds)
            ]  # fmt: skip
            rows.append(
                {
                    "system": f"{name} n = {n}",
                    "leaves at": float(np.median([leaves(run) for run in runs])),
                    "final risk": float(np.mean([run.loss[-1] for run in runs])),
                    "drift": "",
                }
            )
            print(rows[-1], flush=True)
    report(
        "iid_escape",
        f"L = {DEPTH}, mean 0, std {STD}: MF time at which the risk is below 3/4 of its start, "
        f"median of {seeds} seeds, horizon {UNTIL:g}",
        rows,
        f"gradient flows on the 1-D problem; the start's risk is {stationary:.4f}",
    )


if __name__ == "__main__":
    main()

"""Corollary 3: the triple limit of SGD's risk, extrapolated in its order, against the infimum.

Case 1: pseudo-Huber with noise in Y. Case 2: the Cauchy loss, y a function of x.
"""

from __future__ import annotations

import sys

import jax.numpy as jnp

import neuronal as nr

from .common import report

RATES, WIDTHS, UNTIL, SEEDS, BATCH = (0.2, 0.1, 0.05), (64, 128, 256, 512), 320.0, 8, 4


def main() -> None:
    laws = nr.distributions
    rows = []
    for case, loss, noise in (
        (1, nr.losses.PseudoHuber(1.0), 0.3),
        (2, nr.losses.Cauchy(2.0), 0.0),
    ):
        law = laws.Regression(
            lambda x: jnp.sin(3 * x[:, 0]), laws.Biased(laws.Uniform()), noise=noise
        )
        problem = nr.Problem(law, loss)
        x = law.quadrature(32)[0]
        for depth in (3, 4):
            embedding = nr.embeddings.Bidirectional(
                2, depth, rank=8, input_scale=3.0, inputs=x, spread=0.5
            )
            found = nr.triple_limit(
                problem, embedding, RATES, WIDTHS, UNTIL, 5, seeds=SEEDS, batch_size=BATCH,
                nodes=512, halvings=5, data_nodes=32,
            )  # fmt: skip
            print(f"case {case}, L = {depth}\n{found}", file=sys.stderr, flush=True)
            start = float(found.risk.sel(time=found.wide.time[0]).mean())
            row = {"case": case, "loss": repr(loss), "noise": noise, "L": depth}
            row |= {"infimum": found.infimum, "triple limit": found.value, "error": found.error}
            last = found.wide.isel(time=-1)
            row |= {f"t = {UNTIL:g}": float(last.value), "its error": float(last.error)}
            row |= {"MF limit there": float(found.risk_limit[-1])}
            rows.append(row | {f"SGD at t = {UNTIL / 32:g}": start})
    report(
        "corollary3",
        f"risk of SGD, learning rates {RATES}, widths {WIDTHS}, extrapolated eps -> 0, n -> inf, "
        f"t -> inf ({UNTIL / 32:g} to {UNTIL:g})",
        rows,
        f"errors: standard deviations over bootstraps of {SEEDS} seeds, batch {BATCH}; MF limit on 512 "
        "Sobol nodes",
    )


if __name__ == "__main__":
    main()

"""Resampled networks: the error against the one predicted beforehand.

Neurons are drawn from a limit, and from a network of width 1024 trained by SGD. *Matched*: measures
moved so that the layers' influences at 48 inputs keep their averages; these inputs are not those of
the errors.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr
from neuronal.theory.rates import exponent, rms

from .common import problem_1d, report

WIDTHS, SEEDS, MATCHED_SEEDS = (64, 128, 256, 512, 1024), 64, 8
NODES, UNTIL, DATA = 1024, 20.0, 32


def main(depths=(2, 3, 4, 5), seeds: int = SEEDS) -> None:
    problem = problem_1d()
    x, _, p = problem.quadrature(64)
    inputs = problem.quadrature(48)[0]
    rows = []

    def size(gap) -> float:
        return float(jnp.sqrt(jnp.sum(gap**2, axis=1) @ p))

    def against(network: nr.Network, of: str, depth: int) -> None:
        whole = network(x)
        plain, matched = (
            np.array(
                [
                    [size(nr.resample(network, n, s, at)(x) - whole) for s in range(count)]
                    for n in WIDTHS
                ]
            )
            for at, count in ((None, seeds), (inputs, MATCHED_SEEDS))
        )
        slopes = [exponent(np.array(WIDTHS), table).slope for table in (plain, matched)]
        for n, found, cured in zip(WIDTHS, plain, matched, strict=True):
            predicted = size(nr.resampling_error(network, n, x))
            row = {"of": of, "L": depth, "width": n, "measured": rms(found)}
            row |= {"predicted": predicted, "measured / predicted": rms(found) / predicted}
            row |= {"exponent": slopes[0], "matched": rms(cured), "matched, exponent": slopes[1]}
            rows.append(row)
            print(row, flush=True)

    for depth in depths:
        embedding = nr.embeddings.Bidirectional(
            2, depth, rank=4, input_scale=2.0, inputs=x, spread=0.5
        )
        limit = nr.solve(
            problem, embedding, UNTIL, NODES, save_at=1, data_nodes=DATA, rtol=1e-3, atol=1e-5
        )
        against(limit.network, "limit", depth)
        if depth == 3:
            start = embedding.sample(NODES, jax.random.key(0))
            run = nr.train(problem, start, 0.2, UNTIL, key=1, batch_size=8, save_at=1)
            against(run.network, "trained network", depth)
    ratios = [row["measured / predicted"] for row in rows]
    report(
        "resampling",
        f"networks drawn from a trained one, 1-D problem, t = {UNTIL:g}, {seeds} seeds: measured over "
        f"predicted error {min(ratios):.2f} to {max(ratios):.2f}",
        rows,
        "errors of the prediction: root mean square over inputs and seeds; exponent: fitted in the width; "
        f"matched: measures moved at 48 inputs, {MATCHED_SEEDS} seeds",
    )


if __name__ == "__main__":
    main()

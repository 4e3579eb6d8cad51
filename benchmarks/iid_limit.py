"""The exact, collapsed i.i.d. limit against i.i.d. networks: exponents in the width.

Mean 1: predictions fall as n^(-1/2). Mean 0: the limit predicts 0 for ever, and the networks'
predictions are of higher order (a factor n^(-1/2) per layer crossed); there the pre-activations
of layer 2, one function shared by all neurons in the limit, show the n^(-1/2).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr
from neuronal.theory.rates import exponent, rms

from .common import problem_1d, report

WIDTHS, DEPTHS, MEANS, UNTIL = (64, 128, 256, 512, 1024, 2048), (4, 5, 6), (0.0, 1.0), 5.0
DATA = 32


def main(widths=WIDTHS, depths=DEPTHS, seeds: int = 8) -> None:
    problem = problem_1d()
    x, _, p = problem.quadrature(DATA)
    rows = []
    for depth in depths:
        for mean in MEANS:
            embedding = nr.embeddings.IID(2, depth, mean=mean)
            ode = {"save_at": 1, "data_nodes": DATA, "rtol": 1e-4}
            limit = nr.solve(problem, embedding, UNTIL, nodes=4096, **ode).network
            shared = limit.preactivations(x)[1]
            names = ("prediction", "H_2", "spread of H_2")
            distances = {name: np.empty((len(widths), seeds)) for name in names}
            for j, n in enumerate(widths):
                for s in range(seeds):
                    start = embedding.sample(n, jax.random.key(s))
                    network = nr.solve(problem, start, UNTIL, **ode).network
                    h = network.preactivations(x)[1]
                    gap = network(x) - limit(x)
                    distances["prediction"][j, s] = jnp.sqrt(p @ gap**2)[0]
                    distances["H_2"][j, s] = jnp.sqrt(p @ jnp.mean((h - shared) ** 2, axis=1))
                    distances["spread of H_2"][j, s] = jnp.sqrt(p @ jnp.var(h, axis=1))
            for quantity, table in distances.items():
                rate = exponent(np.asarray(widths), table)
                row = {"L": depth, "mean": mean, "distance": quantity}
                row |= {"slope": rate.slope, "low": rate.low, "high": rate.high}
                rows.append(row | {f"n={n}": rms(r) for n, r in zip(widths, table, strict=True)})
                print(rows[-1], flush=True)
    report(
        "iid_limit",
        f"i.i.d. networks (gradient flow) against the exact limit at t = {UNTIL:g}, std 1, "
        f"{seeds} seeds: fitted exponents in the width",
        rows,
        "slopes with 95 % jackknife intervals over seeds; spread: standard deviation over the neurons",
    )


if __name__ == "__main__":
    main()

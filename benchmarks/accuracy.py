"""`solve(accuracy=1e-4)`: the error told against the true one, and against Monte Carlo's price.

The reference has four times the nodes, another randomisation and a finer tolerance. The network
of independent neurons that is as accurate is estimated from the law error = c n^(-1/2), c
measured at one width; its price is that of dense weights, on which a finite network lives.
Seconds are those of a first call, all programs compiled anew.
"""

from __future__ import annotations

import time

import jax.numpy as jnp
import numpy as np

import neuronal as nr

from .common import compiling, problem_1d, report

ACCURACY, UNTIL, DATA, RECORDS, WIDTH, SEEDS = 1e-4, 2.0, 32, 2, 2048, 8


def main(depths=(2, 3, 4, 6)) -> None:
    problem = problem_1d()
    x, _, p = problem.quadrature(DATA)
    rows = []
    for depth in depths:
        embedding = nr.embeddings.Bidirectional(
            2, depth, rank=4, input_scale=2.0, inputs=x, spread=0.5
        )
        common = {"data_nodes": DATA, "save_at": RECORDS}

        def error(run: nr.Trajectory, reference) -> float:
            gap = run.predict(x) - reference
            return float(jnp.sqrt(jnp.max(jnp.sum(gap**2, axis=2) @ p)))

        began = time.perf_counter()
        with compiling() as programs:
            run = nr.solve(problem, embedding, UNTIL, nodes=512, accuracy=ACCURACY, key=3, **common)
        took = time.perf_counter() - began
        nodes = run.network.widths[0]
        how = {**common, "rtol": 3e-6, "atol": 3e-8}
        reference = nr.solve(problem, embedding, UNTIL, nodes=4 * nodes, key=99, **how).predict(x)
        true = error(run, reference)
        scatter = [
            error(
                nr.solve(problem, embedding, UNTIL, WIDTH, "monte-carlo", key=s, **how), reference
            )
            for s in range(SEEDS)
        ]
        of_width = float(np.sqrt(np.mean(np.square(scatter))))
        equal = WIDTH * (of_width / true) ** 2
        row = {"L": depth, "nodes": nodes, "error told": run.report.error, "true error": true}
        row |= {"told / true": run.report.error / true, "seconds": took}
        row |= {"of them compiling": sum(programs), "programs": len(programs)}
        row |= {f"Monte Carlo's error at {WIDTH}": of_width, "Monte Carlo, nodes": equal}
        row |= {"ratio of costs, dense n^2 over ours": _cost(equal, depth) / _ours(run, depth)}
        rows.append(row)
        print(row, flush=True)
    report(
        "accuracy",
        f"solve(accuracy={ACCURACY:g}), 1-D problem, t = {UNTIL:g}",
        rows,
        "costs: multiplications per right-hand side and sample, (L - 2) n^2 for a network of dense weights "
        "(n at L = 2), (L - 2) 2 n r for factored ones of rank r, at the last time",
    )


def _cost(n: float, depth: int) -> float:
    return (depth - 2) * n * n if depth > 2 else n


def _ours(run: nr.Trajectory, depth: int) -> float:
    n = run.network.widths[0]
    if not run.report.ranks:
        return _cost(n, depth)
    return sum(2 * n * rank for rank in run.report.ranks)


if __name__ == "__main__":
    main()

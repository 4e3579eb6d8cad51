"""What methods of several orders take at a tolerance, and the error that they reach.

The ODE on matrices is as fast as its velocities, so that their number is what a method costs. Tsit5, the
default, is the cheapest where errors are to be below some $10^{-5}$. Where less is enough, Bosh3, of third
order, takes half of its velocities: `solve(solver="bosh3")`.
"""

from __future__ import annotations

import diffrax
import jax
import numpy as np

import neuronal as nr

from .common import problem_1d, report

DEPTH, DATA, UNTIL, NODES = 4, 64, 10.0, 128
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5)
METHODS = {
    "Tsit5": (diffrax.Tsit5(), 6),
    "Dopri5": (diffrax.Dopri5(), 6),
    "Bosh3": (diffrax.Bosh3(), 3),
    "Heun": (diffrax.Heun(), 2),
    "RKC": (nr.RKC(), None),
}
"""Each with its velocities per step; None where the report counts them."""


def main() -> None:
    problem = problem_1d()
    x, _, p = problem.quadrature(DATA)
    start = nr.embeddings.Bidirectional(2, DEPTH, rank=8, input_scale=2.0, inputs=x, spread=0.5)
    how = {"nodes": NODES, "data_nodes": DATA, "save_at": 1, "kernel": "dense"}

    def solve(rtol: float, solver) -> nr.Trajectory:
        return nr.solve(problem, start, UNTIL, rtol=rtol, atol=rtol / 100, solver=solver, **how)

    with jax.enable_x64(True):
        exact = np.asarray(solve(1e-9, diffrax.Tsit5()).network(x))
        rows = []
        for name, (solver, per_step) in METHODS.items():
            for rtol in TOLERANCES:
                run = solve(rtol, solver)
                tried = run.report.steps + run.report.rejected
                gap = np.asarray(run.network(x)) - exact
                row: dict = {"method": name, "rtol": rtol, "steps tried": tried}
                row["velocities"] = (
                    run.report.work.velocities if per_step is None else per_step * tried
                )
                rows.append(row | {"error": float(np.sqrt(np.sum(gap**2, axis=1) @ np.asarray(p)))})
    report(
        "solvers",
        f"the limit to t = {UNTIL:g}, 1-D problem, L = {DEPTH}, {NODES} nodes, {DATA} data points, float64: "
        "velocities and the error of the final prediction, root mean square over the inputs",
        rows,
        "error: against Tsit5 at rtol 1e-9; no timings, so that other work on the machine changes nothing",
    )


if __name__ == "__main__":
    main()

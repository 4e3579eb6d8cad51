"""What records cost: a limit recorded 64 times against once, and against steps that end at records.

Records lie within steps, by the method's dense output. The error there is measured beside that at the
run's end, against the same ODE at rtol 1e-11.
"""

from __future__ import annotations

from itertools import pairwise

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr
from neuronal.drivers.driver import State
from neuronal.drivers.ode.solve import ODESettings, ode_driver, start_of
from neuronal.dynamics import layer_norms

from .common import paired, problem_1d, report, seconds

DEPTH, DATA, UNTIL, RTOL, RECORDS = 4, 64, 1.0, 1e-3, 64
CASES = (
    ("factored", 8192, False), ("dense", 1024, False), ("dense", 512, True), ("factored", 512, True)
)  # fmt: skip
"""Kernels, nodes, and whether in double precision."""
TOLERANCES = (1e-3, 1e-5, 1e-7)


def embedding(problem: nr.Problem) -> nr.embeddings.Bidirectional:
    x = problem.quadrature(64)[0]
    return nr.embeddings.Bidirectional(2, DEPTH, rank=8, input_scale=2.0, inputs=x, spread=0.5)


def row_of(kernel: str, nodes: int, double: bool, rounds: int) -> dict:
    """Times with 64 records and with one, and where a step ends at each of 64."""
    problem = problem_1d()
    start = embedding(problem)

    def solve(records: int) -> nr.Trajectory:
        how = {"nodes": nodes, "rtol": RTOL, "atol": RTOL / 100, "data_nodes": DATA}
        return nr.solve(problem, start, UNTIL, kernel=kernel, save_at=records, **how)

    def stop_at_each() -> int:
        settings = ODESettings(RTOL, RTOL / 100, kernel, diffrax.Tsit5(), None, DATA)
        begin = start_of(problem, start, (nodes, "sobol", 0), settings)
        driver, network = ode_driver(problem, begin, settings)
        state, pace, steps = State(network.weights), None, 0
        for a, b in pairwise(np.linspace(0, UNTIL, RECORDS + 1).tolist()):
            segment = driver.advance(state, pace, a, b, None)
            state, pace, steps = segment.state, segment.pace, steps + segment.steps
            driver.loss(state)
        return steps

    with jax.enable_x64(double):
        few, many = solve(1).report, solve(RECORDS).report
        stops = stop_at_each()
        times = paired(
            {
                "one": lambda: seconds(lambda: solve(1).network.weights),
                "64": lambda: seconds(lambda: solve(RECORDS).network.weights),
                "64 stops": lambda: seconds(stop_at_each),
            },
            rounds,
        )
    row: dict = {"kernel": kernel, "N": nodes, "precision": "float64" if double else "float32"}
    row |= {f"{name}, s": float(np.median(t)) for name, t in times.items()}
    row["64 / one"] = float(np.median(times["64"] / times["one"]))
    row["64 stops / 64"] = float(np.median(times["64 stops"] / times["64"]))
    return row | {"steps, one": few.steps, "steps, 64": many.steps, "steps, 64 stops": stops}


def errors(until: float = 10.0, nodes: int = 64) -> list[dict]:
    """Errors of weights and risk at 64 records, and of the weights at the end, over rtol."""
    problem = problem_1d()

    def solve(kernel: str, rtol: float) -> tuple[nr.Trajectory, list[nr.Network]]:
        seen: list[nr.Network] = []
        how = {"rtol": rtol, "atol": rtol / 100, "data_nodes": 16, "save_at": RECORDS}
        how |= {"progress": lambda t, loss, network: seen.append(network), "kernel": kernel}
        return nr.solve(problem, embedding(problem), until, nodes=nodes, **how), seen

    def distance(a: nr.Network, b: nr.Network) -> float:
        gap = tuple(u - v for u, v in zip(a.matrices, b.matrices, strict=True))
        return float(jnp.max(layer_norms(gap, b.measures) / layer_norms(b.matrices, b.measures)))

    rows = []
    with jax.enable_x64(True):
        exact, states = solve("dense", 1e-11)
        for kernel in ("dense", "factored"):
            for rtol in TOLERANCES:
                run, seen = solve(kernel, rtol)
                worst = max(distance(a, b) for a, b in zip(seen, states, strict=True))
                rows.append(
                    {
                        "kernel": kernel,
                        "rtol": rtol,
                        "steps": run.report.steps,
                        "weights at records / rtol": worst / rtol,
                        "weights at the end / rtol": distance(run.network, exact.network) / rtol,
                        "risk at records / rtol": float(np.max(np.abs(run.loss - exact.loss)))
                        / rtol,
                    }
                )
    return rows


def main(rounds: int = 3) -> None:
    report(
        "records",
        f"the limit to t = {UNTIL:g} with 64 records and with one, 1-D problem, L = {DEPTH}, {DATA} data "
        f"points, rtol {RTOL:g}: seconds and their ratios",
        [row_of(*case, rounds) for case in CASES],
        "medians over rounds in which all ran in turn, without compilation; 64 stops: a step ends at each "
        f"record; errors: L = {DEPTH}, N = 64, t = 10, float64, against rtol 1e-11, the worst layer's "
        "relative distance in the norms of the measures",
        errors=errors(),
    )


if __name__ == "__main__":
    main()

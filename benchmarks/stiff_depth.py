"""Deep limits are stiff: the stabilised method beside Tsit5, and its error."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr

from .common import paired, report, seconds

UNTIL, NODES, RTOL, ATOL, SIDE = 300.0, 256, 1e-3, 1e-6, 14
FINE = {6: ("tsit5", 1e-6), 24: ("rkc", 1e-5)}
"""Per depth the solver and rtol of the reference, in double precision; Tsit5 takes hours at L = 24."""


def target_2d(x):
    """sin(3a) cos(2b) + 0.3 a at inputs (a, b, 1)."""
    return jnp.sin(3 * x[:, 0]) * jnp.cos(2 * x[:, 1]) + 0.3 * x[:, 0]


def grid() -> np.ndarray:
    """14 by 14 points of [-1, 1]^2 and a coordinate of ones, `(196, 3)`."""
    axis = np.linspace(-1, 1, SIDE)
    a, b = np.meshgrid(axis, axis, indexing="ij")
    return np.stack([a.ravel(), b.ravel(), np.ones(SIDE**2)], axis=1)


def solved(depth: int, solver: str, rtol: float = RTOL) -> nr.Trajectory:
    """The limit at t = 300, recorded at its start, middle and end."""
    x = grid()
    y = np.asarray(target_2d(jnp.asarray(x)))
    problem = nr.Problem(nr.distributions.Empirical(x, y), nr.losses.PseudoHuber(1.0))
    embedding = nr.embeddings.Bidirectional(3, depth, rank=8, inputs=x, spread=0.5)
    return nr.solve(
        problem, embedding, UNTIL, nodes=NODES, rtol=rtol, atol=ATOL * rtol / RTOL,
        kernel="dense", solver=solver, save_at=2,
    )  # fmt: skip


def rows_at_depth(depth: int, solvers: tuple[str, ...], rounds: int) -> list[dict]:
    """A row per solver: times in turn, what they took, and the prediction's error."""
    found: dict[str, nr.Trajectory] = {}

    def run(solver: str) -> float:
        def once():
            found[solver] = solved(depth, solver)
            return found[solver].network.weights

        return seconds(once)

    times = paired({s: lambda s=s: run(s) for s in solvers}, rounds)
    fine_solver, fine_rtol = FINE[depth]
    with jax.enable_x64(True):
        exact = np.asarray(solved(depth, fine_solver, fine_rtol).network(grid()))
    y = np.asarray(target_2d(jnp.asarray(grid())))
    rows = []
    for solver in solvers:
        one = found[solver].report
        prediction = np.asarray(found[solver].network(grid()))
        row: dict = {"L": depth, "solver": solver, "s": float(np.median(times[solver]))}
        if "tsit5" in times:
            row["Tsit5 / it"] = float(np.median(times["tsit5"] / times[solver]))
        rows.append(
            row
            | {
                "steps": one.steps,
                "rejected": one.rejected,
                "most stages": one.work.most_stages,
                "unexplained": float(np.mean((prediction[:, 0] - y) ** 2) / np.var(y)),
                "error, at most": float(np.max(np.abs(prediction - exact))),
                "changes": "; ".join(one.solver),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main(rounds: int = 3) -> None:
    rows = rows_at_depth(6, ("tsit5", "rkc", "auto"), rounds)
    rows += rows_at_depth(24, ("rkc", "auto"), 1)
    report(
        "stiff_depth",
        f"2-D target on a {SIDE} x {SIDE} grid, bidirectional rank 8, {NODES} Sobol nodes, t = {UNTIL:g}, "
        f"rtol {RTOL:g}, float32, dense kernels: seconds, and their ratio (above 1: faster than Tsit5)",
        rows,
        "medians over rounds in which all ran in turn, without compilation (L = 6: "
        f"{rounds}, L = 24: 1); error of the final prediction against double precision, L = 6 by Tsit5 at "
        "rtol 1e-6, L = 24 by RKC itself at rtol 1e-5",
    )


if __name__ == "__main__":
    main()

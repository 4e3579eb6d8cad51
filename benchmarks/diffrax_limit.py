r"""The limit by `nr.solve` against the same ODE written by a user with Diffrax and `jax.grad`.

Both take the same nodes, data, tolerances and solver. The user's code measures a step's error by
the root mean square over all weights, as Diffrax does; ours by the worst layer's norm in
$L^2(P)$. So steps differ, and predictions by a few tolerances.

What a step costs at least are its products. Per middle layer, counted in $n^2 m$ for n nodes and m
data points, a velocity takes 3, a pass forward, one backward and an outer product, and the six of a
step of Tsit5 take 18, on either side. To hold the stages' velocities as factors, so that no matrix
is written within a step, takes 12 for the passes over the weights, $84\,m/n$ for those over the
factors, 6 to write the step and $98\,m/n$ for the norm of its error: 24 at n = 2048, 29 at 1024 and
41 at 512. That saves passes over memory, about half of the time at n = 2048, and costs as much in
products below. Where near data are alike, few products carry a velocity: that is what factored
kernels use, and ``auto`` takes them from 2048 neurons on. Methods of fewer velocities: `solvers`.
"""

from __future__ import annotations

from itertools import pairwise

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr

from .common import paired, problem_1d, report, seconds

DEPTH, DATA, UNTIL, RTOL, ATOL = 4, 64, 10.0, 1e-4, 1e-6
NODES = (512, 1024, 2048)


def plain(x, y, q, widths, rtol, atol):
    """Plain Diffrax: Tsit5, PIDController and `jax.grad` on dense weights, compiled."""
    rates = [widths[0], *(a * b for a, b in pairwise(widths)), widths[-1]]

    def risk(weights):
        value = jnp.tanh(x @ weights[0].T)
        for w, n in zip(weights[1:-1], widths[:-1], strict=True):
            value = jnp.tanh(value @ w / n)
        r = value @ weights[-1] / widths[-1] - y
        return q @ (jnp.sqrt(1 + r * r) - 1)[:, 0]

    def field(t, weights, args):
        gradients = jax.grad(risk)(weights)
        return tuple(-s * g for s, g in zip(rates, gradients, strict=True))

    @jax.jit
    def run(weights):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field), diffrax.Tsit5(), 0.0, UNTIL, None, weights,
            stepsize_controller=diffrax.PIDController(rtol, atol),
            saveat=diffrax.SaveAt(t1=True), max_steps=100_000,
        )  # fmt: skip
        weights = tuple(w[0] for w in solution.ys)
        return weights, solution.stats["num_steps"]

    return run


def row_at_nodes(n: int, rounds: int) -> dict:
    """Times and steps of all three solvers on n nodes, and the differences of their predictions."""
    problem = problem_1d()
    x, y, q = problem.quadrature(DATA)
    embedding = nr.embeddings.Bidirectional(2, DEPTH, rank=8, input_scale=2.0, inputs=x, spread=0.5)
    start = embedding.quadrature(n)
    theirs = plain(x, y, q, start.widths, RTOL, ATOL)

    def ours(kernel: str) -> nr.Trajectory:
        how = {"nodes": n, "rtol": RTOL, "atol": ATOL, "data_nodes": DATA, "save_at": 1}
        return nr.solve(problem, embedding, UNTIL, kernel=kernel, **how)

    times = paired(
        {
            "Diffrax": lambda: seconds(lambda: theirs(start.weights)),
            "dense": lambda: seconds(lambda: ours("dense").network.weights),
            "factored": lambda: seconds(lambda: ours("factored").network.weights),
        },
        rounds,
    )
    row: dict = {"N": n} | {f"{name}, s": float(np.median(t)) for name, t in times.items()}
    for kernel in ("dense", "factored"):
        row[f"Diffrax / {kernel}"] = float(np.median(times["Diffrax"] / times[kernel]))
    weights, steps = theirs(start.weights)
    prediction = start.with_weights(weights)(x)
    row["steps, Diffrax"] = int(steps)
    for kernel in ("dense", "factored"):
        run = ours(kernel)
        row[f"steps, {kernel}"] = run.report.steps + run.report.rejected
        row[f"difference, {kernel}"] = float(jnp.max(jnp.abs(run.network(x) - prediction)))
    return row


def main(rounds: int = 3) -> None:
    report(
        "diffrax_limit",
        f"the limit to t = {UNTIL:g} beside plain Diffrax, 1-D problem, L = {DEPTH}, {DATA} data points, "
        f"float32, rtol {RTOL:g}, atol {ATOL:g}: times and their ratio (above 1: ours is faster)",
        [row_at_nodes(n, rounds) for n in NODES],
        "medians over rounds in which all ran in turn, without compilation; ours with choosing nodes and "
        "recording the risk; steps with those rejected; differences of predictions, at most",
    )


if __name__ == "__main__":
    main()

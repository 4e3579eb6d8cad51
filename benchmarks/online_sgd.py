"""Online SGD (batch 1, L = 4) against PyTorch, by hand in place and by autograd, and JAX with Optax.

All take the same samples from the same start; their weights after the run are compared, so that what
is timed is the same computation. On factored weights, which the bidirectional start has, it is so too,
up to rounding: how far the predictions are from those of PyTorch is in the table, and the rank that
the weights reach.
"""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np
import torch

import neuronal as nr

from .common import paired, report, seconds
from .peers import jax_optax, torch_autograd

DEPTH, DIM, EPS = 4, 16, 0.05
STEPS = {256: 2000, 1024: 600, 2048: 200}


def ours(network, x, y):
    problem = nr.Problem(nr.distributions.Empirical(x[:8, 0], y[:8, 0]), nr.losses.PseudoHuber())
    stream = (jnp.asarray(x), jnp.asarray(y))

    def run():
        return nr.train(problem, network, EPS, EPS * len(x), 0, data=stream, save_at=1)

    return run


def hand_written(start, widths, x, y):
    """The passes and the rank-one updates, in place."""
    weights = [torch.tensor(w) for w in start]
    began = time.perf_counter()
    with torch.no_grad():
        for k in range(len(x)):
            sample = x[k, 0]
            values = [torch.tanh(weights[0] @ sample)]
            for i in range(1, DEPTH - 1):
                values.append(torch.tanh((values[-1] @ weights[i]).div_(widths[i - 1])))
            r = (values[-1] @ weights[-1]).div_(widths[-1]) - y[k, 0]
            d = r / torch.sqrt(1 + r * r)
            g = (weights[-1] @ d) * (1 - values[-1] * values[-1])
            weights[-1].addr_(values[-1], d, alpha=-EPS)
            for i in range(DEPTH - 2, 0, -1):
                before = (weights[i] @ g).div_(widths[i]) * (1 - values[i - 1] * values[i - 1])
                weights[i].addr_(values[i - 1], g, alpha=-EPS)
                g = before
            weights[0].addr_(g, sample, alpha=-EPS)
    return time.perf_counter() - began, weights


def row_at_width(n: int, steps: int, rounds: int) -> dict:
    """Times of all libraries at one width, and the largest difference of their weights."""
    embedding = nr.embeddings.Bidirectional(DIM, DEPTH, rank=8, spread=0.5)
    kinds = {"neuronal": "dense", "factored": "factored"}
    networks = {
        name: embedding.sample(n, jax.random.key(0), kernel=kind) for name, kind in kinds.items()
    }
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps, 1, DIM)).astype(np.float32)
    y = np.tanh(x[:, :, :1])
    dense = networks["neuronal"]
    start, widths = [np.asarray(w) for w in dense.weights], dense.widths
    tx, ty, stream = torch.tensor(x), torch.tensor(y), (jnp.asarray(x), jnp.asarray(y))
    runs = {name: ours(network, x, y) for name, network in networks.items()}
    optax_run = jax_optax(widths, EPS)
    times = paired(
        {
            **{
                name: lambda run=run: seconds(lambda: run().network.weights)
                for name, run in runs.items()
            },
            "hand": lambda: hand_written(start, widths, tx, ty)[0],
            "autograd": lambda: torch_autograd(start, widths, tx, ty, EPS)[0],
            "optax": lambda: seconds(lambda: optax_run(dense.weights, *stream)),
        },
        rounds,
    )
    row = {"width": n, "steps": steps}
    row |= {f"{name} us/step": 1e6 * np.median(t) / steps for name, t in times.items()}
    for name in runs:
        for peer in ("hand", "autograd", "optax"):
            row[f"{peer} / {name}"] = float(np.median(times[peer] / times[name]))
    theirs = [
        hand_written(start, widths, tx, ty)[1],
        torch_autograd(start, widths, tx, ty, EPS)[1],
        optax_run(dense.weights, *stream),
    ]
    final, low = (run() for run in runs.values())
    gap = lambda a, b: float(np.abs(np.asarray(a) - np.asarray(b)).max())
    row["largest difference"] = max(gap(final.network.weights[1], w[1]) for w in theirs)
    row["factored: largest difference"] = gap(low.network.matrices[1], theirs[0][1])
    network = dense.with_weights(tuple(jnp.asarray(w.numpy()) for w in theirs[0]))
    inputs = jnp.asarray(rng.normal(size=(256, DIM)), np.float32)
    row["factored: predictions' difference"] = gap(low.network(inputs), network(inputs))
    row["factored: ranks"] = " and ".join(map(str, low.report.ranks))
    return row


def main(rounds: int = 7) -> None:
    report(
        "online_sgd",
        "online SGD, batch 1, L = 4, float32: times per step and ratios to peers (above 1: ours is faster)",
        [row_at_width(n, steps, rounds) for n, steps in STEPS.items()],
        "medians over rounds in which all ran in turn; ratios are medians of paired ratios; differences of "
        "weights and predictions after the run, at most; optax: a compiled lax.scan of jax.grad and "
        "optax.sgd; factored: every 64 steps the weights are cut to their numerical rank, which inputs of 16 "
        "dimensions make high",
    )


if __name__ == "__main__":
    main()

"""SGD of batch 64 (L = 4) against the machine's matrix-product peak, PyTorch, and JAX with Optax.

Operations: 6 n^2 m per middle layer and step, forward, backward and the update. All take the
same samples from the same start, and their weights after the run are compared.

The ceiling of thin products: the better library's rate of the three products of a step alone, 64 by n by n,
each in the layout that it likes best and with nothing between them. Where it is far below the peak
of square products, no code on these libraries comes near that peak.
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

DEPTH, DIM, BATCH, EPS = 4, 16, 64, 0.05
STEPS = {1024: 200, 2048: 60, 4096: 16}
PRODUCT = 2048
"""Side of the square products whose rate is the peak; a larger one is no faster."""


def hand_written(start, widths, x, y):
    """The passes and the updates, in place."""
    weights = [torch.tensor(w) for w in start]
    began = time.perf_counter()
    with torch.no_grad():
        for k in range(len(x)):
            values = [torch.tanh(x[k] @ weights[0].T)]
            for i in range(1, DEPTH - 1):
                values.append(torch.tanh((values[-1] @ weights[i]).div_(widths[i - 1])))
            r = (values[-1] @ weights[-1]).div_(widths[-1]) - y[k]
            d = r / torch.sqrt(1 + r * r) / len(r)
            g = (d @ weights[-1].T) * (1 - values[-1] * values[-1])
            weights[-1].addmm_(values[-1].T, d, alpha=-EPS)
            for i in range(DEPTH - 2, 0, -1):
                before = (g @ weights[i].T).div_(widths[i]) * (1 - values[i - 1] * values[i - 1])
                weights[i].addmm_(values[i - 1].T, g, alpha=-EPS)
                g = before
            weights[0].addmm_(g.T, x[k], alpha=-EPS)
    return time.perf_counter() - began, weights


def thin_products(n: int, m: int) -> dict:
    """Seconds of the forward, backward and update products alone, by either library."""
    rng = np.random.default_rng(1)
    w, f, tall = (rng.normal(size=s).astype(np.float32) for s in ((n, n), (m, n), (n, m)))
    tw, tf, tt = map(torch.tensor, (w, f, tall))
    jw, jf, jt = map(jnp.asarray, (w, f, tall))
    product = jax.jit(jnp.matmul)

    def xla() -> float:
        return sum(seconds(lambda p=p: product(*p)) for p in ((jf, jw), (jw, jt), (jt, jf)))

    def mkl() -> float:
        began = time.perf_counter()
        _ = tf @ tw, tw @ tt
        tw.addmm_(tt, tf, alpha=1e-9)
        return time.perf_counter() - began

    return {"XLA thin": xla, "torch thin": mkl}


def row_at_width(n: int, steps: int, rounds: int, product: int = PRODUCT) -> dict:
    """Rates of all libraries at one width, and the largest difference of their weights."""
    network = nr.embeddings.Bidirectional(DIM, DEPTH, rank=8, spread=0.5).sample(
        n, jax.random.key(0)
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps, BATCH, DIM)).astype(np.float32)
    y = np.tanh(x[:, :, :1])
    start, widths = [np.asarray(w) for w in network.weights], network.widths
    tx, ty = torch.tensor(x), torch.tensor(y)
    stream = (jnp.asarray(x), jnp.asarray(y))
    problem = nr.Problem(nr.distributions.Empirical(x[0, :8], y[0, :8]), nr.losses.PseudoHuber())
    optax_run = jax_optax(widths, EPS)

    def ours():
        return nr.train(problem, network, EPS, EPS * steps, 0, data=stream, save_at=1)

    a = jax.random.normal(jax.random.key(1), (product, product))
    ta, square = torch.tensor(np.asarray(a)), jax.jit(jnp.matmul)
    times = paired(
        {
            "XLA square": lambda: seconds(lambda: square(a, a)),
            "torch square": lambda: seconds(lambda: ta @ ta),
            **thin_products(n, BATCH),
            "neuronal": lambda: seconds(lambda: ours().network.weights),
            "hand": lambda: hand_written(start, widths, tx, ty)[0],
            "autograd": lambda: torch_autograd(start, widths, tx, ty, EPS)[0],
            "optax": lambda: seconds(lambda: optax_run(network.weights, *stream)),
        },
        rounds,
    )
    rate = lambda operations, *names: operations / np.minimum(*(times[name] for name in names))
    peak = rate(2 * product**3, "XLA square", "torch square")  # the better library's, each round
    thin = rate(6 * n * n * BATCH, "XLA thin", "torch thin")
    achieved = 6 * n * n * BATCH * (DEPTH - 2) * steps / times["neuronal"]
    row = {"n": n, "neuronal us/step": 1e6 * np.median(times["neuronal"]) / steps}
    for name, rates in (("peak", peak), ("thin products", thin), ("neuronal", achieved)):
        row[f"{name} GFLOP/s"] = np.median(rates) / 1e9
    row["neuronal / peak"] = float(np.median(achieved / peak))
    row["thin products / peak"] = float(np.median(thin / peak))
    for peer in ("hand", "autograd", "optax"):
        row[f"{peer} / neuronal"] = float(np.median(times[peer] / times["neuronal"]))
    final = np.asarray(ours().network.weights[1])
    theirs = (
        hand_written(start, widths, tx, ty)[1][1].numpy(),
        torch_autograd(start, widths, tx, ty, EPS)[1][1].numpy(),
        np.asarray(optax_run(network.weights, *stream)[1]),
    )
    row["largest difference"] = max(float(np.abs(final - w).max()) for w in theirs)
    row["largest change"] = float(np.abs(final - start[1]).max())
    return row


def main(rounds: int = 7) -> None:
    report(
        "batch_sgd",
        f"SGD of batch {BATCH}, L = {DEPTH}, float32: share of the matrix-product peak, and ratios of "
        "times to peers (above 1: ours is faster)",
        [row_at_width(n, steps, rounds) for n, steps in STEPS.items()],
        "6 n^2 m operations per middle layer and step; the first and last layers and tanh are not counted; "
        f"peak: the better of both libraries' {PRODUCT} by {PRODUCT} products, in each round; thin products: "
        "the three of a step alone, by the better library; medians over rounds in which all ran in turn",
    )


if __name__ == "__main__":
    main()

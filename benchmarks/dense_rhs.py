"""The dense limit's right-hand side against the machine's own matrix-product peak, and PyTorch.

6 n^2 m operations per middle layer: forward, backward, and the outer products.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import torch

import neuronal as nr
from neuronal import dynamics

from .common import paired, report, seconds

DEPTH, DIM, SAMPLES = 4, 16, 256


def by_hand(weights, widths, x, y):
    """The same velocity in PyTorch."""
    with torch.no_grad():
        values = [torch.tanh(x @ weights[0].T)]
        for i in range(1, DEPTH - 1):
            values.append(torch.tanh((values[-1] @ weights[i]).div_(widths[i - 1])))
        r = (values[-1] @ weights[-1]).div_(widths[-1]) - y
        d = r / torch.sqrt(1 + r * r) / len(x)
        changes = [values[-1].T @ d]
        g = (d @ weights[-1].T) * (1 - values[-1] ** 2)
        for i in range(DEPTH - 2, 0, -1):
            changes.insert(0, values[i - 1].T @ g)
            g = (g @ weights[i].T).div_(widths[i]) * (1 - values[i - 1] ** 2)
        changes.insert(0, g.T @ x)
    return changes


def autograd(weights, widths, x, y):
    value = torch.tanh(x @ weights[0].T)
    for i in range(1, DEPTH - 1):
        value = torch.tanh(value @ weights[i] / widths[i - 1])
    r = value @ weights[-1] / widths[-1] - y
    return torch.autograd.grad((torch.sqrt(1 + r * r) - 1).mean(), weights)


def main(rounds: int = 15) -> None:
    rows = []
    for n in (1024, 2048):
        network = nr.embeddings.Bidirectional(DIM, DEPTH, rank=8, spread=0.5).sample(
            n, jax.random.key(0)
        )
        rng = np.random.default_rng(0)
        x = rng.normal(size=(SAMPLES, DIM)).astype(np.float32)
        y = np.tanh(x[:, :1])
        jx, jy, p = jnp.asarray(x), jnp.asarray(y), jnp.full(SAMPLES, 1 / SAMPLES)
        rates = [jnp.float32(1)] * DEPTH
        loss = nr.losses.PseudoHuber()

        @jax.jit
        def velocity(weights, net=network, x=jx, y=jy, p=p, loss=loss, rates=rates):
            return dynamics.velocity(weights, net.measures, net.activations, loss, rates, x, y, p)[
                0
            ]

        a = jax.random.normal(jax.random.key(1), (n, n))
        product = jax.jit(jnp.matmul)
        weights = [torch.tensor(np.asarray(w)) for w in network.weights]
        leaves = [w.clone().requires_grad_() for w in weights]
        tx, ty, widths = torch.tensor(x), torch.tensor(y), network.widths
        ta = torch.tensor(np.asarray(a))
        times = paired(
            {
                "product": lambda f=product, a=a: seconds(lambda: f(a, a)),
                "neuronal": lambda f=velocity, w=network.weights: seconds(lambda: f(w)),
                "torch product": lambda a=ta: seconds(lambda: a @ a),
                "hand": lambda w=weights, s=widths, x=tx, y=ty: seconds(
                    lambda: by_hand(w, s, x, y)
                ),
                "autograd": lambda w=leaves, s=widths, x=tx, y=ty: seconds(
                    lambda: autograd(w, s, x, y)
                ),
            },
            rounds,
        )
        change = np.asarray(velocity(network.weights)[1])
        difference = float(np.abs(change + by_hand(weights, widths, tx, ty)[1].numpy()).max())
        xla, mkl = (2 * n**3 / times[name] for name in ("product", "torch product"))
        peak = np.maximum(xla, mkl)  # the machine's, by the better library
        ours = 6 * n * n * SAMPLES * (DEPTH - 2) / times["neuronal"]
        rows.append(
            {
                "n": n,
                "XLA product GFLOP/s": np.median(xla) / 1e9,
                "torch product GFLOP/s": np.median(mkl) / 1e9,
                "rhs GFLOP/s": np.median(ours) / 1e9,
                "rhs / peak": float(np.median(ours / peak)),
                "hand / neuronal": float(np.median(times["hand"] / times["neuronal"])),
                "autograd / neuronal": float(np.median(times["autograd"] / times["neuronal"])),
                "relative difference": difference / float(np.abs(change).max()),
            }
        )
    report(
        "dense_rhs",
        f"right-hand side of the dense limit, L = {DEPTH}, {SAMPLES} data points, float32",
        rows,
        "6 n^2 m operations per middle layer; the first and last layers and tanh are not counted; peak: the "
        "better of both libraries' n by n products, in each round",
    )


if __name__ == "__main__":
    main()

"""Online SGD (batch 1, L = 4) against PyTorch, hand-written in place and by autograd.

All three take the same samples from the same start; their weights after the run are compared,
so that what is timed is the same computation.
"""

from __future__ import annotations

import time
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import torch

import neuronal as nr

from .common import paired, report, seconds

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


def autograd(start, widths, x, y):
    """torch.optim.SGD with the mean-field rate of each layer."""
    weights = [torch.tensor(w, requires_grad=True) for w in start]
    scales = [widths[0], *(a * b for a, b in pairwise(widths)), widths[-1]]
    groups = [{"params": [w], "lr": EPS * s} for w, s in zip(weights, scales, strict=True)]
    optimiser = torch.optim.SGD(groups)
    began = time.perf_counter()
    for k in range(len(x)):
        value = torch.tanh(x[k] @ weights[0].T)
        for i in range(1, DEPTH - 1):
            value = torch.tanh(value @ weights[i] / widths[i - 1])
        r = value @ weights[-1] / widths[-1] - y[k]
        loss = (torch.sqrt(1 + r * r) - 1).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.perf_counter() - began, [w.detach() for w in weights]


def main(rounds: int = 7) -> None:
    rows = []
    for n, steps in STEPS.items():
        network = nr.embeddings.Bidirectional(DIM, DEPTH, rank=8).sample(n, jax.random.key(0))
        rng = np.random.default_rng(0)
        x = rng.normal(size=(steps, 1, DIM)).astype(np.float32)
        y = np.tanh(x[:, :, :1])
        start = [np.asarray(w) for w in network.weights]
        tx, ty = torch.tensor(x), torch.tensor(y)
        run = ours(network, x, y)
        times = paired(
            {
                "neuronal": lambda run=run: seconds(lambda: run().network.weights),
                "hand": lambda s=start, w=network.widths, a=tx, b=ty: hand_written(s, w, a, b)[0],
                "autograd": lambda s=start, w=network.widths, a=tx, b=ty: autograd(s, w, a, b)[0],
            },
            rounds,
        )
        final = np.asarray(run().network.weights[1])
        theirs = [f(start, network.widths, tx, ty)[1][1].numpy() for f in (hand_written, autograd)]
        row = {"width": n}
        row |= {f"{name} us/step": 1e6 * np.median(t) / steps for name, t in times.items()}
        for peer in ("hand", "autograd"):
            row[f"{peer} / neuronal"] = float(np.median(times[peer] / times["neuronal"]))
        row["largest difference"] = max(float(np.abs(final - w).max()) for w in theirs)
        rows.append(row)
    report(
        "online_sgd",
        "online SGD, batch 1, L = 4, float32: times a step and ratios to PyTorch (above 1: ours is faster)",
        rows,
        "medians over rounds in which all three ran in turn; ratios are medians of paired ratios",
    )


if __name__ == "__main__":
    main()

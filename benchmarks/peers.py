"""What the peers of several benchmarks share: the same network by hand in PyTorch and with Optax."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
import optax
import torch

Widths = Sequence[int]


def scales(widths: Widths) -> list[int]:
    """The mean-field rate of each layer over that of the gradient of the empirical loss."""
    return [widths[0], *(a * b for a, b in pairwise(widths)), widths[-1]]


def torch_autograd(start, widths: Widths, x, y, eps: float) -> tuple[float, list[torch.Tensor]]:
    """torch.optim.SGD with the mean-field rate of each layer: seconds, and the weights."""
    weights = [torch.tensor(w, requires_grad=True) for w in start]
    groups = [{"params": [w], "lr": eps * s} for w, s in zip(weights, scales(widths), strict=True)]
    optimiser = torch.optim.SGD(groups)
    began = time.perf_counter()
    for k in range(len(x)):
        value = torch.tanh(x[k] @ weights[0].T)
        for i in range(1, len(weights) - 1):
            value = torch.tanh(value @ weights[i] / widths[i - 1])
        r = value @ weights[-1] / widths[-1] - y[k]
        loss = (torch.sqrt(1 + r * r) - 1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.perf_counter() - began, [w.detach() for w in weights]


def jax_optax(widths: Widths, eps: float):
    """A user's `lax.scan` of `jax.grad` and `optax.sgd`, compiled: `(weights, x, y) -> weights`."""
    rates = {str(i): optax.sgd(eps * s) for i, s in enumerate(scales(widths))}
    optimiser = optax.multi_transform(rates, [str(i) for i in range(len(rates))])

    def risk(weights, x, y):
        value = jnp.tanh(x @ weights[0].T)
        for i in range(1, len(weights) - 1):
            value = jnp.tanh(value @ weights[i] / widths[i - 1])
        r = value @ weights[-1] / widths[-1] - y
        return jnp.mean(jnp.sqrt(1 + r * r) - 1)

    def step(carry, sample):
        weights, state = carry
        updates, state = optimiser.update(jax.grad(risk)(weights, *sample), state)
        return (optax.apply_updates(weights, updates), state), None

    @jax.jit
    def run(weights, x, y):
        weights = list(weights)
        return jax.lax.scan(step, (weights, optimiser.init(weights)), (x, y))[0][0]

    return run

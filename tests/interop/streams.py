"""Streams of samples, schedules and networks that the tests of the bridges share."""

import jax.numpy as jnp
import numpy as np
from numpy_reference import random_case

import neuronal as nr

WIDTHS = {2: (7,), 3: (5, 8), 5: (4, 6, 3, 5)}
NAMES = {
    2: ("softsign", "identity"),
    3: ("erf", "sigmoid", "identity"),
    5: ("tanh", "sin", "softsign", "tanh", "sin"),
}
STEPS, EPS, OUTPUTS = 100, 0.05, 2


def network(depth, dtype, measures=None):
    weights, given = random_case(depth, WIDTHS[depth], d=3, k=OUTPUTS)
    weights = [w.astype(dtype) for w in weights]
    return nr.Network(weights, NAMES[depth], given if measures == "weighted" else None)


def schedules(depth, kind):
    """None; other constants a layer; or different functions of time, the first 0 at t = 0."""
    return {
        "one": None,
        "constant": [nr.schedules.constant(0.5 + 0.25 * i) for i in range(depth)],
        "in time": [
            nr.schedules.warmup(1.0),
            *[lambda t, i=i: 1 + 0.5 * jnp.cos(3 * i * t) for i in range(1, depth)],
        ],
    }[kind]


def stream(batch, dtype):
    """Inputs (x, 1) and targets."""
    rng = np.random.default_rng(batch)
    x = np.concatenate([rng.normal(size=(STEPS, batch, 2)), np.ones((STEPS, batch, 1))], axis=2)
    y = np.stack([np.sin(2 * x[..., 0]), x[..., 1] ** 2], axis=2)
    return x.astype(dtype), y.astype(dtype)


def trained(start, xi, x, y, decay=None):
    """By `nr.train`, squared loss."""
    law = nr.distributions.Empirical(x[0], y[0])
    problem = nr.Problem(law, nr.losses.Squared(), xi, decay)
    return nr.train(problem, start, EPS, STEPS * EPS, key=0, data=(x, y), save_at=1).network


def far(ours, theirs):
    """The largest error relative to the largest number of its layer."""
    pairs = zip(ours.weights, theirs.weights, strict=True)
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)

"""Things to be saved, made anew in any process from their names."""

import jax.numpy as jnp
import numpy as np

import neuronal as nr

A, D, L = nr.activations, nr.distributions, nr.losses


def target(x):
    return jnp.sin(3 * x[:, 0])


class Cubic(nr.losses.Squared):
    """A loss of one's own."""


OWN = [target]
LAW = D.Regression(target, D.Biased(D.Uniform()), noise=0.1)
FINITE = D.Empirical(np.linspace(-1, 1, 6)[:, None], np.sin(np.arange(6.0)))
PROBLEM = nr.Problem(LAW, L.Squared(), decay=0.1)
TABLE = nr.Problem(FINITE, L.PseudoHuber(0.7), nr.schedules.cosine(3.0), decay=[0.0, 0.1, 0.2])


def embedding(d=2, **more):
    return nr.embeddings.Bidirectional(d, 3, rank=3, gain=1.0, **more)


def _couple():
    return nr.couple(
        PROBLEM, embedding(), [4, 8], 0.1, 1.0, 0, seeds=2, nodes=16, save_at=2, data_nodes=8
    )


THINGS = {
    "network": lambda: embedding().sample(8, 0),
    "factored network": lambda: embedding(activation="erf").sample(16, 0, kernel="factored"),
    "nodes": lambda: embedding().quadrature(8),
    "dense": lambda: nr.solve(PROBLEM, embedding(), 1.0, nodes=16, data_nodes=8, save_at=3),
    "factored": lambda: nr.solve(
        TABLE, embedding(1), 1.0, nodes=32, kernel="factored", solver="rkc", save_at=3
    ),
    "sgd": lambda: nr.train(
        PROBLEM, embedding().sample(8, 0), 0.1, 1.0, 0, save_at=3, data_nodes=8
    ),
    "coupling": _couple,
    "fluctuations": lambda: nr.fluctuations(
        TABLE, embedding(1), 1.0, nodes=16, directions=4, save_at=2
    ),
    "certificate": lambda: nr.certify(TABLE, embedding(1), nodes=8),
    "problem": lambda: nr.Problem(
        D.GaussianMixture([[1.0], [-1.0]], bias=True), L.CrossEntropy(), nr.schedules.warmup(2.0)
    ),
}
RUNS = ("dense", "factored", "sgd")
EMPTY = (np.zeros((0, 3)), np.inf, -np.inf)

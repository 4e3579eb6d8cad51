"""Networks to resample and to grow, and the 1-D problem that gives trained ones."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from numpy_reference import random_case

import neuronal as nr
from neuronal.kernels import factored

X = np.random.default_rng(0).normal(size=(6, 2))


def a_network(widths, seed=0, k=1, last="identity"):
    weights, measures = random_case(seed, widths, k=k)
    activations = ["tanh", "sin", "erf", "tanh"][: len(widths)]
    return nr.Network(weights, [*activations, last], measures)


def a_factored_network(seed=0, width=60, rank=3):
    rng = np.random.default_rng(seed)
    kernels = [factored(rng.normal(size=(width, rank)), rng.normal(size=(width, rank)))] * 2
    weights = [rng.normal(size=(width, 2)), *kernels, rng.normal(size=(width, 1))]
    return nr.Network(weights, "tanh", [rng.dirichlet(np.full(width, 3.0)) for _ in range(3)])


def dense(network):
    return nr.Network(network.matrices, network.activations, network.measures)


def problem_1d():
    """Regression of sin 4x + x cos(9x)/2, inputs (x, 1)."""
    laws = nr.distributions
    target = lambda x: jnp.sin(4 * x[:, 0]) + x[:, 0] * jnp.cos(9 * x[:, 0]) / 2
    law = laws.Regression(target, laws.Biased(laws.Uniform(-1.0, 1.0)))
    return nr.Problem(law, nr.losses.PseudoHuber(1.0))


@functools.cache
def limit(depth, until=10.0, nodes=256):
    problem = problem_1d()
    embedding = nr.embeddings.Bidirectional(
        2, depth, rank=4, input_scale=2.0, spread=0.5, inputs=problem.quadrature(64)[0]
    )
    return nr.solve(
        problem, embedding, until, nodes=nodes, save_at=1, rtol=1e-3, atol=1e-5, data_nodes=32
    ).network


@functools.cache
def trained():
    problem = problem_1d()
    embedding = nr.embeddings.Bidirectional(
        2, 3, rank=4, input_scale=2.0, spread=0.5, inputs=problem.quadrature(64)[0]
    )
    network = embedding.sample(512, jax.random.key(0))
    return nr.train(problem, network, 0.2, 20.0, key=1, batch_size=8, save_at=1).network


def parents(network, wide):
    """The old neuron of each new one of layer 1: their incoming weights are the same."""
    match = (np.asarray(wide.weights[0])[:, None] == np.asarray(network.weights[0])).all(axis=2)
    assert (match.sum(axis=1) == 1).all()
    return match.argmax(axis=1)

"""What prints at a prompt fits on a screen, and holds no arrays."""

import dataclasses
import re
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuronal as nr
from neuronal import datasets
from neuronal.kernels import factored
from neuronal.theory.certificate.document import Certificate
from neuronal.theory.certificate.rows import Row

D, E, L, S = nr.distributions, nr.embeddings, nr.losses, nr.schedules
LINES, SIGNS = 10, 800


def fits(thing, lines=LINES):
    text = repr(thing)
    assert len(text.splitlines()) <= lines and len(text) <= min(SIGNS, 100 * lines), text
    assert not re.search(r"array\(|\[\[|Array\(", text), text
    return text


def network(widths, dim, outputs, activations="tanh", rank=None):
    sizes = [dim, *widths, outputs]
    weights = [jnp.ones((widths[0], dim))]
    for n, n_out in pairwise(sizes[1:]):
        middle = rank and len(weights) < len(widths)
        one = factored(jnp.ones((n, rank)), jnp.ones((n_out, rank))) if middle else None
        weights.append(jnp.ones((n, n_out)) if one is None else one)
    return nr.Network(weights, activations)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from([None, 2]),
)
def test_a_network_is_a_line_or_two(widths, dim, outputs, rank):
    text = fits(network(widths, dim, outputs, rank=rank), lines=2)
    assert text.startswith(f"Network({dim} -> ") and f"-> {outputs}, " in text
    assert "float32" in text and "tanh" in text
    assert ("factored" if rank and len(widths) > 1 else "dense") in text


def test_a_network_of_any_leaves_prints():
    net = network([4, 4], 2, 1)
    fits(eqx.filter(net, lambda leaf: False))
    fits(jax.tree.map(lambda leaf: None, net))
    fits(eqx.filter_eval_shape(lambda: net))
    jax.jit(lambda n: fits(n) and n(jnp.ones((1, 2))))(net)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.integers(1, 9), st.lists(st.floats(0.1, 9), min_size=60, max_size=60))
def test_embeddings_and_problems(depth, dim, numbers):
    fits(E.IID(dim, depth, 2, mean=numbers[:depth], std=numbers[:depth]))
    if depth > 2:
        fits(E.Bidirectional(dim, depth, gain=numbers[: depth - 2]))
    law = D.Empirical(np.ones((70, dim)), np.ones((70, 2)), np.ones(70))
    kinds = [S.constant, S.cosine, S.warmup, S.exponential]
    schedules = [kinds[i % 4](v) for i, v in enumerate(numbers[:depth])]
    fits(nr.Problem(law, L.Squared(), schedules, decay=numbers[:depth]))
    fits(nr.Problem(law, L.PseudoHuber(0.5), lambda t: 1.0))
    fits(nr.Problem(law, L.Squared()).quadrature(8))


X = np.random.default_rng(0).normal(size=(30, 2))
PROBLEM = nr.Problem(D.Empirical(X, X[:, 0]), L.Squared())
NETWORK = network([4, 4], 2, 1)
THINGS = {
    "a law": lambda: D.Regression(lambda x: x[:, 0], D.Uniform(dim=2)),
    "a mixture": lambda: D.GaussianMixture(np.ones((40, 9))),
    "a law of X": lambda: D.Biased(D.Sphere(3)),
    "an own embedding": lambda: E.Embedding([1], [lambda c: c, lambda c: c]),
    "a split": datasets.wine,
    "a schedule of arrays": lambda: S.cosine(jnp.asarray(3.0), jnp.asarray(0.5)),
    "a solved run": lambda: nr.solve(PROBLEM, NETWORK, 0.2, save_at=1),
    "its report": lambda: nr.solve(PROBLEM, NETWORK, 0.2, save_at=1).report,
    "a trained run": lambda: nr.train(PROBLEM, NETWORK, 0.1, 0.2, 0, save_at=1),
    "a certificate": lambda: Certificate(
        "mine", tuple(Row(f"1.1 phi_{i} bounded", "", "proved", 1.0) for i in range(50))
    ),
    "its row": lambda: Row("1.1 X bounded", "", "proved", detail={"times": [0.1] * 500}),
    "an activation": lambda: nr.activations.tanh,
    "an own activation": lambda: dataclasses.replace(nr.activations.tanh, name="mine"),
}


@pytest.mark.parametrize("name", THINGS)
def test_things(name):
    fits(THINGS[name]())

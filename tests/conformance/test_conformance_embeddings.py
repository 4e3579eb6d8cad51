"""What every embedding keeps: each public class has an instance here."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.bounds.finding import PROVED, STATUSES, UNKNOWN

E = nr.embeddings
ALL = {
    "two layers": E.Bidirectional(3, 2, 2),
    "bidirectional": E.Bidirectional(2, 4, 1, rank=3, gain=1.0),
    "independent": E.IID(2, 2, 2, std=0.5),
    "deep independent": E.IID(2, 4, mean=0.3),
    "own": E.Embedding([2, 3], [lambda c: c, lambda c, d: jnp.tanh(c[0]) * d[1], lambda c: c[:2]]),
}
KEY = jax.random.key(4)


def test_every_class_has_an_instance():
    public = {getattr(E, name) for name in E.__all__} - {E.AbstractEmbedding}
    assert public == {type(embedding) for embedding in ALL.values()}


def sizes_of(embedding, hidden):
    return [embedding.input_dim, *hidden, embedding.output_dim]


def check(embedding, network, hidden):
    """Shapes of the weights, and measures of sum 1."""
    first, *later = (w.shape for w in network.matrices)
    sizes = sizes_of(embedding, hidden)
    assert first == (sizes[1], sizes[0])
    assert later == list(pairwise(sizes[1:]))
    assert network.activations == embedding.activations
    for measure, n in zip(network.measures, hidden, strict=False):
        assert measure.shape == (n,) and float(jnp.sum(measure)) == pytest.approx(1, rel=1e-5)
        assert float(jnp.min(measure)) >= 0


@pytest.mark.parametrize("name", ALL)
def test_samples_have_the_widths_asked_for(name):
    embedding = ALL[name]
    hidden = list(range(3, 2 + embedding.depth))
    check(embedding, embedding.sample(hidden, KEY), hidden)


@pytest.mark.parametrize("name", ALL)
def test_quadrature_has_nodes_and_measures(name):
    embedding = ALL[name]
    network = embedding.quadrature(8)
    hidden = [len(measure) for measure in network.measures[: embedding.depth - 1]]
    check(embedding, network, hidden)
    again = embedding.quadrature(8)
    for one, two in zip(network.matrices, again.matrices, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", ALL)
def test_the_first_neurons_of_a_wider_network_are_the_same(name):
    embedding = ALL[name]
    for layer in range(1, embedding.depth):
        few, many = (embedding.latents(layer, n, KEY) for n in (4, 9))
        for one, two in zip(jax.tree.leaves(few), jax.tree.leaves(many), strict=True):
            np.testing.assert_array_equal(one, two[:4])
    small, large = embedding.sample(4, KEY), embedding.sample(9, KEY)
    rows = sizes_of(embedding, [4] * (embedding.depth - 1))
    for i, (one, two) in enumerate(zip(small.matrices, large.matrices, strict=True)):
        part = two[:4] if i == 0 else two[: rows[i], : rows[i + 1]]
        np.testing.assert_allclose(one, part, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_factors_are_the_weights_where_there_are_some(name):
    embedding = ALL[name]
    if not embedding.factored:
        with pytest.raises(nr.InvalidInput, match="kernel"):
            embedding.sample(4, KEY, "factored")
        return
    dense, factored = embedding.sample(6, KEY), embedding.sample(6, KEY, "factored")
    for one, two in zip(dense.matrices, factored.matrices, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_moments_are_told_per_layer_and_not_exceeded(name):
    embedding = ALL[name]
    found = embedding.moments()
    assert len(found) == embedding.depth
    network = embedding.sample(300, jax.random.key(9))
    for i, (w, answer) in enumerate(zip(network.matrices, found, strict=True)):
        w = np.asarray(w, float)
        ends = i in (0, embedding.depth - 1)
        size = np.linalg.norm(w, axis=1) if ends else np.abs(w).ravel()
        seen = max(np.mean(size**m) ** (1 / m) / np.sqrt(m) for m in range(1, 5))
        assert answer.status in STATUSES and 0.9 * seen <= answer.figure


@pytest.mark.parametrize("name", ALL)
def test_diversity_is_answered_and_a_subclass_inherits_no_proof(name):
    embedding = ALL[name]
    assert embedding.diversity().status in STATUSES and embedding.diversity().how
    kind = type(embedding)
    changed = type("Changed", (kind,), {"initial_weights": kind.initial_weights})
    other = object.__new__(changed)
    for field, value in vars(embedding).items():
        object.__setattr__(other, field, value)
    assert other.diversity().status == UNKNOWN
    assert PROVED not in {answer.status for answer in other.moments()}

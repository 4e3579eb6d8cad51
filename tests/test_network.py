"""Networks: what they take, what they compute, their dtype."""

import equinox as eqx
import jax
import numpy as np
import pytest
from numpy_reference import Reference, random_case

import neuronal as nr

X = np.random.default_rng(0).normal(size=(4, 2))


def test_shapes_depths_and_widths():
    weights, measures = random_case(0, (3, 5, 4), d=2, k=2)
    network = nr.Network(weights, "erf", measures)
    assert (network.depth, network.widths) == (4, (3, 5, 4))
    assert (network.input_dim, network.output_dim) == (2, 2)
    assert network(X).shape == (4, 2)
    assert [h.shape for h in network.preactivations(X)] == [(4, 3), (4, 5), (4, 4), (4, 2)]
    found = network.sensitivities(X, np.ones((4, 2)), nr.losses.Squared())
    assert [d.shape for d in found] == [(4, 3), (4, 5), (4, 4), (4, 2)]


@pytest.mark.parametrize("wide", [False, True])
def test_outputs_are_the_reference_s_in_either_precision(wide):
    weights, measures = random_case(1, (3, 5), d=2)
    with jax.enable_x64(wide):
        network = nr.Network(weights, ["sin", "softsign", "tanh"], measures)
        ours = network(X)
        delta = network.sensitivities(X, X[:, 0], nr.losses.LogCosh())
    reference = Reference(measures, ("sin", "softsign", "tanh"), "log_cosh")
    assert ours.dtype == delta[0].dtype == np.dtype("f8" if wide else "f4")
    near = 1e-13 if wide else 1e-6
    np.testing.assert_allclose(ours, reference.predict(weights, X), atol=near)
    for s in range(4):
        expected = reference.sensitivities(weights, X[s], X[s, :1])
        for a, b in zip(delta, expected, strict=True):
            np.testing.assert_allclose(a[s], b, atol=near)


def test_one_activation_is_that_of_the_hidden_layers():
    weights, _ = random_case(2, (3, 4), d=2)
    for given in (nr.activations.sin, "sin"):
        assert [a.name for a in nr.Network(weights, given).activations] == [
            "sin",
            "sin",
            "identity",
        ]
    assert [a.name for a in nr.Network(weights).activations] == ["tanh", "tanh", "identity"]


def test_measures_left_out_are_uniform():
    weights, _ = random_case(3, (3, 5), d=2)
    even = nr.Network(weights, measures=[np.full(3, 1 / 3), np.full(5, 0.2)])
    np.testing.assert_allclose(nr.Network(weights)(X), even(X), rtol=1e-6)
    uneven = nr.Network(weights, measures=[[0.5, 0.25, 0.25], np.full(5, 0.2)])
    assert np.abs(uneven(X) - even(X)).max() > 1e-3


def test_lists_integers_and_numpy_arrays_are_taken():
    lists = nr.Network([[[1, 0], [0, 1]], [[2], [4]]], "identity")
    np.testing.assert_allclose(lists(X)[:, 0], X[:, 0] + 2 * X[:, 1], rtol=1e-6)
    np.testing.assert_allclose(lists([[1, 1]]), [[3]])


def test_with_weights_keeps_the_neurons():
    weights, measures = random_case(4, (3, 5), d=2)
    network = nr.Network(weights, "sin", measures)
    doubled = network.with_weights((*network.weights[:-1], 2 * network.weights[-1]))
    np.testing.assert_allclose(doubled(X), 2 * network(X), rtol=1e-6)
    assert doubled.activations == network.activations
    np.testing.assert_array_equal(doubled.measures[0], network.measures[0])


def test_reordering_neurons_changes_nothing():
    weights, measures = random_case(5, (4, 5), d=2)
    order = [np.random.default_rng(0).permutation(n) for n in (4, 5)]
    moved = nr.Network(
        [weights[0][order[0]], weights[1][order[0]][:, order[1]], weights[2][order[1]]],
        measures=[p[o] for p, o in zip(measures, order, strict=True)],
    )
    np.testing.assert_allclose(moved(X), nr.Network(weights, measures=measures)(X), atol=1e-6)


def test_weights_of_two_precisions_make_one_network():
    weights, measures = random_case(6, (4, 5), d=2)
    with jax.enable_x64(True):
        mixed = nr.Network([weights[0].astype("f4"), *weights[1:]], "tanh", measures)
        problem = nr.Problem(nr.distributions.Empirical(X, X[:, 0]), nr.losses.Squared())
        run = nr.train(problem, mixed, 0.1, 0.5, key=0, save_at=1)
        assert len({w.dtype for w in run.network.weights}) == 1
        assert np.isfinite(run.loss).all()


@pytest.mark.slow
def test_networks_are_made_inside_transformed_functions():
    """An ensemble under vmap, a network under jit, a gradient through its making, are the plain ones."""
    embedding = nr.embeddings.Bidirectional(2, 3, rank=4)
    keys, x = jax.random.split(jax.random.key(0), 3), np.ones((5, 2), np.float32)
    ensemble = eqx.filter_vmap(lambda key: embedding.sample(8, key))(keys)
    predictions = eqx.filter_vmap(lambda network: network(x))(ensemble)
    compiled = eqx.filter_jit(lambda key: embedding.sample(8, key))
    for key, prediction in zip(keys, predictions, strict=True):
        np.testing.assert_allclose(prediction, embedding.sample(8, key)(x), atol=1e-6)
        np.testing.assert_allclose(compiled(key)(x), prediction, atol=1e-6)
    for other in (
        lambda key: embedding.sample(8, key, kernel="factored"),
        lambda key: nr.embeddings.IID(2, 3).sample(8, key),
        lambda key: embedding.quadrature(8, "monte-carlo", key),
    ):
        assert eqx.filter_vmap(other)(keys).weights[0].shape == (3, 8, 2)


def test_weights_and_measures_of_a_network_may_be_unknown_yet():
    w = [np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)]
    p, x = np.full(4, 0.25, np.float32), np.ones((3, 2), np.float32)

    def predict(w, p):
        return nr.Network(w, measures=[p])(x).sum()

    slope = jax.jit(jax.grad(predict, argnums=(0, 1)))(w, p)
    assert slope[0][1].shape == (4, 1) and np.isfinite(slope[1]).all()
    sensitivities = jax.jit(lambda w, y: nr.Network(w).sensitivities(x, y, nr.losses.Squared()))
    plain = nr.Network(w).sensitivities(x, np.zeros(3), nr.losses.Squared())
    np.testing.assert_allclose(sensitivities(w, np.zeros(3))[0], plain[0], atol=1e-6)

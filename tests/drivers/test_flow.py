"""Equations (3) and (4): a limit's own neuron returns its weights; backward then forward is one."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.drivers.flow import fields

LAWS = nr.distributions
DEPTHS = [
    pytest.param(depth, marks=pytest.mark.long if depth == 4 else pytest.mark.slow)
    for depth in (2, 3, 4, 5)
]
UNTIL = 4.0

pytestmark = pytest.mark.usefixtures("float64")


@functools.cache
def limit(depth):
    """Solved, with unequal node counts and schedules that change in time."""
    law = LAWS.Regression(lambda x: jnp.sin(3 * x[:, 0]), LAWS.Biased(LAWS.Uniform()))
    schedules = [nr.schedules.cosine(16.0, 1.0 + 0.1 * i, 0.5) for i in range(depth)]
    problem = nr.Problem(law, nr.losses.PseudoHuber(1.0), schedules)
    embedding = nr.embeddings.Bidirectional(2, depth, rank=3, input_scale=2.0)
    start = embedding.quadrature([16 + 8 * i for i in range(depth - 1)])
    return nr.solve(problem, start, UNTIL, data_nodes=8, rtol=1e-9, atol=1e-11, save_at=8)


@functools.cache
def seen(depth, layer):
    """The fields of a layer, recorded once."""
    return fields(limit(depth), layer, rtol=1e-9)


def own_neurons(network, layer):
    """(incoming, outgoing) of every neuron of a layer, neurons first."""
    incoming = network.weights[0] if layer == 1 else network.weights[layer - 1].T
    return incoming, network.weights[layer]


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_neuron_of_the_limit_flows_to_its_own_weights(depth):
    for layer in range(1, depth):
        start = own_neurons(limit(depth).at(0.0), layer)
        end = nr.flow(seen(depth, layer), layer, start, rtol=1e-9, atol=1e-11)
        for reached, weight in zip(end, own_neurons(limit(depth).network, layer), strict=True):
            assert np.max(np.abs(reached - weight)) < 2e-8
        moved = max(float(jnp.max(jnp.abs(a - b))) for a, b in zip(start, end, strict=True))
        assert moved > 1e-3


@pytest.mark.parametrize("depth", DEPTHS)
def test_forward_after_backward_returns_targets_far_from_any_neuron(depth):
    rng = np.random.default_rng(depth)
    for layer in range(1, depth):
        own = own_neurons(limit(depth).network, layer)
        target = tuple(10 * rng.normal(size=part.shape) for part in own)
        given = seen(depth, layer)
        origin = nr.reverse_flow(given, layer, target, rtol=1e-9, atol=1e-11)
        back = nr.flow(given, layer, origin, rtol=1e-9, atol=1e-11)
        for a, b, c in zip(back, target, origin, strict=True):
            assert np.linalg.norm(a - b) < 1e-6 * np.linalg.norm(b)
            assert np.linalg.norm(c - b) > 1e-4 * np.linalg.norm(b)  # the flow did move it


@pytest.mark.slow
def test_flow_over_two_stretches_is_the_flow_over_both():
    given = seen(3, 2)
    neuron = own_neurons(limit(3).at(0.0), 2)
    whole = nr.flow(given, 2, neuron, save_at=np.array([0.0, 1.5, UNTIL]), rtol=1e-10, atol=1e-12)
    half = nr.flow(given, 2, neuron, until=1.5, rtol=1e-10, atol=1e-12)
    rest = nr.flow(given, 2, half, since=1.5, until=UNTIL, rtol=1e-10, atol=1e-12)
    for path, start, middle, end in zip(whole, neuron, half, rest, strict=True):
        np.testing.assert_allclose(path[0], start, atol=1e-12)
        np.testing.assert_allclose(path[1], middle, atol=1e-8)
        np.testing.assert_allclose(path[2], end, atol=1e-8)


@pytest.mark.slow
def test_one_neuron_and_many_agree():
    incoming, outgoing = own_neurons(limit(5).at(0.0), 2)
    many = nr.flow(seen(5, 2), 2, (incoming, outgoing), rtol=1e-9, atol=1e-11)
    one = nr.flow(seen(5, 2), 2, (incoming[5], outgoing[5]), rtol=1e-9, atol=1e-11)
    for a, b in zip(many, one, strict=True):
        assert b.ndim == 1
        np.testing.assert_allclose(a[5], b, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "shapes", "times", "names"),
    [
        (0, (2, 16), {}, "layer"),
        (3, (16, 1), {}, "layer"),
        (1, (3, 24), {}, "neuron"),
        (1, (2, 16), {}, "neuron"),
        (1, (2, 24), {"until": UNTIL + 1}, "until"),
    ],
)
def test_what_does_not_fit_is_named(layer, shapes, times, names):
    neuron = tuple(np.zeros(n) for n in shapes)
    with pytest.raises(nr.InvalidInput, match=names):
        nr.flow(limit(3), layer, neuron, **times)


@pytest.mark.slow
def test_sgd_has_no_fields():
    law = LAWS.Empirical(np.zeros((4, 2)), np.zeros(4))
    network = nr.embeddings.IID(2, 3).sample(4, 0)
    run = nr.train(nr.Problem(law, nr.losses.Squared()), network, 0.1, 0.3, key=0)
    with pytest.raises(nr.InvalidInput, match="trajectory"):
        nr.flow(run, 1, (np.zeros(2), np.zeros(4)))

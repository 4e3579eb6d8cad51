"""Default nodes that are too few are told, with an error that is near the true one."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.drivers.ode.enough import error_of_nodes, network_half


def target(x):
    return jnp.sin(4 * x[:, 0])


def problem(law=None):
    inputs = nr.distributions.Biased(nr.distributions.Uniform(-1, 1))
    return nr.Problem(law or nr.distributions.Regression(target, inputs), nr.losses.PseudoHuber())


def embedding(depth):
    x = problem().quadrature(32)[0]
    return nr.embeddings.Bidirectional(2, depth, rank=8, input_scale=2.0, inputs=x)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 4])
def test_the_error_told_is_near_the_scatter_of_other_randomisations(depth):
    given = {"nodes": 64, "rtol": 1e-3, "data_nodes": 32, "save_at": 1}
    law = problem().quadrature(32)
    networks = [
        nr.solve(problem(), embedding(depth), 10.0, key=k, **given).network for k in range(6)
    ]
    outputs = np.stack([np.asarray(network(law.x)) for network in networks])
    mean = outputs.mean(axis=0)
    scatter = np.sqrt(np.sum((outputs - mean) ** 2) / 5 / np.sum(mean**2))
    told = np.sqrt(np.mean([error_of_nodes(network, law) ** 2 for network in networks]))
    assert 1 / 4 < told / scatter < 4


def test_halves_hold_every_node_once():
    network = embedding(3).quadrature((9, 6))
    halves = [network_half(network, side) for side in (0, 1)]
    for p, a, b in zip(network.measures, *(h.measures for h in halves), strict=True):
        np.testing.assert_allclose(a.sum(), 1, rtol=1e-6)
        np.testing.assert_array_equal((np.asarray(a) > 0) ^ (np.asarray(b) > 0), p > 0)
    single = nr.embeddings.IID(2, 4, mean=1.0).quadrature(8)  # one node between
    assert np.isfinite(error_of_nodes(single, problem().quadrature(8)))


def test_few_nodes_of_the_data_are_told_by_the_risk_on_more():
    inputs = nr.distributions.Gaussian(25)
    law = nr.distributions.Regression(lambda x: jnp.sin(x[:, 0]) + x[:, 1] * x[:, 2], inputs)
    wide = nr.Problem(law, nr.losses.Squared())
    start = nr.embeddings.Bidirectional(25, 2)
    given = {"nodes": 64, "rtol": 1e-2, "save_at": 1}
    with pytest.warns(nr.InaccuracyWarning, match="data_nodes: the risk at the end is"):
        run = nr.solve(wide, start, 10.0, **given)
    assert len(run.law.x) == 256
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nr.solve(wide, start, 0.1, data_nodes=256, **given)


@pytest.mark.slow
def test_what_is_asked_for_and_what_is_enough_is_not_told():
    x, y, _ = problem().quadrature(16)
    finite = problem(nr.distributions.Empirical(x, y))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nr.solve(finite, embedding(2), 2.0, rtol=1e-3, save_at=1)
        nr.solve(finite, embedding(4), 2.0, nodes=16, rtol=1e-3, save_at=1)
        nr.solve(finite, embedding(2).sample(8, 0), 2.0, rtol=1e-3, save_at=1)


@pytest.mark.slow
def test_default_nodes_are_told_where_layers_are_many(monkeypatch):
    monkeypatch.setattr("neuronal.drivers.ode.solve.NODES", 64)
    x, y, _ = problem().quadrature(16)
    finite = problem(nr.distributions.Empirical(x, y))
    with pytest.warns(nr.InaccuracyWarning, match="nodes: 64 per layer leave an error of"):
        nr.solve(finite, embedding(6), 10.0, rtol=1e-3, save_at=1)

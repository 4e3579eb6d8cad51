"""A limit to an accuracy: the error told is the error, and what cannot be given is said."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.drivers.ode import accuracy as refine
from neuronal.drivers.ode import integrate
from neuronal.drivers.ode.solve import ODESettings, prepare


@functools.cache  # one object, so that its compiled code is found again
def problem():
    inputs = nr.distributions.Biased(nr.distributions.Uniform(-1, 1))
    return nr.Problem(
        nr.distributions.Regression(lambda x: jnp.sin(3 * x[:, 0]), inputs), nr.losses.PseudoHuber()
    )


@functools.cache
def embedding(depth):
    x = problem().quadrature(16)[0]
    return nr.embeddings.Bidirectional(2, depth, rank=2, input_scale=2.0, spread=0.5, inputs=x)


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "rule"), [(2, "sobol"), (2, "antithetic"), (3, "lattice")])
def test_the_error_told_is_the_error(depth, rule):
    """Against eight times the nodes, another randomisation and a finer tolerance."""
    accuracy = 1e-2
    run = nr.solve(
        problem(), embedding(depth), 3.0, nodes=32, rule=rule, accuracy=accuracy, save_at=2,
        data_nodes=12, key=1,
    )  # fmt: skip
    reference = nr.solve(
        problem(), embedding(depth), 3.0, nodes=8 * run.network.widths[0], save_at=2,
        data_nodes=12, key=2, rtol=1e-5, atol=1e-7,
    )  # fmt: skip
    x, _, p = problem().quadrature(12)
    gap = run.predict(x) - reference.predict(x)
    error = float(jnp.sqrt(jnp.max(jnp.sum(gap**2, axis=2) @ p)))
    assert error < accuracy
    assert 1 / 3 < run.report.error / error < 3
    assert run.report.error_in_time < accuracy / 3
    assert f"error of the prediction {run.report.error:.1e}" in str(run.report)


@pytest.mark.slow
def test_out_of_reach_is_a_warning(monkeypatch):
    monkeypatch.setattr(refine, "MOST_NODES", 64)
    with pytest.warns(refine.InaccuracyWarning, match="reached with 64 nodes a layer, not 0.001"):
        run = nr.solve(
            problem(), embedding(3), 1.0, nodes=32, accuracy=1e-3, save_at=1, data_nodes=8
        )
    assert run.report.error > 1e-3


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"accuracy": 0.0}, "accuracy: takes a positive"),
        ({"accuracy": 1e-2, "rule": "gauss-hermite"}, "accuracy: takes a randomised rule"),
        ({"accuracy": 1e-2, "step": 0.1}, "accuracy: takes adaptive"),
        ({"accuracy": 1e-2, "nodes": [8, 8]}, "nodes: with an accuracy takes one integer"),
        ({"accuracy": 1e-9, "nodes": 16}, "accuracy: 1e-09 is finer than float32"),
    ],
)
def test_bad_input(how, says):
    how = {"nodes": 16, **how}
    with pytest.raises(nr.InvalidInput, match=says):
        nr.solve(problem(), embedding(3), 1.0, data_nodes=8, save_at=1, **how)


def test_a_network_has_no_nodes_to_choose():
    network = embedding(3).sample(8, jax.random.key(0))
    with pytest.raises(nr.InvalidInput, match="accuracy: a network has no nodes"):
        nr.solve(problem(), network, 1.0, accuracy=1e-2)


def test_records_are_watched_beside_the_caller():
    seen = []
    run = nr.solve(
        problem(), embedding(2), 1.0, nodes=512, accuracy=0.3, save_at=2, data_nodes=8,
        progress=lambda t, loss, network: seen.append((t, loss)),
    )  # fmt: skip
    assert seen[-1][0] == 1.0
    assert len(seen) >= 3 * refine.RANDOMISATIONS
    np.testing.assert_allclose(run.loss[-1], min(loss for _, loss in seen), rtol=0.2)


@pytest.mark.slow
def test_more_nodes_begin_with_the_sizes_that_fewer_had_grown_to(monkeypatch):
    """Then one program integrates, where else one is given up on the way; predictions are equal."""
    calls = []
    once = integrate._integrate
    monkeypatch.setattr(integrate, "_integrate", lambda *a: calls.append(1) or once(*a))
    settings = ODESettings(1e-5, 1e-7, "factored", "tsit5", None, 32)
    x = problem().quadrature(32)[0]

    def run(nodes, sizes=None):
        calls.clear()
        start = problem(), embedding(3), (nodes, "sobol", 0)
        ready = prepare(*start, settings, (1, 0.0, 1.0), sizes)
        trajectory, predictions = refine.predicted(ready, x, False)
        return trajectory, predictions[-1], len(calls)

    few, _, tried = run(64)
    assert tried > 1
    _, begun_anew, tried = run(96)
    assert tried > 1
    sizes = refine.sizes_of(few)
    known, begun_alike, tried = run(96, sizes)
    assert tried == 1
    assert (
        refine.sizes_of(known) == sizes == known.recipe.sizes
    )  # so that a saved run repeats itself
    np.testing.assert_allclose(begun_alike, begun_anew, atol=1e-5)
    dense = nr.solve(problem(), embedding(3), 0.1, nodes=8, data_nodes=8, kernel="dense", save_at=1)
    assert run(96, refine.sizes_of(dense))[2] > 1  # tells nothing of factors

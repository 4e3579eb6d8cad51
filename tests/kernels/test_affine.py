"""Biases of layers between hidden neurons, against plain sums and automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_reference import random_case

import neuronal as nr
from neuronal import kernels
from neuronal.dynamics import layer_norms
from neuronal.theory.fluctuations.propagation import along_neurons

pytestmark = pytest.mark.usefixtures("float64")
X = np.random.default_rng(8).normal(size=(6, 2))
Y = np.sin(2 * X[:, :1]) + X[:, 1:]
SQUARED = nr.losses.Squared()


def system(depth=4, seed=0):
    """Weights, biases of layers 2..L-1, measures, and weights of the samples."""
    sizes = (4, 3, 5)[: depth - 1]
    weights, measures = random_case(seed, sizes, d=2, k=1)
    rng = np.random.default_rng(seed + 1)
    biases = [rng.normal(size=n) for n in sizes[1:]]
    return weights, biases, measures, rng.dirichlet(np.ones(len(X)))


def built(weights, biases, measures=None):
    middle = [kernels.affine(w, b) for w, b in zip(weights[1:-1], biases, strict=True)]
    return nr.Network([weights[0], *middle, weights[-1]], "tanh", measures)


def predicted(parts, measures, x):
    """By plain sums."""
    weights, biases = parts
    h = x @ weights[0].T
    shifts = [*biases, 0.0]
    for p, w, b in zip(measures, weights[1:], shifts, strict=True):
        h = (jnp.tanh(h) * p) @ w + b
    return h


def velocity(parts, measures, q, xi):
    """-xi grad of the risk over both measures; over that of the neuron alone for biases."""

    def risk(parts):
        return q @ jnp.sum((predicted(parts, measures, X) - Y) ** 2, axis=1) / 2

    of_weights, of_biases = jax.grad(risk)(jax.tree.map(jnp.asarray, parts))
    p = [None, *measures, np.ones(1)]
    weights = [-xi[0] * of_weights[0] / p[1][:, None]]
    weights += [-xi[i] * of_weights[i] / np.outer(p[i], p[i + 1]) for i in range(1, len(xi))]
    biases = [-xi[i + 1] * g / p[i + 2] for i, g in enumerate(of_biases)]
    return weights, biases


def split(weights):
    """Matrices and biases."""
    first, *middle, last = weights
    return [first, *(w.weight for w in middle), last], [w.bias for w in middle]


def close(a, b, tolerance=1e-12):
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def problem_of(q, **more):
    return nr.Problem(nr.distributions.Empirical(X, Y, q), SQUARED, **more)


@pytest.mark.parametrize("depth", [3, 4])
def test_predictions_and_velocities_are_those_of_plain_sums(depth):
    weights, biases, measures, q = system(depth)
    network = built(weights, biases, measures)
    close(network(X), predicted((weights, biases), measures, X))
    xi = [0.5 + 0.5 * i for i in range(depth)]
    problem = problem_of(q, schedules=[nr.schedules.constant(r) for r in xi])
    data = problem.quadrature(6)
    ours = problem.motion(network).velocity(jnp.zeros(()), network.weights, data)
    close(split(ours), velocity((weights, biases), measures, q, xi))


def test_a_step_of_sgd_with_decay_is_that_of_plain_jax():
    weights, biases, _, _ = system()
    network = built(weights, biases)
    even = [np.full(n, 1 / n) for n in network.widths]
    q = np.full(len(X), 1 / len(X))
    problem = problem_of(None, decay=0.3)
    run = nr.train(problem, network, 0.2, 0.2, 0, data=(X[None], Y[None]), save_at=1)
    speeds = velocity((weights, biases), even, q, np.ones(4))
    parts = jax.tree.map(lambda w, v: (1 - 0.06) * w + 0.2 * v, (weights, biases), speeds)
    close(split(run.network.weights), parts)


@pytest.mark.slow
def test_solvers_agree_and_the_error_falls_at_their_order():
    weights, biases, measures, q = system()
    network, problem = built(weights, biases, measures), problem_of(q)
    runs = [
        nr.solve(problem, network, 1.0, rtol=1e-9, atol=1e-11, solver=solver, save_at=4)
        for solver in ("tsit5", "rkc", "dopri5")
    ]
    for run in runs[1:]:
        close(split(run.network.weights), split(runs[0].network.weights), 1e-7)
    assert np.abs(runs[0].network.weights[1].bias - biases[0]).max() > 1e-2
    close(
        runs[0].at(0.6)(X), nr.solve(problem, network, 0.6, rtol=1e-9, save_at=1).network(X), 1e-6
    )
    exact = runs[0].network(X)
    errors = [
        np.abs(nr.solve(problem, network, 1.0, solver="heun", step=h, save_at=1).network(X) - exact)
        for h in (0.1, 0.05)
    ]
    assert 3.5 < errors[0].max() / errors[1].max() < 4.7


@pytest.mark.slow
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_neurons_flow_to_their_own_weights_and_biases(layer):
    weights, biases, measures, q = system()
    problem = problem_of(q)
    limit = nr.solve(
        problem, built(weights, biases, measures), 1.0, rtol=1e-10, atol=1e-12, save_at=1
    )

    def own(network):
        """Incoming weights with the bias behind, and outgoing ones."""
        w = network.weights
        incoming = w[0] if layer == 1 else w[layer - 1].rows.T
        return incoming, w[layer].weight if layer < 3 else w[layer]

    seen = nr.fields(limit, layer, rtol=1e-9)
    end = nr.flow(seen, layer, own(limit.at(0.0)), rtol=1e-9, atol=1e-11)
    close(end, own(limit.network), 2e-8)
    back = nr.reverse_flow(seen, layer, end, rtol=1e-9, atol=1e-11)
    close(back, own(limit.at(0.0)), 1e-7)


def test_norms_count_biases_as_functions_of_their_neurons():
    weights, biases, measures, _ = system(3)
    network = built(weights, biases, measures)
    p, q = measures
    expected = np.sqrt(p @ weights[1] ** 2 @ q + q @ biases[0] ** 2)
    np.testing.assert_allclose(layer_norms(network.weights, network.measures)[1], expected)


@pytest.mark.slow
def test_networks_of_biased_neurons_approach_their_limit():
    """From the i.i.d. limit with one node in the middle; n MSE keeps its size."""
    embedding = nr.embeddings.IID(2, 4, mean=[0.0, 1.0, 1.0, 1.0], biases=[0.3, -0.2])
    problem, how = problem_of(None), {"until": 1.0, "save_at": 1, "rtol": 1e-4}
    limit = nr.solve(problem, embedding, nodes=1024, **how).network
    assert limit.widths == (1024, 1, 1024)
    assert np.abs(limit.weights[1].bias - 0.3).max() > 1e-2

    def scaled_error(width):
        errors = [
            nr.solve(problem, embedding.sample(width, k), **how).network(X) - limit(X)
            for k in range(10)
        ]
        return width * np.mean(np.square(errors))

    assert 1 / 3 < scaled_error(16) / scaled_error(128) < 3


@pytest.mark.slow
def test_fluctuations_know_of_biases():
    """At small times the derivative of the prediction's fluctuation is that by finite differences."""
    weights, biases, measures, q = system(3)
    network, problem = built(weights, biases, measures), problem_of(q)
    step = 1e-3
    directions = np.random.default_rng(0).normal(size=(2, 3))
    directions -= directions.mean(axis=1, keepdims=True)
    whole = (jnp.zeros((2, 4)), jnp.asarray(directions))
    times = jnp.linspace(0, 0.5, 26)
    data = problem.quadrature(6)
    first = along_neurons(network, problem, data, times, whole).first[:, -1]

    def run(delta):
        moved = nr.Network(network.weights, "tanh", [measures[0], measures[1] + delta])
        return np.asarray(
            nr.solve(problem, moved, 0.5, rtol=1e-11, atol=1e-13, save_at=1).network(X)
        )

    for found, delta in zip(first, directions, strict=True):
        expected = (run(step * delta) - run(-step * delta)) / (2 * step)
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_neurons_keep_their_biases_where_networks_are_widened():
    weights, biases, _, _ = system()
    network = built(weights, biases)
    wide = nr.grow(network, (9, 7, 8), key=0)
    close(wide(X), network(X), 1e-10)
    assert set(np.asarray(wide.weights[1].bias)) == set(biases[0])
    twice = network.doubled()
    assert np.abs(twice(X)).max() < 1e-14
    np.testing.assert_array_equal(twice.weights[2].bias, np.tile(biases[1], 2))


@pytest.mark.slow
def test_biases_of_an_embedding_are_functions_of_its_latents():
    embedding = nr.embeddings.Embedding(
        [2, 3, 1],
        [lambda c: c, lambda c, e: c[0] * e[1], lambda e, f: e[0] + f[0], lambda f: f],
        biases=[lambda e: e[2], 0.5],
    )
    network = embedding.sample(5, 0)
    latents = embedding.latents(2, 5, 0)
    np.testing.assert_array_equal(network.weights[1].bias, latents[:, 2])
    np.testing.assert_array_equal(network.weights[2].bias, np.full(5, 0.5))
    carried = embedding.quadrature(4, carry=[embedding.latents(i, 2, 1) for i in (1, 2, 3)])
    assert carried.weights[1].bias.shape == (6,)
    big = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.0, biases=0.0)
    report = nr.solve(problem_of(None), big, 0.1, nodes=8, save_at=1).report
    assert "dense" in report.kernel and not big.factored


@pytest.mark.slow
def test_momentum_carries_biases_too():
    """A step of SGD's heavy ball, twice, by plain JAX; and the ODE to the same end as its flow."""
    weights, biases, _, _ = system()
    even = [np.full(n, 1 / n) for n in (4, 3, 5)]
    q = np.full(len(X), 1 / len(X))
    problem = problem_of(None, momentum=0.5, decay=0.2)
    stream = (np.stack([X, X]), np.stack([Y, Y]))
    run = nr.train(problem, built(weights, biases), 0.1, 0.2, 0, data=stream, save_at=1)
    parts = jax.tree.map(jnp.asarray, (weights, biases))
    moving = jax.tree.map(jnp.zeros_like, parts)
    for _ in range(2):
        force = velocity(parts, even, q, np.ones(4))
        step = lambda v, f, w: (1 - 0.05) * v + 0.1 * (f - 0.2 * w)
        moving = jax.tree.map(step, moving, force, parts)
        parts = jax.tree.map(lambda w, v: w + 0.1 * v, parts, moving)
    close(split(run.network.weights), parts)
    solved = nr.solve(problem, built(weights, biases), 0.2, rtol=1e-8, save_at=1).network
    fine = nr.train(
        problem, built(weights, biases), 1e-3, 0.2, 0,
        data=(np.broadcast_to(X, (200, *X.shape)), np.broadcast_to(Y, (200, *Y.shape))), save_at=1,
    ).network  # fmt: skip
    gap = np.abs(solved.weights[1].bias - fine.weights[1].bias).max()
    assert gap < 2e-3 < np.abs(solved.weights[1].bias - biases[0]).max()


def test_a_certificate_tells_that_the_paper_has_no_biases():
    inputs = jnp.linspace(-1, 1, 6)[:, None]
    problem = nr.Problem(nr.distributions.Empirical(inputs, jnp.sin(inputs)), nr.losses.Squared())
    rows = {
        biases: {row.condition: row for row in nr.certify(problem, embedding, nodes=8).rows}
        for biases in (None, 0.1)
        for embedding in [nr.embeddings.IID(1, 3, biases=biases)]
    }
    assert rows[0.1]["1 biases"].status == "unknown"
    assert "do not cover" in rows[0.1]["1 biases"].how
    assert "1 biases" not in rows[None]

"""Units: the first layer as a function, against formulas of its own and automatic differentiation."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_reference import random_case

import neuronal as nr
from neuronal.dynamics import velocity
from neuronal.interop.optax import mean_field
from neuronal.interop.scaling import affine_layers

U = nr.units
pytestmark = pytest.mark.usefixtures("float64")


def dirichlet(order):
    waves = lambda u: 1 + sum(2 * jnp.cos(k * u) for k in range(1, order + 1))
    return lambda theta, x: jnp.prod(waves(x - theta))


def ridge(theta, x):
    return theta[2] * jnp.sin(theta[0] * x[0] + theta[1] * x[1])


def bump(theta, x):
    return jnp.exp(-jnp.sum((x - theta) ** 2) / (2 * 0.8**2))


UNITS = {
    "linear": (U.Linear(), 2, lambda theta, x: theta @ x),
    "gaussian": (U.Gaussian(0.8), 2, bump),
    "dirichlet": (U.Dirichlet(3), 2, dirichlet(3)),
    "amplitude": (
        U.Amplitude("tanh"), 4, lambda theta, x: theta[0] * jnp.tanh(theta[1:3] @ x + theta[3])
    ),
    "no bias": (
        U.Amplitude("sigmoid", bias=False), 3,
        lambda theta, x: theta[0] * jax.nn.sigmoid(theta[1:] @ x),
    ),
    "homogeneous": (
        U.Homogeneous(U.Gaussian(0.8), rates=(2.0, 0.5)), 3,
        lambda theta, x: theta[0] ** 2 * bump(theta[1:], x),
    ),
    "cone": (
        U.Homogeneous(U.Dirichlet(2), rates=(0.5, 3.0), cone=True), 3,
        lambda theta, x: theta[0] ** 2 * dirichlet(2)(theta[1:], x),
    ),
    "functions": (U.Functions(ridge, 3, 2, rates=(1.0, 2.0, 0.3)), 3, ridge),
}  # fmt: skip
"""The unit, its parameters for two coordinates, and its formula for one neuron and one input."""
METRICS = {
    "homogeneous": lambda theta: np.array([2.0, 0.5, 0.5]) * np.ones_like(theta),
    "cone": lambda theta: np.column_stack([0.5 + 0 * theta[:, 0], *(3 / theta[:, :1] ** 2,) * 2]),
    "functions": lambda theta: np.array([1.0, 2.0, 0.3]) * np.ones_like(theta),
}
"""What multiplies the gradient, where it is not 1."""
SAMPLES = 5


def system(name, depth=3, seed=0):
    """Weights, measures and samples of a network with that unit."""
    weights, measures = random_case(seed, (4, 3, 5)[: depth - 1], d=UNITS[name][1], k=2)
    rng = np.random.default_rng(seed + 1)
    x, y = rng.normal(size=(SAMPLES, 2)), rng.normal(size=(SAMPLES, 2))
    return weights, measures, x, y, rng.dirichlet(np.ones(SAMPLES))


def predicted(name, weights, measures, x):
    """The prediction by plain sums, tanh between."""
    h = jax.vmap(lambda x: jax.vmap(lambda theta: UNITS[name][2](theta, x))(weights[0]))(x)
    for p, w in zip(measures, weights[1:], strict=True):
        h = (jnp.tanh(h) * p) @ w
    return h


def metric(name, theta):
    return METRICS.get(name, np.ones_like)(theta)


def expected_velocity(name, weights, measures, x, y, q, xi):
    """Automatic differentiation of the risk, divided by both measures, times the metric."""

    def risk(weights):
        return jnp.sum(q[:, None] * (predicted(name, weights, measures, x) - y) ** 2) / 2

    gradients = jax.grad(risk)([jnp.asarray(w) for w in weights])
    p = [None, *measures, np.ones(y.shape[1])]
    first = -xi[0] * gradients[0] / p[1][:, None] * metric(name, weights[0])
    others = [-xi[i] * gradients[i] / np.outer(p[i], p[i + 1]) for i in range(1, len(weights))]
    return [first, *others]


def close(a, b, tolerance=1e-12):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", UNITS)
def test_value_parameters_and_inputs(name):
    unit, p, formula = UNITS[name]
    weights, measures, x, _, _ = system(name)
    one_by_one = [[formula(theta, point) for theta in weights[0]] for point in x]
    close(unit.value(weights[0], jnp.asarray(x)), one_by_one)
    assert (unit.parameters(2), unit.inputs(p)) == (p, 2)
    network = nr.Network(weights, "tanh", measures, unit)
    assert network.input_dim == 2 and network.preactivations(x)[0].shape == (SAMPLES, 4)
    close(network(x), predicted(name, weights, measures, jnp.asarray(x)))


@pytest.mark.parametrize("depth", [2, 4])
@pytest.mark.parametrize("name", UNITS)
def test_the_velocity_is_the_gradient_of_the_risk_times_the_widths(name, depth):
    weights, measures, x, y, q = system(name, depth)
    xi = np.linspace(0.5, 2.0, depth)
    network = nr.Network(weights, "tanh", measures, UNITS[name][0])
    ours, _ = velocity(
        network.weights, network.measures, network.activations, nr.losses.Squared(), xi, x, y, q,
        network.unit,
    )  # fmt: skip
    expected = expected_velocity(name, weights, measures, jnp.asarray(x), y, q, xi)
    for a, b in zip(ours, expected, strict=True):
        close(a, b)
    assert np.abs(expected[0]).max() > 1e-3


@pytest.mark.parametrize("name", UNITS)
def test_a_step_of_sgd_is_that_of_plain_jax(name):
    weights, _, x, y, _ = system(name)
    even = [np.full(n, 1 / n) for n in (4, 3)]
    network = nr.Network(weights, "tanh", unit=UNITS[name][0])
    problem = nr.Problem(nr.distributions.Empirical(x, y), nr.losses.Squared())
    stream = (x[None], y[None])
    run = nr.train(problem, network, 0.2, 0.2, key=0, data=stream, save_at=1)
    q = np.full(SAMPLES, 1 / SAMPLES)
    step = expected_velocity(name, weights, even, jnp.asarray(x), y, q, np.ones(3))
    for after, before, v in zip(run.network.weights, weights, step, strict=True):
        close(after, before + 0.2 * v)


def smooth_problem():
    x = np.random.default_rng(3).normal(size=(6, 2))
    law = nr.distributions.Empirical(x, np.sin(2 * x[:, 0]) + x[:, 1])
    return nr.Problem(law, nr.losses.PseudoHuber(1.0), nr.schedules.cosine(9.0, 1.0, 0.5))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("linear", marks=pytest.mark.long),  # as `drivers/test_flow` has it
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("gaussian", "cone", "functions")),
    ],
)
def test_a_neuron_of_the_limit_flows_to_its_own_parameters(name):
    unit = UNITS[name][0]
    embedding = nr.embeddings.IID(2, 3, mean=[0.5, 1.0, 1.0], std=0.7, unit=unit)
    limit = nr.solve(smooth_problem(), embedding, 2.0, nodes=16, rtol=1e-9, atol=1e-11, save_at=2)
    start = limit.at(0.0)
    seen = nr.fields(limit, 1, rtol=1e-9)
    neurons = (start.weights[0], start.weights[1])
    end = nr.flow(seen, 1, neurons, rtol=1e-9, atol=1e-11)
    for reached, weight in zip(end, limit.network.weights[:2], strict=True):
        close(reached, weight, 2e-8)
    assert np.abs(limit.network.weights[0] - start.weights[0]).max() > 1e-3
    if name != "cone":  # whose places draw together: back, roundings part them
        back = nr.reverse_flow(seen, 1, end, rtol=1e-9, atol=1e-11)
        close(back[0], neurons[0], 1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [{"kernel": "factored"}, {"solver": "rkc"}, {"kernel": "factored", "solver": "rkc"}]
)
def test_all_steppers_and_kernels_move_units_alike(how):
    embedding = nr.embeddings.Bidirectional(2, 4, rank=3, gain=1.0, unit=U.Gaussian(1.0))
    problem = smooth_problem()
    tight = {"nodes": 16, "rtol": 1e-8, "atol": 1e-10, "save_at": 1}
    plain = nr.solve(problem, embedding, 1.0, kernel="dense", solver="tsit5", **tight)
    other = nr.solve(problem, embedding, 1.0, **{"kernel": "dense", **how}, **tight)
    x = problem.distribution.x
    close(other.network(x), plain.network(x), 2e-6)
    assert np.abs(plain.network(x) - plain.at(0.0)(x)).max() > 1e-2


@pytest.mark.slow
def test_factored_sgd_moves_units_as_dense_sgd_does():
    embedding = nr.embeddings.Bidirectional(2, 3, rank=3, gain=1.0, unit=U.Gaussian(1.0))
    runs = [
        nr.train(smooth_problem(), embedding.sample(24, 0, kernel), 0.1, 5.0, key=1, save_at=1)
        for kernel in ("dense", "factored")
    ]
    for a, b in zip(*(run.network.matrices for run in runs), strict=True):
        close(a, b, 1e-9)


def test_the_critical_gain_keeps_the_spread_of_a_units_signal():
    x = np.random.default_rng(0).normal(size=(64, 2))
    embedding = nr.embeddings.Bidirectional(
        2, 4, unit=U.Gaussian(1.0), inputs=x, spread=0.5, input_scale=1.5
    )
    h = embedding.quadrature(2048).preactivations(x)
    for layer in (1, 2):
        spread = np.sqrt(np.mean(np.std(h[layer], axis=0) ** 2))
        assert abs(spread - 0.5) < 0.002


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaussian", "homogeneous"])
def test_the_limits_error_falls_as_that_of_the_paper_s_networks(name):
    """n MSE of the prediction against the limit keeps its size."""
    embedding = nr.embeddings.IID(2, 2, unit=UNITS[name][0])
    problem, how = smooth_problem(), {"until": 1.0, "save_at": 1, "rtol": 1e-4}
    x = problem.distribution.x
    limit = nr.solve(problem, embedding, nodes=2048, **how).network(x)

    def scaled_error(width):
        runs = [nr.solve(problem, embedding.sample(width, k), **how).network(x) for k in range(12)]
        return width * np.mean([(run - limit) ** 2 for run in runs])

    assert 1 / 3 < scaled_error(32) / scaled_error(256) < 3


def test_angles_are_wrapped_and_nothing_else_changes():
    weights, measures, x, _, _ = system("cone")
    weights[0] = weights[0] * 10
    network = nr.Network(weights, "tanh", measures, UNITS["cone"][0])
    wrapped = network.wrapped()
    angles = np.asarray(wrapped.weights[0][:, 1:])
    assert np.all((angles >= 0) & (angles < 2 * np.pi))
    assert not np.allclose(angles, weights[0][:, 1:])
    np.testing.assert_array_equal(wrapped.weights[0][:, 0], weights[0][:, 0])
    close(wrapped(x), network(x), 1e-11)


def test_the_cone_moves_places_without_mass_too():
    """At r = 0 its velocity is the limit of those at small r; the plain metric's is 0."""
    x, y = jnp.ones((1, 2)), jnp.ones((1, 1))
    delta = jnp.ones((1, 1))
    cone, plain = (U.Homogeneous(U.Gaussian(1.0), cone=cone) for cone in (True, False))
    place = jnp.asarray([[0.0, 0.3, -0.2]])
    near = place.at[0, 0].set(1e-4)
    close(cone.pull(place, x, delta), cone.pull(near, x, delta), 1e-3)
    assert np.abs(cone.pull(place, x, delta)[0, 1:]).min() > 0.1
    assert not np.any(plain.pull(place, x, delta)[0, 1:])
    assert y.shape == (1, 1)


@pytest.mark.slow
def test_widths_and_carried_neurons_keep_the_unit():
    embedding = nr.embeddings.IID(2, 2, unit=U.Amplitude("tanh"))
    network = embedding.sample(16, 0)
    for other in (nr.resample(network, 8, 0), nr.grow(network, 24, 0), network.wrapped()):
        assert other.unit == embedding.unit and other.input_dim == 2
    latents = [embedding.latents(1, 3, 0)]
    carried = embedding.quadrature(8, carry=latents)
    np.testing.assert_array_equal(carried.weights[0][-3:], embedding.sample(3, 0).weights[0])
    assert "Amplitude" in repr(network) and "Amplitude" in repr(embedding)
    assert "Linear" not in repr(nr.embeddings.IID(2, 2).sample(4, 0))


@pytest.mark.parametrize("name", UNITS)
def test_units_are_compared_by_value_and_survive_pickling(name):
    unit = UNITS[name][0]
    again = pickle.loads(pickle.dumps(unit))
    assert again == unit and hash(again) == hash(unit) and dataclasses.replace(unit) == unit
    assert all(unit != other for key, (other, _, _) in UNITS.items() if key != name)


def test_the_certificate_says_that_the_paper_does_not_cover_it():
    embedding = nr.embeddings.IID(2, 2, unit=U.Gaussian(0.5))
    rows = nr.certify(smooth_problem(), embedding, nodes=64)
    assert rows["1 unit"].status == rows["1.4 phi_1 dense"].status == "unknown"
    # The slope of exp(-r^2 / 2 s^2) is at most exp(-1/2) / s.
    assert 0.5 < rows["1 unit"].figure <= np.exp(-0.5) / 0.5
    plain = nr.certify(smooth_problem(), nr.embeddings.IID(2, 2), nodes=8)
    assert "1 unit" not in {row.condition for row in plain.rows}


def test_other_libraries_take_linear_layers_alone():
    network = nr.embeddings.IID(2, 2, unit=U.Gaussian(0.5)).sample(4, 0)
    for call in (lambda: affine_layers(network), lambda: mean_field(network, 0.1)):
        with pytest.raises(nr.InvalidInput, match="^network: its first layer is Gaussian"):
            call()

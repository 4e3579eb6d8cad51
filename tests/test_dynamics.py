"""Both passes and the velocity against automatic differentiation and the paper's sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_reference import ACTIVATIONS, Reference, random_case

import neuronal as nr
from neuronal.dynamics import backward, forward, layer_norms, velocity

# Formulas for JAX to differentiate, independent of the package's own.
PHI = {
    "tanh": jnp.tanh,
    "erf": jax.scipy.special.erf,
    "sigmoid": jax.nn.sigmoid,
    "softsign": lambda h: h / (1 + jnp.abs(h)),
    "sin": jnp.sin,
    "identity": lambda h: h,
    "relu": jax.nn.relu,
    "softplus": lambda h: jnp.logaddexp(0.0, h),
    "square": lambda h: h**2,
    "gelu": lambda h: jax.nn.gelu(h, approximate=False),
    "silu": jax.nn.silu,
}
LOSS = {
    "squared": lambda y, a: (a - y) ** 2 / 2,
    "pseudo_huber": lambda y, a: jnp.sqrt(1 + (a - y) ** 2) - 1,
    "log_cosh": lambda y, a: jnp.log(jnp.cosh(a - y)),
    "cauchy": lambda y, a: jnp.log(1 + (a - y) ** 2) / 2,
    "logistic": lambda y, a: jnp.log(1 + jnp.exp(-y * a)),
    "cross_entropy": lambda y, a: -y * (a - jax.scipy.special.logsumexp(a, axis=1, keepdims=True)),
}

pytestmark = pytest.mark.usefixtures("float64")


def outputs(weights, measures, names, x, shifts):
    """H_1..H_L with `shifts[i]` added to H_i, by plain sums."""
    h = [jnp.einsum("jd,md->mj", weights[0], x) + shifts[0]]
    for w, p, name, shift in zip(weights[1:], measures, names[:-1], shifts[1:], strict=True):
        h.append(jnp.einsum("j,jl,mj->ml", p, w, PHI[name](h[-1])) + shift)
    return h


def losses_of(weights, measures, names, loss, x, y, shifts):
    """The loss of each sample."""
    top = outputs(weights, measures, names, x, shifts)[-1]
    return LOSS[loss](y, PHI[names[-1]](top)).sum(axis=1)


@st.composite
def systems(draw):
    """A weighted network of any activations, with a loss, samples and rates a layer."""
    depth = draw(st.integers(2, 6))
    widths = draw(st.lists(st.sampled_from([1, 3, 4]), min_size=depth - 1, max_size=depth - 1))
    loss = draw(st.sampled_from(sorted(LOSS)))
    k = draw(st.integers(2, 3)) if loss == "cross_entropy" else draw(st.integers(1, 2))
    names = draw(st.lists(st.sampled_from(sorted(PHI)), min_size=depth, max_size=depth))
    seed, d, m = draw(st.integers(0, 2**31)), draw(st.sampled_from([1, 3])), 3
    rng = np.random.default_rng(seed)
    weights, measures = random_case(seed, widths, d, k)
    x, y = rng.normal(size=(m, d)), rng.normal(size=(m, k))
    if loss == "logistic":
        y = np.sign(y)
    if loss == "cross_entropy":
        y = rng.dirichlet(np.ones(k), size=m)
    return weights, measures, names, loss, x, y, rng.dirichlet(np.ones(m)), rng.uniform(0, 2, depth)


def built(weights, measures, names, loss):
    network = nr.Network(weights, names, measures)
    return network, nr.losses.get(loss)


def same(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(systems())
def test_passes_are_those_of_automatic_differentiation(system):
    weights, measures, names, loss, x, y, _, _ = system
    network, given_loss = built(weights, measures, names, loss)
    still = [np.zeros((len(x), w.shape[0])) for w in weights[1:]] + [np.zeros_like(y)]
    expected = outputs(weights, measures, names, jnp.asarray(x), still)
    ours, values, slopes = forward(network.weights, network.measures, network.activations, x)
    for h, name, one, value in zip(expected, names, ours, values, strict=True):
        same(one, h)
        same(value, PHI[name](h))
    prediction = values[-1]

    def total(shifts):
        return losses_of(weights, measures, names, loss, x, y, shifts).sum()

    # One neuron moves the loss in proportion to its measure: d/dH_i(j) = p_i(j) Delta_i(j).
    gradients = jax.grad(total)(still)
    deltas = backward(network.weights, network.measures, slopes, given_loss.gradient(y, prediction))
    for gradient, p, delta in zip(gradients, [*measures, 1.0], deltas, strict=True):
        same(delta * p, gradient)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(systems())
def test_velocity_is_the_gradient_divided_by_both_measures(system):
    weights, measures, names, loss, x, y, q, xi = system
    network, given_loss = built(weights, measures, names, loss)
    still = [jnp.zeros(())] * len(weights)
    gradients = jax.grad(lambda w: jnp.dot(q, losses_of(w, measures, names, loss, x, y, still)))(
        [jnp.asarray(w) for w in weights]
    )
    ours, _ = velocity(
        network.weights, network.measures, network.activations, given_loss, xi, x, y, q
    )
    p = [np.ones(x.shape[1]), *measures, np.ones(y.shape[1])]
    same(ours[0], -xi[0] * gradients[0] / p[1][:, None])
    for i in range(1, len(weights)):
        same(ours[i], -xi[i] * gradients[i] / np.outer(p[i], p[i + 1]))


@pytest.mark.parametrize("samples", [1, 4])
def test_passes_are_the_papers_sums_also_where_neurons_have_no_measure(samples):
    weights, measures = random_case(3, (4, 3, 5), d=2, k=2)
    for p in measures:  # carried along: no gradient sees them, yet they move
        p[-1] = 0.0
        p /= p.sum()
    names = ("tanh", "sin", "erf", "sigmoid")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(samples, 2)), rng.normal(size=(samples, 2))
    q, xi = np.full(samples, 1 / samples), [0.5, 1.0, 2.0, 0.7]
    network, loss = built(weights, measures, names, "cauchy")
    reference = Reference(measures, names, "cauchy", outputs=2)
    ours, _ = velocity(network.weights, network.measures, network.activations, loss, xi, x, y, q)
    for a, b in zip(ours, reference.velocity(weights, xi, x, y, q), strict=True):
        same(a, b)
    assert np.abs(ours[0][-1]).min() > 1e-6
    same(network(x), reference.predict(weights, x))
    for s in range(samples):
        for a, b in zip(
            network.preactivations(x), reference.preactivations(weights, x[s]), strict=True
        ):
            same(a[s], b)
        for a, b in zip(
            network.sensitivities(x, y, loss),
            reference.sensitivities(weights, x[s], y[s]),
            strict=True,
        ):
            same(a[s], b)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_both_references_agree_on_activations(name):
    h = np.linspace(-3, 3, 24)
    same(PHI[name](h), ACTIVATIONS[name][0](h))
    same(jax.vmap(jax.grad(PHI[name]))(h), ACTIVATIONS[name][1](h))


def test_a_neuron_of_weight_two_thirds_is_two_of_weight_one_third():
    rng = np.random.default_rng(1)
    w1, w2, w3 = rng.normal(size=(2, 2)), rng.normal(size=(2, 2)), rng.normal(size=(2, 1))
    twice = np.array([0, 0, 1])
    merged = nr.Network([w1, w2, w3], measures=[[2 / 3, 1 / 3]] * 2)
    split = nr.Network([w1[twice], w2[twice][:, twice], w3[twice]])
    x, y, loss = rng.normal(size=(5, 2)), rng.normal(size=(5, 1)), nr.losses.LogCosh()
    same(merged(x), split(x))
    pairs = (merged.sensitivities(x, y, loss), split.sensitivities(x, y, loss))
    for a, b in zip(pairs[0][:-1], pairs[1][:-1], strict=True):
        same(a[:, twice], b)


def test_layer_norms_are_root_mean_squares_under_the_measures():
    weights, measures = random_case(5, (3, 4), d=2, k=3)
    network = nr.Network(weights, measures=measures)
    p, q = measures
    expected = [
        np.sqrt(sum(p[j] * np.mean(weights[0][j] ** 2) for j in range(3))),
        np.sqrt(sum(p[j] * q[k] * weights[1][j, k] ** 2 for j in range(3) for k in range(4))),
        np.sqrt(sum(q[j] * np.mean(weights[2][j] ** 2) for j in range(4))),
    ]
    same(layer_norms(network.weights, network.measures), expected)

"""Assumption 1.4: density by argument, and checked by projecting on many random features."""

import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.theory.certificate import approximation
from neuronal.theory.certificate.conclusion import law_of

ACT, LAWS = nr.activations, nr.distributions
AWAY = LAWS.Empirical([[0.2, 1.0], [1.0, -0.5], [0.7, 0.3]], [0.0, 1.0, 2.0])
MIRRORED = LAWS.Empirical([[0.2, 1.0], [-0.2, -1.0], [0.7, 0.3]], [0.0, 1.0, 2.0])
WITH_ZERO = LAWS.Empirical([[0.0, 0.0], [1.0, 0.5]], [0.0, 1.0])
BIASED = LAWS.Biased(LAWS.Uniform())


def regression(inputs):
    return LAWS.Regression(lambda x: x[:, 0], inputs)


@pytest.mark.parametrize(
    ("name", "law", "status"),
    [
        ("tanh", regression(BIASED), "proved"),
        ("softsign", regression(BIASED), "proved"),
        ("relu", regression(BIASED), "proved"),
        ("relu", regression(LAWS.Biased(LAWS.Gaussian())), "unknown"),
        ("sin", LAWS.GaussianMixture([[0.0], [1.0]], bias=True), "proved"),
        ("tanh", LAWS.GaussianMixture([[0.0], [1.0]]), "violated"),
        ("tanh", regression(LAWS.Uniform()), "violated"),
        ("sigmoid", regression(LAWS.Uniform()), "violated"),
        ("relu", regression(LAWS.Sphere(3)), "violated"),
        ("tanh", regression(LAWS.Uniform(0.5, 2.0, 3)), "proved"),
        ("softsign", regression(LAWS.Uniform(0.5, 2.0, 3)), "unknown"),
        ("tanh", AWAY, "proved"),
        ("tanh", MIRRORED, "violated"),
        ("sigmoid", MIRRORED, "unknown"),
        ("tanh", WITH_ZERO, "violated"),
        ("identity", regression(BIASED), "violated"),
        ("identity", LAWS.Empirical(np.eye(3), np.arange(3.0)), "proved"),
        ("identity", AWAY, "violated"),
    ],
)
def test_density(name, law, status):
    assert approximation.dense(ACT.get(name), law).status == status


@pytest.mark.parametrize("law", [AWAY, MIRRORED, WITH_ZERO])
def test_on_finite_laws_the_answer_is_the_rank_of_random_features(law):
    u = np.random.default_rng(0).normal(size=(400, 2)) * 3
    features = np.tanh(np.asarray(law.x, float) @ u.T)
    full = np.linalg.matrix_rank(features, tol=1e-8) == len(law.x)
    assert (approximation.dense(ACT.tanh, law).status == "proved") == full


def own(value, **declared):
    constants = {"bound": 1.0, "derivative_bound": 1.0, "derivative_lipschitz": 1.0}
    constants |= {"derivative_nonzero": True} | declared
    return ACT.Activation("own", lambda h: (value(h), jnp.ones_like(h)), **constants)


@pytest.mark.parametrize(
    ("activation", "status"),
    [
        (ACT.tanh, "proved"), (ACT.identity, "proved"), (ACT.relu, "proved"),
        (own(jnp.arctan), "measured"), (own(jnp.zeros_like), "violated"),
        (own(jnp.arctan, non_obstructive=False), "violated"),
    ],
)  # fmt: skip
def test_non_obstructive(activation, status):
    problem = nr.Problem(regression(BIASED), nr.losses.PseudoHuber())
    data = law_of(problem, 1, 16)
    network = nr.embeddings.Bidirectional(2, 4, rank=2, gain=1.0).quadrature(8)
    rows = approximation.approximation_rows(
        (ACT.tanh, activation, activation, ACT.identity), problem.distribution, {0.0: network}, data
    )
    (row,) = [row for row in rows if "1.4 phi_3 non-obstructive" in row.names]
    assert row.status == status


def test_residuals_are_those_of_weighted_least_squares():
    problem = nr.Problem(regression(LAWS.Biased(LAWS.Uniform())), nr.losses.PseudoHuber())
    data = law_of(problem, 1, 24)
    network = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.0).quadrature(6)
    tests = approximation.trial_functions(data, 5)
    found = approximation.projection_residuals(network, data, tests)
    root = np.sqrt(data.mass)
    for h, values in zip(network.preactivations(data.x)[:-1], found, strict=True):
        features = np.tanh(np.asarray(h, float)) * root[:, None]
        for goal, value in zip(tests * root, values, strict=True):
            best = features @ np.linalg.lstsq(features, goal, rcond=1e-5)[0]
            expected = np.linalg.norm(goal - best) / np.linalg.norm(goal)
            assert value == pytest.approx(expected, abs=2e-3)


def test_even_functions_are_out_of_reach_without_a_constant_coordinate():
    for inputs, missed in ((LAWS.Uniform(), True), (LAWS.Biased(LAWS.Uniform()), False)):
        problem = nr.Problem(regression(inputs), nr.losses.PseudoHuber())
        data = law_of(problem, 1, 64)
        network = nr.embeddings.Bidirectional(inputs.dim, 2, input_scale=2.0).quadrature(64)
        even = np.cos(3 * data.x[:, :1].T)
        (left,) = approximation.projection_residuals(network, data, even)
        assert left[0] > 0.999 if missed else left[0] < 0.05

"""What every law of X and of (X, Y) keeps: each public class has an instance here."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.bounds.finding import PROVED, STATUSES, VIOLATED

D = nr.distributions
INPUTS = {
    "uniform": D.Uniform(-1.0, 3.0),
    "cube": D.Uniform(0.5, 1.0, 3),
    "gaussian": D.Gaussian(1, 1.0, 0.5),
    "gaussians": D.Gaussian(3, 0.0, 2.0),
    "circle": D.Sphere(2, 2.0),
    "sphere": D.Sphere(4),
    "biased": D.Biased(D.Uniform(-1.0, 2.0)),
    "twice biased": D.Biased(D.Biased(D.Gaussian())),
}
LAWS = {
    "silent": D.Regression(lambda x: jnp.sin(2 * x[:, 0]), D.Biased(D.Uniform())),
    "noisy": D.Regression(lambda x: jnp.sin(2 * x[:, 0]), D.Uniform(dim=2), 0.5),
    "two outputs": D.Regression(lambda x: x[:, :2] ** 2, D.Gaussian(2), 0.5),
    "mixture": D.GaussianMixture([[0.0], [2.0]], [1.0, 0.5], [1, -1], [0.3, 0.7], bias=True),
    "planar mixture": D.GaussianMixture([[0.0, 1.0], [2.0, 0.0], [-1.0, -1.0]]),
    "lengths": D.Radial(D.GaussianMixture(np.zeros((2, 9)), [1.5, 1.0], [1, -1], [0.3, 0.7])),
    "empirical": D.Empirical([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]], [1.0, 5.0, -2.0], [1, 2, 5]),
    "no mass": D.Empirical([[1.0, 0.0], [9.0, 9.0], [1.0, 3.0]], [1.0, 5.0, -2.0], [1, 0, 5]),
}
ALL = INPUTS | LAWS


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def sampled(law, m=4000, seed=7):
    found = law.sample(jax.random.key(seed), m)
    return np.asarray(found[0] if isinstance(found, tuple) else found)


def nodes(law, m=512):
    found = law.quadrature(m)
    return np.asarray(found[0]), np.asarray(found[-1])


def test_every_class_has_an_instance():
    public = {getattr(D, name) for name in D.__all__}
    laws = {
        kind
        for kind in public
        if isinstance(kind, type) and issubclass(kind, D.Inputs | D.Distribution)
    } - {D.Inputs, D.Distribution}
    assert laws == {type(law) for law in ALL.values()}


@pytest.mark.parametrize("name", ALL)
def test_shapes_and_weights(name):
    law = ALL[name]
    d = law.dim if name in INPUTS else law.input_dim
    assert sampled(law, 5).shape == (5, d)
    for m in (4, 64):
        x, weights = nodes(law, m)
        assert x.shape == (len(weights), d)
        assert np.all(weights >= 0) and weights.sum() == pytest.approx(1, rel=1e-6)
    if name in LAWS:
        y = law.sample(jax.random.key(0), 5)[1]
        assert y.shape == (5, law.quadrature(4)[1].shape[1])
        again = law.sample(jax.random.key(0), 5)[1]
        np.testing.assert_array_equal(y, again)


@pytest.mark.parametrize("name", ALL)
def test_means_by_quadrature_and_by_samples_agree(name):
    x, weights = nodes(ALL[name], 1024)
    drawn = sampled(ALL[name], 20_000)
    for f in (lambda x: x, np.tanh, lambda x: x**2):
        error = np.abs(weights @ f(x) - f(drawn).mean(axis=0))
        assert np.all(error <= 5 * f(drawn).std(axis=0) / math.sqrt(20_000) + 5e-3)


@pytest.mark.parametrize("name", ALL)
def test_no_input_exceeds_the_proven_bound(name):
    found = ALL[name].norm_bound()
    assert found.status in STATUSES and found.how
    size = np.linalg.norm(sampled(ALL[name]), axis=1).max()
    if found.status == PROVED:
        x, weights = nodes(ALL[name])
        size = max(size, np.linalg.norm(x[weights > 0], axis=1).max())
        assert 0.75 * found.figure <= size <= found.figure * (1 + 1e-12)
    else:
        assert found.figure == math.inf and found.status == VIOLATED


@pytest.mark.parametrize("name", ALL)
def test_a_constant_coordinate_is_constant_and_pairs_are_as_counted(name):
    law, x = ALL[name], sampled(ALL[name])
    constant = np.any((np.ptp(x, axis=0) == 0) & (x[0] != 0))
    assert law.has_constant() == constant
    pairs = law.reflected_pairs()
    if pairs == 0:  # no sample is near the reflection of another
        near = np.abs(x[:2000, None] + x[None, :2000]).max(axis=2).min()
        assert near > 0.3
    elif law.support() is None:  # each half line along some direction is charged
        direction = x[0] - x.mean(axis=0)
        assert pairs == math.inf and np.ptp(np.sign(x @ direction)) == 2


@pytest.mark.parametrize("name", LAWS)
def test_the_support_is_all_that_is_drawn(name):
    found = LAWS[name].support()
    if found is not None:
        points = {tuple(row) for row in found}
        assert {tuple(row) for row in sampled(LAWS[name])} == points
        x, weights = nodes(LAWS[name], 2)
        assert {tuple(row) for row in x[weights > 0]} == points


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("name", LAWS)
def test_the_conditional_law_has_the_same_expectations(name, apart):
    law = LAWS[name]
    data = law.conditional(256, apart)
    assert data.y.shape[:2] == data.p.shape and len(data.x) == len(data.mass)
    assert data.mass.sum() == pytest.approx(1) and np.allclose(data.p.sum(axis=1), 1)
    x, y, weights = (np.asarray(a, float) for a in law.quadrature(256))
    np.testing.assert_allclose(data.mass @ data.mean(), weights @ y, atol=0.03)
    squares = np.einsum("g,gc,gck->k", data.mass, data.p, data.y**2)
    np.testing.assert_allclose(squares, weights @ y**2, rtol=0.03)
    np.testing.assert_allclose(data.mass @ data.x, weights @ x, atol=1e-3)


@pytest.mark.parametrize("name", LAWS)
def test_what_it_says_of_targets_is_so(name):
    law = LAWS[name]
    y = np.asarray(law.sample(jax.random.key(3), 2000)[1])
    bound = law.target_bound()
    assert bound.status in STATUSES
    if bound.status == PROVED:
        assert np.abs(y).max() <= bound.figure
    if law.is_function():
        data = law.conditional(64)
        assert data.y.shape[1] == 1
    elif law.is_function() is False:
        assert bound.status == VIOLATED


@pytest.mark.parametrize("name", ALL)
def test_a_line_to_plot_lies_in_the_law(name):
    law = ALL[name]
    found = law.line(9) if name in INPUTS else law.curve(9)
    if found is None:
        return
    values, x = found[:2]
    assert values.shape == (9,) and x.shape == (9, sampled(law, 1).shape[1])
    np.testing.assert_array_equal(x[:, 0], values)
    assert np.all(np.diff(values) > 0)
    drawn = sampled(law, 50)
    fixed = np.ptp(drawn, axis=0) == 0
    np.testing.assert_array_equal(x[:, fixed], np.tile(drawn[0, fixed], (9, 1)))
    if law.norm_bound().status == PROVED:
        assert np.linalg.norm(x, axis=1).max() <= law.norm_bound().figure * (1 + 1e-12)
    if name in LAWS:
        np.testing.assert_allclose(found[2], np.asarray(law.mean(jnp.asarray(x)))[:, 0])


def test_a_subclass_inherits_no_proof():
    class Shifted(D.Uniform):
        def sample(self, key, m):
            return 100 + super().sample(key, m)

    class Swapped(D.GaussianMixture):
        def sample(self, key, m):
            x, y = super().sample(key, m)
            return x, -y

    found = Shifted().norm_bound()
    assert found.status == "measured" and found.figure > 99
    assert Shifted().reflected_pairs() is None
    swapped = Swapped([[0.0], [1.0]])
    assert swapped.target_bound().status == "unknown"
    assert swapped.conditional(8).y.shape[1] == 1  # grouped nodes: every x there occurs once

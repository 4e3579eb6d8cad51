"""Laws of the data: Bayes risks against independent integrals, quadrature against samples."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_reference import LOSSES
from scipy import integrate, special, stats
from scipy.optimize import minimize_scalar

import neuronal as nr
from neuronal.distributions import empirical

D, L = nr.distributions, nr.losses
RESIDUAL = [L.Squared(), L.PseudoHuber(), L.LogCosh(), L.Cauchy()]

pytestmark = pytest.mark.usefixtures("float64")


def least(loss, targets, masses):
    """min_a of sum masses * L(target, a), by SciPy from every target."""
    value = LOSSES[loss.name][0]

    def risk(a):
        return sum(
            q * value(np.array([t]), np.array([a])) for t, q in zip(targets, masses, strict=True)
        )

    low, high = min(targets) - 1e-9, max(targets) + 1e-9
    edges = np.linspace(low, high, 8)  # one basin at most between two neighbours
    options = {"xatol": 1e-12}
    found = [
        minimize_scalar(risk, bounds=pair, method="bounded", options=options).fun
        for pair in itertools.pairwise(edges)
    ]
    return min(found)


@pytest.mark.parametrize("loss", RESIDUAL, ids=repr)
def test_the_infimum_of_a_finite_law_is_that_of_its_repeated_inputs(loss):
    x = np.array(
        [[0.0, 1.0], [2.0, 0.0], [0.0, 1.0], [3.0, 3.0], [2.0, 0.0], [0.0, 1.0], [2.0, 1.0]]
    )
    y = np.array([1.0, -1.0, 4.0, 7.0, -1.0, 0.5, -2.0])
    w = np.array([0.1, 0.2, 0.15, 0.1, 0.1, 0.3, 0.05])
    groups = [[0, 2, 5], [1, 4], [3], [6]]
    expected = sum(least(loss, y[g], w[g]) for g in groups)
    np.testing.assert_allclose(D.Empirical(x, y, w).bayes_risk(loss), expected, rtol=1e-8)
    uniform = sum(least(loss, y[g], np.full(len(g), 1 / 7)) for g in groups)
    np.testing.assert_allclose(D.Empirical(x, y).bayes_risk(loss), uniform, rtol=1e-8)
    assert D.Empirical(x[[0, 1, 3]], y[[0, 1, 3]]).bayes_risk(loss) == 0


def test_the_infimum_of_labels_is_the_conditional_entropy():
    x = np.array([[0.0], [0.0], [0.0], [1.0]])
    p = np.array([1 / 3, 2 / 3])
    expected = 0.75 * -(p @ np.log(p))
    for loss, y in ((L.Logistic(), [1, -1, -1, 1]), (L.CrossEntropy(), [1, 0, 0, 1])):
        np.testing.assert_allclose(D.Empirical(x, y).bayes_risk(loss), expected, rtol=1e-12)


@pytest.mark.parametrize("loss", RESIDUAL, ids=repr)
@pytest.mark.parametrize("outputs", [1, 2])
def test_the_bayes_risk_of_a_regression_is_the_noise_s(loss, outputs):
    law = D.Regression(lambda x: jnp.tile(x[:, :1] ** 2, outputs), D.Uniform(), noise=0.6)

    def density(z):
        return LOSSES[loss.name][0](np.array([0.0]), np.array([0.6 * z])) * stats.norm.pdf(z)

    expected = 2 * integrate.quad(density, 0, 12, epsabs=1e-13)[0]
    np.testing.assert_allclose(law.bayes_risk(loss), outputs * expected, rtol=1e-6)
    silent = D.Regression(lambda x: x[:, 0], D.Uniform())
    assert silent.bayes_risk(loss) == 0
    assert law.bayes_risk(L.CrossEntropy()) is None


def test_the_bayes_risk_of_classes_in_one_dimension_is_scipys_integral():
    means, stds, p = (
        np.array([-1.0, 0.5, 2.0]),
        np.array([0.5, 1.0, 0.7]),
        np.array([0.2, 0.5, 0.3]),
    )
    law = D.GaussianMixture(means[:, None], stds, probabilities=p)

    def entropy(x):
        joint = p * stats.norm.pdf(x, means, stds)
        return -np.sum(joint * np.log(joint / joint.sum()))

    expected = integrate.quad(entropy, -8, 8, epsabs=1e-12, limit=200)[0]
    np.testing.assert_allclose(law.bayes_risk(L.CrossEntropy()), expected, rtol=1e-6)


@pytest.mark.parametrize("dim", [2, 5])
@pytest.mark.parametrize("loss", [L.Squared(), L.Logistic(), L.LogCosh()], ids=repr)
def test_two_isotropic_gaussians_have_the_bayes_risk_of_their_radius(loss, dim):
    """[MMN18]: given x only |x| tells the classes apart, so the risk is one integral."""
    stds = np.array([1.4, 0.6])
    law = D.GaussianMixture(np.zeros((2, dim)), stds, labels=[1.0, -1.0])

    def at(r):
        joint = 0.5 * stats.chi.pdf(r / stds, dim) / stds
        q = joint[0] / joint.sum()
        value = {
            "squared": 2 * q * (1 - q),
            "logistic": special.entr(q) + special.entr(1 - q),
        }.get(loss.name)
        if value is None:  # log cosh: no closed form
            value = least(loss, [1.0, -1.0], [q, 1 - q])
        return joint.sum() * value

    radii = np.linspace(1e-3, 9, 400)
    expected = integrate.simpson([at(r) for r in radii], x=radii)
    np.testing.assert_allclose(law.bayes_risk(loss), expected, rtol=2e-3)


INPUTS = {
    # name: (law, E[x], E[x x^T], E[x_1^4])
    "uniform": (D.Uniform(-1.0, 3.0), [1.0], [[7 / 3]], 12.2),
    "cube": (D.Uniform(0.0, 1.0, 2), [0.5, 0.5], [[1 / 3, 1 / 4], [1 / 4, 1 / 3]], 0.2),
    "gaussian": (D.Gaussian(1, 1.0, 0.5), [1.0], [[1.25]], 1 + 6 * 0.25 + 3 / 16),
    "gaussians": (D.Gaussian(3, 0.0, 2.0), np.zeros(3), 4 * np.eye(3), 48.0),
    "circle": (D.Sphere(2, 2.0), [0, 0], 2 * np.eye(2), 6.0),
    "sphere": (D.Sphere(4), np.zeros(4), np.eye(4) / 4, 3 / 24),
    "biased": (D.Biased(D.Uniform()), [0, 1], np.diag([1 / 3, 1]), 0.2),
}


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_moments_of_inputs_by_quadrature_and_by_samples(name):
    law, mean, second, fourth = INPUTS[name]
    x, w = map(np.asarray, law.quadrature(128 if law.dim == 1 or name == "biased" else 1024))
    exact = law.dim == 1 or name in ("circle", "biased")
    assert x.shape[1] == law.dim == len(mean)
    np.testing.assert_allclose(w.sum(), 1, rtol=1e-12)
    scale = np.sqrt(np.max(second))
    near = 1e-10 if exact else 0.02
    np.testing.assert_allclose(w @ x, mean, atol=near * scale)
    np.testing.assert_allclose((x.T * w) @ x, second, atol=near * scale**2)
    np.testing.assert_allclose(w @ x[:, 0] ** 4, fourth, rtol=1e-10 if exact else 0.03)
    # Samples: within five standard errors, which they estimate themselves.
    drawn = np.asarray(law.sample(jax.random.key(3), 20_000))
    for values, expected in (
        (drawn, mean),
        (drawn[:, 0] ** 2, second[0][0]),
        (drawn[:, 0] ** 4, fourth),
    ):
        error = np.abs(values.mean(axis=0) - expected)
        assert np.all(error <= 5 * values.std(axis=0) / np.sqrt(20_000) + 1e-12)


LAWS = {
    "regression": D.Regression(lambda x: jnp.sin(2 * x[:, 0]), D.Biased(D.Uniform()), noise=0.5),
    "two outputs": D.Regression(lambda x: x[:, :2] ** 2, D.Gaussian(2), noise=0.5),
    "mixture": D.GaussianMixture([[0.0], [2.0]], [1.0, 0.5], [1, -1], [0.3, 0.7], bias=True),
    "planar mixture": D.GaussianMixture([[0.0, 1.0], [2.0, 0.0], [-1.0, -1.0]]),
    "empirical": D.Empirical([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [1.0, 5.0, -2.0], [1, 2, 5]),
}


@pytest.mark.parametrize("name", sorted(LAWS))
def test_expectations_by_quadrature_and_by_samples_agree(name):
    law = LAWS[name]
    x, y, w = map(np.asarray, law.quadrature(512))
    assert x.shape == (len(w), law.input_dim)
    np.testing.assert_allclose(w.sum(), 1, rtol=1e-6)
    a, b = map(np.asarray, law.sample(jax.random.key(8), 40_000))
    assert b.shape[1] == y.shape[1]
    functions = [
        lambda x, y: y[:, 0],
        lambda x, y: y[:, -1] ** 2,
        lambda x, y: np.tanh(x[:, 0]) * y[:, 0],
        lambda x, y: np.cos(x.sum(axis=1)),
    ]
    for f in functions:
        values = f(a, b)
        assert abs(w @ f(x, y) - values.mean()) < 5 * values.std() / 200 + 2e-3


def test_the_law_of_a_mixture_is_its_classes():
    law = LAWS["mixture"]
    x, y = map(np.asarray, law.sample(jax.random.key(0), 4000))
    np.testing.assert_array_equal(x[:, 1], 1)
    first = y[:, 0] == 1
    assert abs(first.mean() - 0.3) < 5 * np.sqrt(0.21 / 4000)
    assert stats.kstest(x[first, 0], "norm").pvalue > 1e-3
    assert stats.kstest((x[~first, 0] - 2) / 0.5, "norm").pvalue > 1e-3


def test_a_finite_law_is_its_own_quadrature_and_its_weights_are_normalised():
    law = LAWS["empirical"]
    x, y, w = law.quadrature(2)
    np.testing.assert_array_equal(x, [[1, 0], [0, 2], [1, 1]])
    np.testing.assert_array_equal(y, [[1], [5], [-2]])
    np.testing.assert_allclose(w, [0.125, 0.25, 0.625])


def test_the_risk_of_a_problem_is_the_weighted_loss():
    law = LAWS["empirical"]
    network = nr.Network([[[1.0, -1.0]], [[2.0]]], "identity")  # y_hat = 2 (x_1 - x_2)
    risk = nr.Problem(law, L.Squared()).risk(network)
    assert np.isclose(risk, (0.125 * (2 - 1) ** 2 + 0.25 * (-4 - 5) ** 2 + 0.625 * 2**2) / 2)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("kind", ["regression", "mixture", "empirical"])
def test_laws_work_in_both_precisions(kind, wide):
    dtype = np.dtype("f8" if wide else "f4")
    with jax.enable_x64(wide):
        law = {
            "regression": lambda: D.Regression(lambda x: x[:, 0], D.Uniform(dim=2), 0.1),
            "mixture": lambda: D.GaussianMixture([[0.0, 1.0], [2.0, 0.0]]),
            "empirical": lambda: D.Empirical(np.eye(2), [0, 1]),
        }[kind]()
        for array in (*law.sample(jax.random.key(0), 3), *law.quadrature(8)[:2]):
            assert array.dtype == dtype
        assert law.bayes_risk(L.LogCosh()) >= 0


@pytest.mark.parametrize("factor", [1e-44, 1e-300, 3e38, 1e40, 1e300, 3.0])
def test_weights_of_a_finite_law_count_by_their_ratios(factor):
    x, w = np.arange(12.0).reshape(6, 2), np.array([1.0, 2.0, 0.0, 4.0, 0.5, 7.0])
    one, other = (nr.distributions.Empirical(x, x[:, 0], v) for v in (w, w * factor))
    np.testing.assert_allclose(other.weights, one.weights, rtol=1e-6)


def test_many_samples_are_drawn_by_their_weights():
    """Blocks and samples within them, at sizes that fill blocks or do not; none of weight zero."""
    rng = np.random.default_rng(0)
    for size in (5, 63, 64, 1000):
        weights = rng.uniform(size=size) * (rng.uniform(size=size) > 0.3)
        weights[rng.integers(size)] = 1.0
        p = weights / weights.sum()
        draws = 200_000
        index = empirical._draws_of_many(jnp.asarray(p, jnp.float32), jax.random.key(size), draws)
        counts = np.bincount(np.asarray(index), minlength=size)
        assert len(counts) == size and not counts[p == 0].any()
        misfit = ((counts - draws * p) ** 2)[p > 0] / (draws * p[p > 0])
        degrees = np.sum(p > 0) - 1
        assert abs(misfit.sum() - degrees) < 5 * np.sqrt(2 * degrees)


@pytest.mark.slow
def test_a_law_of_ten_million_samples_draws_all_of_them_equally_often():
    size = 10_000_000
    law = nr.distributions.Empirical(np.arange(size)[:, None], np.zeros(size))
    index = np.asarray(law.sample(jax.random.key(0), size)[0])[:, 0].astype(int)
    unseen = 1 - np.count_nonzero(np.bincount(index, minlength=size)) / size
    assert abs(unseen - np.exp(-1)) < 0.002
    blocks = np.bincount(index // 1000, minlength=size // 1000)
    assert abs(blocks.var() / 1000 - 1) < 0.1


def test_a_small_law_keeps_its_stream():
    x = np.arange(7.0)[:, None]
    drawn = nr.distributions.Empirical(x, x).sample(jax.random.key(0), 12)[0]
    uniform = jax.random.uniform(jax.random.key(0), (12,))
    assert np.array_equal(np.asarray(drawn)[:, 0], np.floor(np.asarray(uniform) * 7))


@pytest.mark.parametrize("dim", [1, 5, 320])
def test_lengths_have_the_moments_of_the_chi_law(dim):
    stds, p = np.array([1.8, 0.3]), np.array([0.25, 0.75])
    law = nr.distributions.Radial(
        nr.distributions.GaussianMixture(np.zeros((2, dim)), stds, [1.0, -1.0], p)
    )
    with jax.enable_x64(True):
        r, y, weights = (np.asarray(a, float) for a in law.quadrature(128))
    assert abs(weights.sum() - 1) < 1e-6 and np.all(r > 0)
    for label, std, share in ((1.0, 1.8, 0.25), (-1.0, 0.3, 0.75)):
        own = y[:, 0] == label
        for moment in (2, 4, 6):  # powers of the square, which the rule integrates exactly
            expected = share * stats.chi(dim, scale=std).moment(moment)
            np.testing.assert_allclose(weights[own] @ r[own, 0] ** moment, expected, rtol=1e-5)
        if dim > 1:  # which is no smooth function of the square
            mean = share * stats.chi(dim, scale=std).mean()
            np.testing.assert_allclose(weights[own] @ r[own, 0], mean, rtol=2e-3)


def test_samples_of_lengths_are_those_of_the_mixture_and_of_the_chi_law():
    mixture = nr.distributions.GaussianMixture(np.zeros((2, 7)), [1.5, 0.5], [1.0, -1.0])
    law = nr.distributions.Radial(mixture)
    key = jax.random.key(0)
    (x, y), (r, label) = mixture.sample(key, 4000), law.sample(key, 4000)
    np.testing.assert_allclose(r[:, 0], np.linalg.norm(x, axis=1), rtol=1e-6)
    np.testing.assert_array_equal(y, label)
    for sign, std in ((1, 1.5), (-1, 0.5)):
        own = np.asarray(r[label[:, 0] == sign, 0])
        assert stats.kstest(own, stats.chi(7, scale=std).cdf).pvalue > 1e-3


def test_the_best_risk_of_lengths_is_that_of_the_vectors():
    """|X| tells as much of the class as X does."""
    mixture = nr.distributions.GaussianMixture(np.zeros((2, 3)), [1.5, 0.6], [1.0, -1.0])
    loss = nr.losses.Squared()
    law = nr.distributions.Radial(mixture)

    def risk(r):
        a, b = (0.5 * stats.chi(3, scale=s).pdf(r) for s in (1.5, 0.6))
        return 2 * a * b / (a + b)  # 1/2 E (Y - E[Y|r])^2 = 2 p (1 - p)

    expected = integrate.quad(risk, 0, 15, epsabs=1e-12)[0]
    assert abs(law.bayes_risk(loss) - expected) < 1e-5
    assert abs(mixture.bayes_risk(loss) - expected) < 2e-3

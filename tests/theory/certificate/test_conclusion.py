"""The gap's upper bound: never below the true gap, and sharp, for convex losses on runs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, stats

import neuronal as nr
from neuronal.problem import mean_loss
from neuronal.theory.certificate import conclusion

LAWS, LOSS, EMB = nr.distributions, nr.losses, nr.embeddings
BIASED = LAWS.Biased(LAWS.Uniform())
TARGET = lambda x: jnp.sin(3 * x[:, 0])
TWO = lambda x: jnp.stack([jnp.sin(3 * x[:, 0]), x[:, 0] ** 2], axis=1)


def repeated(labels):
    """A finite law whose inputs occur several times with different targets, unequal weights."""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.uniform(-1, 1, (12, 1)), 4, axis=0)
    y = rng.integers(0, labels, 48) if labels else rng.normal(size=48)
    return LAWS.Empirical(np.hstack([x, np.ones((48, 1))]), y, rng.uniform(0.2, 1, 48))


MIXTURE = LAWS.GaussianMixture([[-1.0], [1.0]], [0.8, 1.2], [-1.0, 1.0], bias=True)
CASES = {
    "noiseless": (LAWS.Regression(TARGET, BIASED), LOSS.PseudoHuber(1.0), 1),
    "little noise": (LAWS.Regression(TARGET, BIASED, 0.1), LOSS.PseudoHuber(0.3), 1),
    "much noise": (LAWS.Regression(TARGET, BIASED, 1.0), LOSS.LogCosh(), 1),
    "squared": (LAWS.Regression(TARGET, BIASED, 0.5), LOSS.Squared(), 1),
    "two outputs": (LAWS.Regression(TWO, BIASED, 0.2), LOSS.PseudoHuber(1.0), 2),
    "finite": (repeated(0), LOSS.LogCosh(), 1),
    "finite logistic": (repeated(2), LOSS.Logistic(), 1),
    "classes": (repeated(3), LOSS.CrossEntropy(), 3),
    "mixture": (MIXTURE, LOSS.Logistic(), 1),
    "mixture, residuals": (MIXTURE, LOSS.PseudoHuber(1.0), 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_bound_is_never_below_the_gap_and_near_it(name):
    law, loss, outputs = CASES[name]
    problem = nr.Problem(law, loss)
    infimum = law.bayes_risk(loss)
    embedding = EMB.Bidirectional(2, 3, outputs, rank=4, input_scale=2.0, gain=1.5)
    run = nr.solve(problem, embedding, 40.0, nodes=16, data_nodes=64, rtol=1e-3, save_at=8)
    networks = {float(t): run.at(t) for t in run.times}
    recorded = dict(zip(map(float, run.times), map(float, run.loss), strict=True))
    data = conclusion.law_of(problem, outputs, 256)
    bounds, lower = conclusion.gap_bounds(problem, networks, data, recorded)
    law_nodes = problem.quadrature(1024)  # those of Problem.risk
    risks = [float(mean_loss(network, loss, *law_nodes)) for network in networks.values()]
    gaps = np.array(risks) - infimum
    assert np.all(np.array(bounds) >= gaps)
    assert np.all(np.array(bounds) >= run.loss - infimum)
    assert lower <= infimum * (1 + 1e-5) + 1e-7
    # Sharp: within a few percent where something is left to learn, and of the quadratures' error.
    np.testing.assert_allclose(bounds, gaps, rtol=0.03, atol=2e-3 * gaps[0])
    assert bounds[-1] < bounds[0]


def test_the_lower_bound_is_the_minimum_that_scipy_finds():
    law, loss = repeated(0), LOSS.PseudoHuber(0.5)
    data = law.conditional(0)
    found = conclusion.infimum_bound(loss, data)
    for i in range(len(data.x)):
        y, p = data.y[i, :, 0], data.p[i]
        risk = lambda a, y=y, p=p: p @ (0.25 * (np.sqrt(1 + (2 * (a - y)) ** 2) - 1))
        best = optimize.minimize_scalar(
            risk, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10}
        )
        assert found[i] <= best.fun + 1e-12
        assert found[i] == pytest.approx(best.fun, rel=1e-9)


class Tilted(LOSS.Loss):
    """exp(a) - a y, convex, of one output, with its minimum outside of the targets."""

    def __call__(self, y, prediction):
        return jnp.sum(jnp.exp(prediction) - prediction * y + 10, axis=-1)

    def gradient(self, y, prediction):
        return jnp.exp(prediction) - y

    def infimum(self, y, weights):
        raise AssertionError("the bound is to be got without it")


def test_a_users_convex_loss_is_bracketed_beyond_the_targets():
    law = LAWS.Empirical(np.ones((3, 1)), np.array([3.0, 4.0, 8.0]))
    found = conclusion.infimum_bound(Tilted(), law.conditional(0))
    mean = 5.0
    assert found[0] == pytest.approx(mean - mean * np.log(mean) + 10, rel=1e-12)


def test_noise_and_classes_given_x_are_integrated_exactly():
    noisy = LAWS.Regression(TARGET, BIASED, 0.7).conditional(16)
    risk, slope = noisy.risk_and_gradient(LOSS.PseudoHuber(1.0), np.full((16, 1), 0.3))

    def expected(function, centre):
        integrand = lambda z: function(0.3 - centre - 0.7 * z) * stats.norm.pdf(z)
        return integrate.quad(integrand, -9, 9)[0]

    for i in (0, 7):
        centre = np.sin(3 * noisy.x[i, 0])
        value = expected(lambda r: np.sqrt(1 + r * r) - 1, centre)
        assert risk[i] == pytest.approx(value, rel=1e-6)
        assert slope[i, 0] == pytest.approx(
            expected(lambda r: r / np.sqrt(1 + r * r), centre), rel=1e-6
        )
    mixed = MIXTURE.conditional(20)
    for i in (2, 11):
        likelihood = stats.norm.pdf(mixed.x[i, 0], [-1, 1], [0.8, 1.2])
        np.testing.assert_allclose(mixed.p[i], likelihood / likelihood.sum(), rtol=1e-5)


def test_repeated_inputs_are_grouped_with_their_weights():
    law = LAWS.Empirical([[1.0], [2.0], [1.0], [3.0]], [5.0, 6.0, 8.0, 1.0], [1.0, 1.0, 3.0, 0.0])
    data = law.conditional(0)
    np.testing.assert_allclose(data.x[:, 0], [1, 2])
    np.testing.assert_allclose(data.mass, [0.8, 0.2])
    np.testing.assert_allclose(data.mean()[:, 0], [0.25 * 5 + 0.75 * 8, 6])


def test_the_mean_gradient_is_that_of_the_conditional_mean():
    problem = nr.Problem(repeated(0), LOSS.Squared())
    network = EMB.Bidirectional(2, 2).sample(8, jax.random.key(0))
    data = problem.distribution.conditional(0)
    expected = data.mass @ np.abs(np.asarray(network(data.x), float) - data.mean())[:, 0]
    assert conclusion.mean_gradient(problem, network, data) == pytest.approx(expected, rel=1e-6)


class Wavy(LOSS.PseudoHuber):
    """Declares itself convex and is not."""

    def gradient(self, y, prediction):
        return jnp.sin(prediction - y)


@pytest.mark.parametrize(
    ("loss", "status"),
    [
        (LOSS.PseudoHuber(), "proved"), (LOSS.Squared(), "proved"), (LOSS.LogCosh(), "proved"),
        (LOSS.Logistic(), "proved"), (LOSS.CrossEntropy(), "proved"), (Tilted(), "measured"),
        (Wavy(), "violated"), (LOSS.Cauchy(), "violated"),
    ],
)  # fmt: skip
def test_which_case_of_theorem_2_applies(loss, status):
    problem = nr.Problem(repeated(2), loss)
    network = EMB.Bidirectional(2, 2).quadrature(4)
    data = conclusion.law_of(problem, 1, 8)
    assert conclusion.conclusion_rows(problem, {0.0: network}, {}, data)[0].status == status

"""Fluctuations against closed forms, finite differences, low-dimensional laws and networks."""

import itertools
import warnings

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import binom

import neuronal as nr
from neuronal.theory.fluctuations.directions import neuron_directions
from neuronal.theory.fluctuations.estimates import Source, square_draws
from neuronal.theory.fluctuations.expand import _limits_meet
from neuronal.theory.fluctuations.propagation import along_neurons
from neuronal.theory.fluctuations.repeats import averaged
from neuronal.theory.tangent import tangent_kernel

pytestmark = pytest.mark.usefixtures("float64")
SQUARED = nr.losses.Squared()


def problem_of(m: int, d: int = 2, k: int = 1, loss=SQUARED, **more) -> nr.Problem:
    rng = np.random.default_rng(3)
    law = nr.distributions.Empirical(rng.normal(size=(m, d)), rng.normal(size=(m, k)))
    return nr.Problem(law, loss, **more)


def network_of(*sizes: int, seed: int = 0) -> nr.Network:
    """d, widths and k; measures that are not uniform."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(sizes[1], sizes[0]))]
    weights += [rng.normal(size=pair) for pair in itertools.pairwise(sizes[1:])]
    measures = [rng.dirichlet(np.full(n, 5.0)) for n in sizes[1:-1]]
    return nr.Network(weights, measures=measures)


# directions


@pytest.mark.parametrize(("leading", "random"), [(3, 20_000), (30, 4)])
def test_directions_have_the_covariance_of_an_empirical_measure(leading, random):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(8))
    drawn = neuron_directions(p, [rng.normal(size=(5, 8))], leading, random, rng)
    fixed, others = drawn.deltas[: drawn.fixed], drawn.deltas[drawn.fixed :]
    found = fixed.T @ fixed + (others.T @ others / random if len(others) else 0)
    tolerance = 0.01 if len(others) else 1e-14
    np.testing.assert_allclose(found, np.diag(p) - np.outer(p, p), atol=tolerance)
    np.testing.assert_allclose(drawn.deltas.sum(axis=1), 0, atol=1e-12)


# the tangent kernel


def test_the_prediction_moves_by_the_tangent_kernel():
    problem = problem_of(5, k=2, schedules=[nr.schedules.constant(r) for r in (1.0, 0.5, 2.0)])
    network = network_of(2, 6, 7, 2)
    data = problem.quadrature(5)
    velocity = problem.motion(network).velocity(jnp.zeros(()), network.weights, data)
    moved = lambda a: network.with_weights(
        tuple(w + a * v for w, v in zip(network.weights, velocity, strict=True))
    )(data.x)
    rate = jax.jvp(moved, (0.0,), (1.0,))[1]
    kernel = tangent_kernel(network, data.x, [1.0, 0.5, 2.0])
    gradient = problem.loss.gradient(data.y, network(data.x)) * data.weights[:, None]
    np.testing.assert_allclose(-jnp.einsum("xkzl,zl->xk", kernel, gradient), rate, rtol=1e-10)


# exactness


@pytest.mark.slow
def test_at_the_start_the_variance_is_that_of_resampling():
    problem, network = problem_of(6, k=2), network_of(2, 9, 11, 2)
    law = nr.fluctuations(problem, network, 0.5, save_at=2, directions=16)
    x = problem.distribution.x
    np.testing.assert_allclose(
        law.prediction_sd((30, 70))[0], nr.resampling_error(network, (30, 70), x), rtol=1e-9
    )


@pytest.mark.slow
def test_at_the_start_the_bias_is_that_of_an_average_inside_an_activation():
    problem, network = problem_of(6), network_of(2, 9, 11, 1)
    law = nr.fluctuations(problem, network, 0.5, save_at=2, directions=16)
    w1, w2, w3 = map(np.asarray, network.weights)
    p1, p2 = map(np.asarray, network.measures)
    inside = np.tanh(np.asarray(problem.distribution.x) @ w1.T)[:, :, None] * w2
    mean = np.einsum("xab,a->xb", inside, p1)
    variance = np.einsum("xab,a->xb", inside**2, p1) - mean**2
    bend = -2 * np.tanh(mean) / np.cosh(mean) ** 2
    bias = np.einsum("xb,b,b->x", bend * variance / 2, p2, w3[:, 0])
    found = law.data.prediction_bias.sel(time=0.0).values[..., 0]
    np.testing.assert_allclose(found[0], bias, rtol=1e-9)
    np.testing.assert_allclose(found[1], 0, atol=1e-12)


@pytest.mark.parametrize("loss", [SQUARED, nr.losses.PseudoHuber(1.0)])
def test_derivatives_are_those_of_the_solver(loss):
    """Central differences of runs with moved measures, on the same steps."""
    problem, network = problem_of(5, loss=loss, decay=0.1), network_of(2, 4, 5, 1)
    until, steps, h = 0.8, 4, 1e-4
    x = problem.distribution.x
    rng = np.random.default_rng(1)
    deltas = [
        p * (g - p @ g)
        for p in map(np.asarray, network.measures)
        for g in [rng.normal(size=len(p))]
    ]

    def after(a: float) -> np.ndarray:
        measures = [p + a * d for p, d in zip(network.measures, deltas, strict=True)]
        start = nr.Network(network.weights, network.activations, measures)
        run = nr.solve(problem, start, until, solver=diffrax.Bosh3(), step=until / steps, save_at=1)
        return np.asarray(run.network(x))

    plus, middle, minus = after(h), after(0.0), after(-h)
    times = jnp.linspace(0.0, until, steps + 1)
    directions = tuple(jnp.asarray(d)[None] for d in deltas)
    found = along_neurons(network, problem, problem.quadrature(5), times, directions)
    np.testing.assert_allclose(found.first[0, -1], (plus - minus) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(
        found.second[0, -1], (plus - 2 * middle + minus) / h**2, rtol=1e-4, atol=1e-6
    )


class LinearNetwork:
    r"""$\hat y = \theta x$ with $\theta = E[w_2 w_1]$, squared loss, one input: three moments move alone.

    Under gradient flow $(a, \theta, b) = (E w_1^2, E w_1 w_2, E w_2^2)$ follow $a' = b' = -2 \theta g$,
    $\theta' = -(a + b) g$, $g = E_Z[(\theta x - y) x]$.
    """

    def __init__(self):
        rng = np.random.default_rng(0)
        self.x = np.array([-1.0, 0.3, 0.9, 1.4])
        self.y = np.array([-0.5, 0.6, 0.2, 1.6])
        self.w1, self.w2 = rng.normal(size=6) + 0.5, rng.normal(size=6)
        law = nr.distributions.Empirical(self.x[:, None], self.y)
        self.problem = nr.Problem(law, SQUARED)
        self.network = nr.Network([self.w1[:, None], self.w2[:, None]], "identity")

    def gradient(self, theta):
        return np.mean((theta * self.x - self.y) * self.x)

    def rate(self, m):
        a, theta, b = m
        g = self.gradient(theta)
        return np.array([-2 * theta * g, -(a + b) * g, -2 * theta * g])

    def jacobian(self, m):
        a, theta, b = m
        g, s = self.gradient(theta), np.mean(self.x**2)
        middle = -2 * g - 2 * theta * s
        return np.array([[0, middle, 0], [-g, -(a + b) * s, -g], [0, middle, 0]])

    def bend(self, p):
        """The rate's second derivative along a covariance of the moments."""
        s = np.mean(self.x**2)
        return np.array([-4 * s * p[1, 1], -2 * s * (p[0, 1] + p[1, 2]), -4 * s * p[1, 1]])

    def moments(self):
        rows = np.stack([self.w1**2, self.w1 * self.w2, self.w2**2])
        return rows.mean(1), np.cov(rows, ddof=0)

    def solved(self, until, cov, noisy, of_steps=False):
        """Mean, covariance and shift of the moments: a Lyapunov equation."""

        def rate(t, state):
            m, p, shift = state[:3], state[3:12].reshape(3, 3), state[12:]
            j = self.jacobian(m)
            dp, dshift = j @ p + p @ j.T, j @ shift + self.bend(p) / 2
            a, theta, b = m
            per_sample = (theta * self.x - self.y) * self.x
            square = np.array([b, theta, a])  # of a step, E_C of the products of increments
            if noisy:
                kick = np.array([-2 * theta, -(a + b), -2 * theta])
                dp = dp + np.outer(kick, kick) * per_sample.var()
                dshift = dshift + square * per_sample.var()
            if of_steps:
                dshift = dshift + square * per_sample.mean() ** 2 - j @ self.rate(m) / 2
            return np.concatenate([self.rate(m), dp.ravel(), dshift])

        start = np.concatenate([self.moments()[0], cov.ravel(), np.zeros(3)])
        end = solve_ivp(rate, (0, until), start, rtol=1e-10, atol=1e-12).y[:, -1]
        return end[:3], end[3:12].reshape(3, 3), end[12:]


@pytest.mark.slow
def test_a_linear_network_fluctuates_as_its_three_moments_do():
    linear, until = LinearNetwork(), 1.5
    law = nr.fluctuations(linear.problem, linear.network, until, save_at=1, directions=8, rtol=1e-7)
    mean, cov, shift = linear.solved(until, linear.moments()[1], noisy=False)
    last = law.data.isel(time=-1, output=0)
    np.testing.assert_allclose(last.prediction.values, mean[1] * linear.x, rtol=1e-4)
    neurons = last.sel(source="layer 1")
    np.testing.assert_allclose(neurons.prediction_variance, cov[1, 1] * linear.x**2, rtol=1e-5)
    np.testing.assert_allclose(neurons.prediction_bias, shift[1] * linear.x, rtol=1e-5)
    between = law.prediction_covariance(50)[-1, :, 0, :, 0]
    np.testing.assert_allclose(50 * between, cov[1, 1] * np.outer(linear.x, linear.x), rtol=1e-5)
    g, s = linear.gradient(mean[1]), np.mean(linear.x**2)
    np.testing.assert_allclose(neurons.risk_variance, g**2 * cov[1, 1], rtol=1e-5)
    np.testing.assert_allclose(neurons.risk_shift, s * cov[1, 1] / 2 + g * shift[1], rtol=1e-5)
    quadratic = law.data.risk_quadratic.sel(source="layer 1", other="layer 1")[-1]
    np.testing.assert_allclose(quadratic, (s * cov[1, 1]) ** 2 / 2, rtol=1e-5)
    ratio = np.abs(shift[1]) / np.sqrt(50 * cov[1, 1])
    np.testing.assert_allclose(law.term_ratio(50)[-1], ratio, rtol=1e-5)
    remainder = ratio**2 * np.abs(neurons.risk_shift.values) / 50
    np.testing.assert_allclose(law.risk_mean_remainder(50)[-1], remainder, rtol=1e-5)


class DeepLinearNetwork:
    r"""$\hat y = \theta x$, L = 3, with $w_2^0 = \alpha \otimes \beta$: eight coefficients move alone.

    Weights stay in the span of the initial ones: $w_1 = a \cdot U$, $w_3 = c \cdot V$, $w_2 = U^T M V$ with
    $U = (w_1^0, \alpha)$, $V = (w_3^0, \beta)$, and measures enter by $G_1 = E[U U^T]$, $G_2 = E[V V^T]$:
    $a' = -g M G_2 c$, $M' = -g\, a c^T$, $c' = -g M^T G_1 a$, $\theta = a^T G_1 M G_2 c$.
    """

    def __init__(self):
        rng = np.random.default_rng(1)
        self.x, self.y = LinearNetwork().x, LinearNetwork().y
        self.bases = [rng.normal(size=(2, n)) + 0.4 for n in (5, 6)]
        (u, alpha), (v, beta) = self.bases
        law = nr.distributions.Empirical(self.x[:, None], self.y)
        self.problem = nr.Problem(law, SQUARED)
        weights = [u[:, None], np.outer(alpha, beta), v[:, None]]
        self.network = nr.Network(weights, "identity")

    def moments(self):
        """Of each layer, and the covariance of those of one neuron."""
        rows = [np.stack([f * f, f * g, g * g]) for f, g in self.bases]
        return [r.mean(1) for r in rows], [np.cov(r, ddof=0) for r in rows]

    def theta(self, moments, until):
        g1, g2 = (np.array([[m[0], m[1]], [m[1], m[2]]]) for m in moments)

        def rate(t, state):
            a, c, m = state[:2], state[2:4], state[4:].reshape(2, 2)
            g = np.mean((a @ g1 @ m @ g2 @ c * self.x - self.y) * self.x)
            return -g * np.concatenate([m @ g2 @ c, m.T @ g1 @ a, np.outer(a, c).ravel()])

        start = np.array([1.0, 0, 1, 0, 0, 0, 0, 1])
        end = solve_ivp(rate, (0, until), start, "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
        return end[:2] @ g1 @ end[4:].reshape(2, 2) @ g2 @ end[2:4]

    def along(self, layer, until, step=1e-3):
        """Variance of theta and its bias, from differences along the principal moments of a layer."""
        means, covs = self.moments()
        variance = bias = 0.0
        sizes, axes = np.linalg.eigh(covs[layer])
        for size, axis in zip(sizes, axes.T, strict=True):
            delta = np.sqrt(max(size, 0.0)) * axis

            def at(h, delta=delta):
                return self.theta(
                    [m + h * delta * (i == layer) for i, m in enumerate(means)], until
                )

            far, near = ((at(h) - at(-h)) / (2 * h) for h in (2 * step, step))
            wide, narrow = ((at(h) - 2 * at(0) + at(-h)) / h**2 for h in (2 * step, step))
            variance += ((4 * near - far) / 3) ** 2
            bias += (4 * narrow - wide) / 6
        return variance, bias


@pytest.mark.slow
def test_a_deep_linear_network_fluctuates_as_its_eight_coefficients_do():
    deep, until = DeepLinearNetwork(), 1.0
    law = nr.fluctuations(deep.problem, deep.network, until, save_at=1, directions=8, rtol=1e-7)
    last = law.data.isel(time=-1, output=0)
    theta = deep.theta(deep.moments()[0], until)
    assert abs(theta - deep.theta(deep.moments()[0], 0.0)) > 0.1  # it has moved
    np.testing.assert_allclose(last.prediction.values, theta * deep.x, rtol=1e-4)
    for layer in (0, 1):
        variance, bias = deep.along(layer, until)
        found = last.sel(source=f"layer {layer + 1}")
        np.testing.assert_allclose(found.prediction_variance, variance * deep.x**2, rtol=1e-5)
        np.testing.assert_allclose(found.prediction_bias, bias * deep.x, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 3])
def test_the_stable_rate_is_where_the_mean_square_of_a_perturbation_stops_falling(batch):
    """Two inputs at a right angle: each batch shrinks a component by as often as it saw its input."""
    w1 = np.sqrt(2.0) * np.asarray([[1, 0], [-1, 0], [0, 1], [0, -1]]) + 0.0
    w2 = np.asarray([0.5, -0.5, 0.5, -0.5])
    x = np.sqrt(2.0) * np.eye(2)
    problem = nr.Problem(nr.distributions.Empirical(x, np.zeros(2)), SQUARED)
    start = nr.Network([w1, w2[:, None]], "identity")
    law = nr.fluctuations(problem, start, 0.1, save_at=2, directions=4)
    rate = law.stable_rate(batch)
    assert np.all(np.diff(rate) <= 0)
    kernel = np.asarray(tangent_kernel(start, x, [1.0, 1.0]))[:, 0, :, 0]
    np.testing.assert_allclose(kernel[0, 1], 0, atol=1e-12)
    seen = np.arange(batch + 1)
    growth = binom.pmf(seen, batch, 0.5) @ (1 - rate[0] * kernel[0, 0] * seen / batch) ** 2
    np.testing.assert_allclose(growth, 1.0, rtol=1e-6)


@pytest.mark.parametrize("rtol", [1e-2, 1e-4])
def test_a_linear_network_trained_by_sgd_fluctuates_as_its_three_moments_do(rtol):
    """On long steps too."""
    linear, until, none = LinearNetwork(), 1.5, np.zeros((3, 3))
    law = nr.fluctuations(
        linear.problem, linear.network, until, save_at=1, directions=256, rtol=rtol
    )
    _, cov, shift = linear.solved(until, none, noisy=True)
    of_samples = law.data.isel(time=-1, output=0).sel(source="samples")
    variance, bias = of_samples.prediction_variance, of_samples.prediction_bias
    assert np.all(of_samples.prediction_variance_error < 0.002 * variance)
    assert np.all(of_samples.prediction_bias_error < 0.02 * np.abs(bias))
    np.testing.assert_allclose(variance, cov[1, 1] * linear.x**2, rtol=0.006)
    np.testing.assert_allclose(bias, shift[1] * linear.x, rtol=0.05)
    steps = linear.solved(until, none, noisy=False, of_steps=True)[2]
    found = law.data.prediction_step_bias.isel(time=-1, output=0)
    np.testing.assert_allclose(found, steps[1] * linear.x, rtol=10 * rtol)


# what users ask


@pytest.fixture(scope="module")
def law():
    with jax.enable_x64(True):
        start = nr.embeddings.Bidirectional(2, 3, rank=2, gain=2.0)
        return nr.fluctuations(problem_of(5), start, 2.0, 64, save_at=4, directions=8)


def test_scales_are_those_of_the_theory(law):
    variance = lambda *at: law.risk_sd(*at) ** 2
    quadratic = lambda *at: variance(*at) - law._scales(*at) @ law.data.risk_variance.values
    one, both = ((100, 400), 0.02, 2), ((200, 800), 0.01, 2)
    np.testing.assert_allclose(quadratic(*one), 4 * quadratic(*both), atol=1e-15)
    shift = lambda *at: law.risk_mean(*at) - law.risk
    with pytest.warns(nr.InaccuracyWarning):
        np.testing.assert_allclose(shift(*one), 2 * shift(*both), atol=1e-15)


def test_draws_have_the_largest_value_of_a_gaussian_process():
    r"""Of two independent normals, $E \max(z_1^2, z_2^2) = 1 + 2/\pi$; of one and its double, 4.

    Of directions drawn at random the mean counts, and not the sum.
    """
    times = lambda *values: np.asarray(values, float)[:, :, None, None] * np.ones((1, 1, 3, 1))
    apart, same = times([1, 0], [0, 1]), times([1, 2])
    sources = [Source(apart, apart, 2), Source(same, same, 1), Source(2 * apart, apart, 0)]
    rng = np.random.default_rng(0)
    found = square_draws(sources, np.full(3, 1 / 3), 200_000, rng).max(axis=0).mean(axis=0)
    np.testing.assert_allclose(np.diag(found), [1 + 2 / np.pi, 4, 2 + 4 / np.pi], rtol=0.02)


def test_draws_have_the_variance(law):
    mean = law.data.square_draws.mean("draw").values
    spread = law.data.prediction_variance.sum("output").values @ law.data.mass.values
    error = law.data.square_draws.std("draw").values / np.sqrt(law.data.sizes["draw"])
    sources = np.arange(len(spread))
    assert np.all(np.abs(mean[:, sources, sources].T - spread) <= 4 * error[:, sources, sources].T)
    assert np.all(np.abs(mean[:, 0, 1:]) <= 4 * error[:, 0, 1:])


def test_covariances_have_the_variances_of_all_sources(law):
    at = ((50, 200), 0.1, 2)
    found = law.prediction_covariance(*at)
    flat = found.reshape(len(found), 5, 5)
    of_each = np.diagonal(flat, axis1=1, axis2=2)
    np.testing.assert_allclose(of_each, law.prediction_sd(*at)[..., 0] ** 2, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(flat, flat.transpose(0, 2, 1), rtol=1e-12)
    assert np.linalg.eigvalsh(flat).min() > -1e-3 * flat.max()  # between ends of steps
    error = law.data.prediction_covariance_error
    assert error.shape == law.data.prediction_covariance.shape and error.max() > 0


@pytest.mark.slow
def test_another_law_judges_without_taking_part():
    """On rows of no weight derivatives are those of a finite law that has them; the motion is as without."""
    problem, other = problem_of(5, k=2), problem_of(8, k=2).distribution
    network = network_of(2, 4, 5, 2)
    how = {"save_at": 2, "directions": 16}
    plain = nr.fluctuations(problem, network, 0.8, **how)
    judged = nr.fluctuations(problem, network, 0.8, judge=other, **how)
    own = nr.fluctuations(problem, network, 0.8, judge=problem.distribution, **how)
    assert judged.data.sizes["input"] == 8 and judged.prediction_covariance(9).shape[1:3] == (8, 2)
    # The first five rows of the other law are those of the problem's own.
    np.testing.assert_allclose(other.x[:5], problem.distribution.x)
    for name in ("prediction", "prediction_variance", "prediction_bias", "prediction_step_bias"):
        neurons = {"source": slice(0, 2)} if "source" in plain.data[name].dims else {}
        values = lambda law, name=name, at=neurons: law.data[name].isel(**at, input=slice(0, 5))
        np.testing.assert_allclose(values(judged), values(plain), rtol=1e-6, atol=1e-12)
    for name in ("risk", "risk_variance", "risk_shift", "risk_step_bias", "risk_quadratic"):
        # Between the ends of steps a risk is not quite that of the predictions there.
        rtol = 1e-4 if name == "risk" else 1e-6
        np.testing.assert_allclose(own.data[name], plain.data[name], rtol=rtol, atol=1e-12)
    run = nr.solve(problem, network, 0.8, save_at=2, rtol=1e-3)
    expected = [float(nr.Problem(other, SQUARED).risk(run.at(t))) for t in run.times]
    np.testing.assert_allclose(judged.risk, expected, rtol=1e-3)


def test_distances_are_those_that_couple_measures(law):
    found = law.distances([50, 200], [0.1, 0.025], 2)
    mean_square = law.prediction_sd(50, 0.1, 2)[..., 0] ** 2 @ law.data.mass.values
    assert found.sel(pair="sgd-limit")[0, 0] ** 2 > 0.9 * mean_square.max()
    np.testing.assert_allclose(
        found.sel(pair="flow-limit")[0, 0], 2 * found.sel(pair="flow-limit")[0, 1]
    )
    np.testing.assert_allclose(*found.sel(pair="sgd-flow")[0])
    np.testing.assert_allclose(*(found.sel(pair="sgd-flow")[:, 0] * [1, 2]))


@pytest.mark.slow
def test_repeats_tell_what_other_nodes_would_give():
    """Few nodes are far from many by their error of repeats, and by far more than that of directions."""
    make = lambda nodes, repeats, key, rule="monte-carlo": nr.fluctuations(
        problem_of(5), nr.embeddings.Bidirectional(2, 2), 1.0, nodes, rule, save_at=1, directions=8,
        repeats=repeats, key=key, rtol=1e-2,
    ).data.isel(time=-1, output=0)  # fmt: skip
    exact = make(512, 1, 0, "sobol").sel(source="layer 1")
    several, one = (make(32, repeats, 1).sel(source="layer 1") for repeats in (8, 1))
    gap = lambda found: found.prediction_variance - exact.prediction_variance
    error = several.prediction_variance_error
    assert np.all(np.abs(gap(several)) < 4 * error)
    assert float(error.mean()) > 3 * float(one.prediction_variance_error.mean())
    assert several.sizes["draw"] == 8 * one.sizes["draw"]


def test_averages_have_the_standard_error_of_the_scatter(law):
    shifted = [law.data.assign(risk_variance=law.data.risk_variance + d) for d in (-3.0, 0.0, 3.0)]
    found = averaged(shifted)
    np.testing.assert_allclose(found.risk_variance, law.data.risk_variance, atol=1e-12)
    np.testing.assert_allclose(found.risk_variance_error, np.sqrt(3.0))
    np.testing.assert_allclose(found.risk_shift_error, law.data.risk_shift_error / np.sqrt(3.0))
    assert set(found.variables) == set(law.data.variables)


def test_the_width_for_an_excess_is_the_least(law):
    excess = 0.5 * float(law.data.risk_shift.values[:-1, 2].sum())
    if excess <= 0:
        pytest.skip("the shift is negative")
    n = law.width_for(excess, at=law.times[2])
    beyond = lambda n: float((law._scales(n, 0.0, 1) @ law.data.risk_shift.values)[2])
    assert beyond(n) <= excess < beyond(n - 1)


@pytest.mark.slow
def test_refusals(law):
    for call, word in (
        (lambda: law.risk_sd(0), "width"),
        (lambda: law.risk_sd((10, 10, 10)), "width"),
        (lambda: law.risk_sd(10, -1.0), "learning_rate"),
        (lambda: law.risk_sd(10, 0.1, 0), "batch_size"),
        (lambda: law.width_for(0.0), "excess"),
        (lambda: law.width_for(1.0, at=3.0), "at"),
        (lambda: law.width_for(1e-9, learning_rate=1.0), "excess"),
    ):
        with pytest.raises(nr.InvalidInput, match=word):
            call()
    problem = problem_of(5)
    alike = nr.embeddings.IID(2, 3, mean=1.0, std=0.0)
    with pytest.raises(nr.InvalidInput, match="start: its neurons are all alike"):
        nr.fluctuations(problem, alike, 1.0, 16)
    with pytest.raises(nr.InvalidInput, match="directions"):
        nr.fluctuations(problem, nr.embeddings.IID(2, 2), 1.0, 16, directions=3)
    for judge in (problem, problem_of(5, d=3).distribution):
        with pytest.raises(nr.InvalidInput, match="judge|input_dim"):
            nr.fluctuations(problem, nr.embeddings.IID(2, 2), 1.0, 16, judge=judge)


@pytest.mark.slow
def test_independent_weights_at_three_layers_have_a_deviation_and_no_mean():
    found = nr.fluctuations(
        problem_of(4), nr.embeddings.IID(2, 3, mean=1.0), 1.0, 32, save_at=2, directions=6
    )
    assert np.all(found.prediction_sd(100) > 0)
    for ask in (found.risk_mean, found.risk_mean_error, found.prediction_mean):
        with pytest.raises(nr.InvalidInput, match="single weights"):
            ask(100)


@pytest.mark.parametrize(
    ("depth", "rule", "complete"),
    [
        (3, ("sobol", "sample"), True),
        (3, ("sample", "sobol"), True),
        (4, ("sobol", "sample", "sobol"), True),
        (4, ("sample", "sobol", "sobol"), False),
        (4, "sobol", False),
        (2, "sobol", True),
    ],
)
def test_means_are_there_where_no_two_limits_of_independent_weights_meet(depth, rule, complete):
    assert _limits_meet(nr.embeddings.IID(2, depth, mean=1.0), rule) != complete
    assert not _limits_meet(nr.embeddings.Bidirectional(2, depth), rule)


@pytest.mark.slow
def test_beside_sampled_neurons_the_limit_of_independent_weights_has_a_mean():
    """Of nodes that have the weights to each of four neurons, as of a network of the same neurons."""
    embedding, rules = nr.embeddings.IID(2, 3, mean=1.0), ("monte-carlo", "sample")
    how = {"save_at": 1, "directions": 64, "rtol": 1e-2}
    half = nr.fluctuations(problem_of(4), embedding, 0.5, (32, 4), rules, key=5, **how)
    network = embedding.quadrature((32, 4), rules, jax.random.split(jax.random.key(5))[0])
    whole = nr.fluctuations(problem_of(4), network, 0.5, **how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nr.InaccuracyWarning)
        np.testing.assert_allclose(half.risk_mean((100, 10)), whole.risk_mean((100, 10)), rtol=1e-6)


class Falling(nr.losses.Loss):
    r"""$-\hat y^4$, whose gradient flow leaves the finite numbers in finite time."""

    def __call__(self, y, prediction):
        return -jnp.sum(prediction**4, axis=1)

    def gradient(self, y, prediction):
        return -4 * prediction**3

    def infimum(self, y, weights):
        return jnp.full(len(y), -jnp.inf)


@pytest.mark.slow
def test_a_horizon_past_divergence_is_told():
    x = np.array([[1.0, 1.0]])
    problem = nr.Problem(nr.distributions.Empirical(x, np.zeros(1)), Falling())
    start = nr.Network([np.array([[0.5, 0.25], [0.25, 0.5]]), np.full((2, 1), 0.5)], "identity")
    before = nr.fluctuations(problem, start, 0.01, save_at=1, directions=4)
    assert np.all(np.isfinite(before.risk_sd(10)))
    with pytest.raises((nr.DivergenceError, nr.InvalidInput), match="finite|not reached in"):
        nr.fluctuations(problem, start, 5.0, save_at=1, directions=4)


def test_few_nodes_are_told(law):
    with pytest.warns(nr.InaccuracyWarning, match="take more nodes"):
        law.risk_mean(100_000)


@pytest.mark.long
@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_networks_fluctuate_as_predicted(rate):
    problem = problem_of(6)
    embedding = nr.embeddings.Bidirectional(2, 3, rank=2, gain=2.0)
    n, seeds, until = 100, 200, 2.0
    law = nr.fluctuations(problem, embedding, until, 512, save_at=2, directions=24)
    x = problem.distribution.x
    risks, predictions = [], []
    for s in range(seeds):
        network = embedding.sample(n, s)
        if rate:
            run = nr.train(problem, network, rate, until, key=s, save_at=2)
        else:
            run = nr.solve(problem, network, until, save_at=2)
        risks.append(run.loss)
        predictions.append(run.network(x)[:, 0])
    measured = np.std(risks, axis=0, ddof=1)
    error = 3 / np.sqrt(2 * seeds)
    np.testing.assert_allclose(law.risk_sd(n, rate), measured, rtol=error)
    measured = np.std(predictions, axis=0, ddof=1)
    np.testing.assert_allclose(law.prediction_sd(n, rate)[-1, :, 0], measured, rtol=error)

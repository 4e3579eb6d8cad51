"""Weight decay against closed forms: linear networks of which one layer moves."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg

import neuronal as nr
from neuronal.kernels import factored

pytestmark = pytest.mark.usefixtures("float64")

TIMES = np.linspace(0, 2, 5)
STRENGTH = 0.7
X = np.array([[1.0, 0.2], [-0.5, 1.0], [0.3, -0.8], [-1.1, -0.4]])
Y = np.array([0.5, -1.0, 0.8, 0.1])
SECOND = X.T @ X / len(X)
CROSS = X.T @ Y / len(X)


def frozen(depth, moving):
    """Schedules by which one layer moves alone."""
    return [nr.schedules.constant(float(i == moving)) for i in range(1, depth + 1)]


def problem(depth, moving, decay=STRENGTH):
    law = nr.distributions.Empirical(X, Y)
    return nr.Problem(law, nr.losses.Squared(), frozen(depth, moving), decay)


def one_hidden_layer(width=40):
    first = np.random.default_rng(0).normal([0.5, -1.0], size=(width, 2))
    return nr.Network([first, np.ones((width, 1))], "identity")


def mean_and_covariance(network, p=None):
    w = np.asarray(network.weights[0])
    mean = w.mean(axis=0)
    return mean, (w - mean).T @ (w - mean) / len(w)


def expected_mean(start, t):
    """dm/dt = CROSS - (SECOND + lambda) m."""
    a = SECOND + STRENGTH * np.eye(2)
    rest = np.linalg.solve(a, CROSS)
    return rest + linalg.expm(-t * a) @ (start - rest)


def test_a_linear_neuron_s_mean_and_covariance_in_time():
    """The mean solves ridge regression's flow; what neurons differ by decays alone."""
    network = one_hidden_layer()
    run = nr.solve(problem(2, 1), network, TIMES[-1], rtol=1e-11, atol=1e-13, save_at=TIMES[1:])
    mean, covariance = mean_and_covariance(network)
    for t in TIMES:
        now = mean_and_covariance(run.at(t))
        np.testing.assert_allclose(now[0], expected_mean(mean, t), atol=1e-8)
        np.testing.assert_allclose(now[1], np.exp(-2 * STRENGTH * t) * covariance, atol=1e-8)


@pytest.mark.parametrize("width", [40, 700])
def test_a_linear_neuron_s_mean_and_covariance_by_sgd(width):
    """Every step sees all samples: m <- m + eps (CROSS - (SECOND + lambda) m), exactly."""
    eps, steps = 0.05, 37
    network = one_hidden_layer(width)
    stream = (np.tile(X, (steps, 1, 1)), np.tile(Y, (steps, 1)))
    run = nr.train(problem(2, 1), network, eps, eps * steps, 0, data=stream, save_at=1)
    mean, covariance = mean_and_covariance(network)
    for _ in range(steps):
        mean = mean + eps * (CROSS - SECOND @ mean - STRENGTH * mean)
    found = mean_and_covariance(run.network)
    np.testing.assert_allclose(found[0], mean, atol=1e-12)
    shrunk = (1 - eps * STRENGTH) ** (2 * steps) * covariance
    np.testing.assert_allclose(found[1], shrunk, atol=1e-12)


class Middle:
    """L = 3, of which w_2 moves alone: w_2(t) = a(t) w_2(0) + sum_j b_j(t) w_{1,j} w_3.

    With v = E[w_3 w_2(0) w_1], G = E[w_1 w_1^T] and s = E[w_3^2] the prediction is
    <a v + s G b, x>, da/dt = -lambda a and db/dt = CROSS - SECOND (a v + s G b) - lambda b.
    """

    def __init__(self, kernel, widths=(90, 80)):
        rng = np.random.default_rng(1)
        n, n_out = widths
        self.first, self.last = rng.normal(size=(n, 2)), rng.normal(size=(n_out, 1))
        u, v = rng.normal(size=(n, 3)), rng.normal(size=(n_out, 3))
        self.start = u @ v.T
        middle = factored(u, v) if kernel == "factored" else self.start
        self.network = nr.Network([self.first, middle, self.last], "identity")
        self.v = self.first.T @ self.start @ self.last[:, 0] / (n * n_out)
        self.gram = self.first.T @ self.first / n
        self.size = float(np.mean(self.last**2))

    def rate(self, state, strength=STRENGTH):
        a, b = state[0], state[1:]
        predicted = a * self.v + self.size * self.gram @ b
        return np.concatenate([[-strength * a], CROSS - SECOND @ predicted - strength * b])

    def weights(self, state):
        return state[0] * self.start + (self.first @ state[1:])[:, None] * self.last[:, 0]

    def exact(self, t):
        """The state at t, by the exponential of the linear system with a constant coordinate."""
        zero = self.rate(np.zeros(3))
        matrix = np.zeros((4, 4))
        matrix[:3, :3] = np.stack([self.rate(e) - zero for e in np.eye(3)], axis=1)
        matrix[:3, 3] = zero
        return (linalg.expm(t * matrix) @ [1.0, 0.0, 0.0, 1.0])[:3]


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_a_kernel_decays_and_learns_as_its_closed_form(kernel):
    case = Middle(kernel)
    run = nr.solve(
        problem(3, 2), case.network, TIMES[-1], rtol=1e-10, atol=1e-12, save_at=TIMES[1:]
    )
    assert run.report.kernel.startswith(kernel)
    for t in TIMES:
        w = run.at(t).matrices[1]
        np.testing.assert_allclose(w, case.weights(case.exact(t)), atol=1e-8)


@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_a_kernel_decays_and_learns_by_sgd(kernel):
    eps, steps = 0.05, 90
    case = Middle(kernel)
    stream = (np.tile(X, (steps, 1, 1)), np.tile(Y, (steps, 1)))
    run = nr.train(problem(3, 2), case.network, eps, eps * steps, 0, data=stream, save_at=1)
    state = np.array([1.0, 0.0, 0.0])
    for _ in range(steps):
        state = state + eps * case.rate(state)
    np.testing.assert_allclose(run.network.matrices[1], case.weights(state), atol=1e-9)


def test_strengths_may_change_in_time_and_differ_by_layer():
    """A layer without targets to learn decays by the integral of its strength times its rate."""
    law = nr.distributions.Empirical(np.zeros((1, 2)), [0.0])
    rates = [nr.schedules.constant(0.5), nr.schedules.constant(2.0)]
    decaying = nr.Problem(law, nr.losses.Squared(), rates, [lambda t: 0.3 + 0.4 * t, 0.25])
    network = one_hidden_layer()
    run = nr.solve(decaying, network, 2.0, rtol=1e-11, atol=1e-13, save_at=2)
    first, last = (np.asarray(w) for w in network.weights)
    np.testing.assert_allclose(run.network.weights[0], first * np.exp(-0.5 * 1.4), rtol=1e-9)
    np.testing.assert_allclose(run.network.weights[1], last * np.exp(-2.0 * 0.5), rtol=1e-9)


def nonlinear(decay, kernel="dense", depth=4):
    inputs = nr.distributions.Biased(nr.distributions.Uniform())
    law = nr.distributions.Regression(lambda x: jnp.sin(3 * x[:, 0]), inputs)
    asked = nr.Problem(law, nr.losses.PseudoHuber(), decay=decay)
    embedding = nr.embeddings.Bidirectional(2, depth, rank=3, inputs=asked.quadrature(16)[0])
    how = {"rtol": 1e-9, "atol": 1e-11, "data_nodes": 12, "save_at": 2, "kernel": kernel}
    return asked, nr.solve(asked, embedding, 1.0, nodes=48, **how)


DECAYS = [0.2, 0.5, 0.3, 0.1]


@pytest.mark.slow
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_a_neuron_of_the_limit_is_carried_to_its_own_weights(layer):
    """Equations (3) and (4) with the decay in them: forward is the limit's own, and back again."""
    _, run = nonlinear(DECAYS)
    pair = lambda network: (
        network.weights[0][5] if layer == 1 else network.weights[layer - 1][:, 5],
        network.weights[layer][5],
    )
    seen = nr.fields(run, layer, rtol=1e-8)
    forward = nr.flow(seen, layer, pair(run.at(0.0)), rtol=1e-9, atol=1e-11)
    for ours, theirs in zip(forward, pair(run.network), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)
    back = nr.reverse_flow(seen, layer, forward, rtol=1e-9, atol=1e-11)
    for ours, theirs in zip(back, pair(run.at(0.0)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)


@pytest.mark.slow
def test_factored_and_dense_limits_agree_and_solve_the_integrated_equation():
    _, dense = nonlinear(DECAYS)
    _, wide = nonlinear(DECAYS, "factored")
    for a, b in zip(dense.network.matrices, wide.network.matrices, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)
    assert float(np.max(nr.residual(dense))) < 1e-7


@pytest.mark.slow
def test_the_certificate_says_that_the_paper_has_no_decay():
    asked, run = nonlinear(0.1)
    embedding = nr.embeddings.Bidirectional(2, 4, rank=3, inputs=asked.quadrature(16)[0])
    with_decay = nr.certify(asked, embedding, run)
    assert with_decay["2 motion"].status == "unknown"
    assert "decay" in with_decay["2 motion"].how
    plain = nr.certify(nonlinear(0.0)[0], embedding)
    assert all(row.condition != "2 motion" for row in plain.rows)


@pytest.mark.slow
def test_no_decay_is_the_paper_s_system_bit_for_bit():
    for a, b in zip(
        nonlinear(None)[1].network.weights, nonlinear([0, 0, 0, 0])[1].network.weights, strict=True
    ):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("decay", "says"),
    [
        (-0.1, "decay: takes a number >= 0"),
        (float("nan"), "decay: takes a number >= 0"),
        ("much", "decay: takes a number >= 0"),
        ([0.1, 0.2], "decay: takes one callable, or one a layer"),
    ],
)
def test_bad_decay_is_named(decay, says):
    law = nr.distributions.Empirical(X, Y)
    with pytest.raises(nr.InvalidInput, match=says):
        nr.Problem(law, nr.losses.Squared(), decay=decay).check(nr.embeddings.Bidirectional(2, 3))

"""SGD against the NumPy reference, on an explicit stream and on the samples that it draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_reference import Reference, random_case

import neuronal as nr

LAWS = nr.distributions
WIDTHS = {2: (7,), 3: (5, 8), 5: (4, 6, 3, 5)}
NAMES = {
    2: ("tanh", "identity"),
    3: ("erf", "sigmoid", "identity"),
    5: ("tanh", "sin", "softsign", "tanh", "sin"),
}
STEPS, EPS = 200, 0.05

pytestmark = pytest.mark.usefixtures("float64")


def schedules(depth, library):
    """A schedule a layer, each varying in time, in JAX or in NumPy."""
    return [lambda t, i=i: 1 + 0.5 * library.cos(0.3 * (i + 1) * t + i) for i in range(depth)]


def far(ours, theirs):
    """The largest error relative to the largest number of its layer."""
    return max(np.max(np.abs(a - b)) / np.max(np.abs(b)) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_two_hundred_steps_are_those_of_the_reference(depth, batch):
    weights, measures = random_case(depth, WIDTHS[depth], d=2)
    rng = np.random.default_rng(batch)
    x = rng.normal(size=(STEPS, batch, 2))
    y = np.sin(2 * x[..., :1]) + 0.1 * rng.normal(size=(STEPS, batch, 1))
    law = LAWS.Empirical(x[0], y[0])
    problem = nr.Problem(law, nr.losses.PseudoHuber(), schedules(depth, jnp))
    network = nr.Network(weights, NAMES[depth], measures)
    run = nr.train(problem, network, EPS, STEPS * EPS, key=0, data=(x, y[..., 0]), save_at=4)
    reference = Reference(measures, NAMES[depth], "pseudo_huber")
    expected = reference.sgd(weights, schedules(depth, np), EPS, x, y)
    assert far(run.network.weights, expected) < 1e-10
    assert far(weights, expected) > 1e-2  # it went somewhere
    assert run.report.steps == STEPS
    half = reference.sgd(weights, schedules(depth, np), EPS, x[:100], y[:100])
    assert far(run.at(100 * EPS).weights, half) < 1e-10
    # The recorded loss is the risk under the law, at each recorded time.
    q = np.full(batch, 1 / batch)
    for w, loss in ((weights, run.loss[0]), (half, run.loss[2]), (expected, run.loss[-1])):
        np.testing.assert_allclose(loss, reference.risk(w, x[0], y[0], q), rtol=1e-9)


@pytest.mark.parametrize("coded", ["class numbers", "probabilities"])
def test_three_classes_by_cross_entropy(coded):
    weights, measures = random_case(0, WIDTHS[3], d=2, k=3)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(STEPS, 2, 2))
    y = (
        rng.integers(3, size=(STEPS, 2))
        if coded == "class numbers"
        else rng.dirichlet(np.ones(3), size=(STEPS, 2))
    )
    problem = nr.Problem(LAWS.Empirical(x[0], y[0]), nr.losses.CrossEntropy())
    network = nr.Network(weights, "tanh", measures)
    run = nr.train(problem, network, EPS, STEPS * EPS, key=0, data=(x, y), save_at=1)
    reference = Reference(measures, ("tanh", "tanh", "identity"), "cross_entropy", outputs=3)
    expected = reference.sgd(weights, [lambda t: 1.0] * 3, EPS, x, y.reshape(STEPS, 2, -1))
    assert far(run.network.weights, expected) < 1e-10
    assert far(weights, expected) > 1e-2


@pytest.fixture(scope="module")
def drawn():
    """A problem with fresh samples, a network and a run of it."""
    with jax.enable_x64(True):
        law = LAWS.Regression(
            lambda x: jnp.sin(2 * x[:, 0]), LAWS.Biased(LAWS.Uniform()), noise=0.1
        )
        problem = nr.Problem(law, nr.losses.PseudoHuber(), nr.schedules.cosine(8.0, 1.0, 0.3))
        weights, measures = random_case(4, WIDTHS[3], d=2)
        network = nr.Network(weights, "tanh", measures)
        return problem, network, nr.train(problem, network, 0.1, 8.0, key=5, save_at=8)


def test_a_run_taken_up_again_goes_on_with_the_same_samples(drawn):
    problem, network, whole = drawn
    first = nr.train(problem, network, 0.1, 3.0, key=5, save_at=8)
    rest = nr.train(problem, first.network, 0.1, 8.0, key=5, since=3.0, save_at=8)
    for a, b in zip(rest.network.weights, whole.network.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    other = nr.train(problem, network, 0.1, 8.0, key=6, save_at=8)
    assert far(other.network.weights, whole.network.weights) > 1e-3


def test_states_between_records_are_those_of_a_run_that_records_them(drawn):
    problem, network, whole = drawn
    fine = nr.train(problem, network, 0.1, 8.0, key=5, save_at=80)
    np.testing.assert_allclose(fine.times, 0.1 * np.arange(81), atol=1e-12)
    x = np.array([[-0.5, 1.0], [0.3, 1.0]])
    np.testing.assert_allclose(whole.predict(x), fine.predict(x)[::10], rtol=1e-12)
    np.testing.assert_allclose(whole.loss, fine.loss[::10], rtol=1e-12)
    for t, at in zip(fine.times, fine.networks(), strict=True):
        np.testing.assert_array_equal(at(x), fine.at(t)(x))
    # 2.57 lies within a step: SGD is at its last step, k = 25.
    np.testing.assert_array_equal(whole.at(2.57)(x), fine.at(2.5)(x))


def test_save_at_takes_nothing_a_number_or_times(drawn):
    problem, network, whole = drawn
    assert len(nr.train(problem, network, 0.1, 8.0, key=5).times) == 65
    np.testing.assert_allclose(whole.times, np.arange(9.0), atol=1e-12)
    given = nr.train(problem, network, 0.1, 8.0, key=5, save_at=[0.52, 3.0])
    np.testing.assert_allclose(given.times, [0, 0.5, 3, 8], atol=1e-12)
    assert given.loss[-1] == whole.loss[-1]


def test_smaller_steps_at_the_same_time_approach_the_ode():
    """SGD of batch 1 deviates from gradient flow as the square root of the step."""
    law = LAWS.Empirical(np.array([[1.0, 0.4], [-0.6, 1.0]]), np.array([0.8, -0.5]))
    problem = nr.Problem(law, nr.losses.LogCosh())
    weights, measures = random_case(7, (5, 8), d=2)
    network = nr.Network(weights, "tanh", measures)
    exact = nr.solve(problem, network, 2.0, rtol=1e-8, atol=1e-10, save_at=1).network.weights
    errors = []
    for eps in (0.2, 0.0125):
        runs = [nr.train(problem, network, eps, 2.0, key=s, save_at=1) for s in range(24)]
        errors.append(
            np.sqrt(np.mean([np.sum((r.network.weights[1] - exact[1]) ** 2) for r in runs]))
        )
    assert 0.35 < np.log(errors[0] / errors[1]) / np.log(16) < 0.65


def test_a_quarter_of_the_mass_gets_a_quarter_of_the_samples():
    """Weighted data: each step's gradient has the mean that E_Z says, within 5 deviations."""
    law = LAWS.Empirical([[1.0], [1.0]], [0.0, 1.0], weights=[0.25, 0.75])
    problem = nr.Problem(law, nr.losses.Squared())
    network = nr.Network([[[0.0]], [[0.0]]], "sigmoid")  # y_hat = w_2 / 2; w_1 stays at w_2 = 0
    eps, steps = 1e-6, 4000
    run = nr.train(problem, network, eps, eps * steps, key=1, save_at=1)
    # w_2 = eps * (number of ones) / 2, up to its own drift, here of order eps * steps.
    share = 2 * float(run.network.weights[1][0, 0]) / (eps * steps)
    assert abs(share - 0.75) < 5 * np.sqrt(0.25 * 0.75 / steps) + eps * steps


@pytest.mark.parametrize("wide", [False, True])
def test_either_precision_is_kept_and_the_default_is_single(wide):
    with jax.enable_x64(wide):
        weights, measures = random_case(9, (5, 8), d=2)
        x = np.random.default_rng(0).normal(size=(50, 1, 2))
        problem = nr.Problem(LAWS.Empirical(x[:, 0], x[:, 0, 0]), nr.losses.Squared())
        network = nr.Network(weights, "tanh", measures)
        run = nr.train(problem, network, 0.02, 1.0, key=0, data=(x, x[..., 0]), save_at=2)
        assert {w.dtype for w in run.network.weights} == {np.dtype("f8" if wide else "f4")}
        reference = Reference(measures, ("tanh", "tanh", "identity"), "squared")
        expected = reference.sgd(weights, [lambda t: 1.0] * 3, 0.02, x, x[..., :1])
        assert far(run.network.weights, expected) < (1e-12 if wide else 2e-5)


def test_a_rate_that_diverges_stops_with_the_last_finite_state(drawn):
    _, network, _ = drawn
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 2))
    problem = nr.Problem(LAWS.Empirical(x, 10 * x[:, 0]), nr.losses.Squared())
    linear = nr.Network(network.weights, "identity", network.measures)
    with pytest.raises(nr.DivergenceError, match="learning rate") as caught:
        nr.train(problem, linear, 1.0, 60.0, key=0, save_at=60)
    error = caught.value
    assert isinstance(error, ValueError)
    assert error.trajectory is not None
    kept = error.trajectory
    assert kept.times[-1] < error.time < 60
    assert all(np.isfinite(w).all() for w in kept.network.weights)
    assert np.isfinite(kept.loss).all()
    # What was kept is the run up to there, not the start.
    again = nr.train(problem, linear, 1.0, kept.times[-1], key=0, save_at=1)
    for state in (kept.network, kept.at(kept.times[-1])):
        np.testing.assert_array_equal(again.network.weights[1], state.weights[1])
    assert "diverged" in kept.report.stopped

"""Langevin noise against moments of linear neurons in closed form, and a Boltzmann law of nonlinear ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr

pytestmark = pytest.mark.usefixtures("float64")

X = np.array([[1.0, 0.2], [-0.5, 1.0], [0.3, -0.8], [-1.1, -0.4]])
Y = np.array([0.5, -1.0, 0.8, 0.1])
SECOND, CROSS = X.T @ X / len(X), X.T @ Y / len(X)
LAW = nr.distributions.Empirical(X, Y)
DECAY, HEAT, EPS, STEPS = 0.7, 0.4, 0.05, 30
FIRST_ALONE = [nr.schedules.constant(0.8), nr.schedules.Frozen()]


def problem(friction=None):
    """d/dt w = 0.8 (CROSS - SECOND m - lambda w) and noise, m being the mean over neurons."""
    heat = [lambda t: HEAT * (1 + t), 0]
    return nr.Problem(
        LAW, nr.losses.Squared(), FIRST_ALONE, DECAY, temperature=heat, momentum=friction
    )


def neurons(n):
    first = np.random.default_rng(0).normal([0.5, -1.0], [1.0, 0.3], size=(n, 2))
    return nr.Network([first, np.ones((n, 1))], "identity")


def moments(network):
    w = np.asarray(network.weights[0])
    return w.mean(axis=0), np.cov(w.T)


def ran(asked, network, how):
    if how == "solve":
        return nr.solve(asked, network, EPS * STEPS, solver="euler", step=EPS, save_at=3, key=1)
    stream = np.tile(X, (STEPS, 1, 1)), np.tile(Y, (STEPS, 1))
    return nr.train(asked, network, EPS, EPS * STEPS, 1, data=stream, save_at=3)


@pytest.mark.parametrize("friction", [None, 1.5])
@pytest.mark.parametrize(("how", "n"), [("solve", 400), ("train", 6000)])
def test_mean_and_covariance_of_linear_neurons_are_those_of_the_steps(how, n, friction):
    """Exact for Euler's steps, of any size, at any width, within four standard errors.

    A neuron's phase is (w - m, v - mean v) and (m, mean v): linear steps with Gaussian noise. The noise
    of the mean is a neuron's over n^(1/2).
    """
    network = neurons(n)
    mean, start = moments(network)
    found_mean, found = moments(ran(problem(friction), network, how).network)

    def step(restoring):
        """The matrix of one step, and where the noise enters, for a force -restoring w per rate."""
        force = -EPS * 0.8 * restoring
        eye, zero = np.eye(len(force)), np.zeros_like(force)
        if friction is None:
            return np.block([[eye + force, zero], [zero, zero]]), np.r_[eye, zero]
        keep = (1 - EPS * friction) * eye
        return np.block([[eye + EPS * force, EPS * keep], [force, keep]]), np.r_[EPS * eye, eye]

    of_mean, enters = step(SECOND + DECAY * np.eye(2))
    of_gap, _ = step(DECAY * np.eye(2))
    drive = enters @ (EPS * 0.8 * CROSS)
    state, carried = np.r_[mean, 0, 0], np.eye(4)
    noise_mean, noise = np.zeros((4, 4)), np.zeros((4, 4))
    for k in range(STEPS):
        kick = 2 * EPS * 0.8 * HEAT * (1 + k * EPS) * (1 if friction is None else friction)
        kick = kick * enters @ enters.T
        state = of_mean @ state + drive
        noise_mean = of_mean @ noise_mean @ of_mean.T + kick / n
        noise = of_gap @ noise @ of_gap.T + kick
        carried = of_gap @ carried
    gap = np.abs(found_mean - state[:2]) / np.sqrt(np.diag(noise_mean)[:2])
    assert np.all(gap < 4)
    kept, fresh = (carried @ np.pad(start, ((0, 2), (0, 2))) @ carried.T)[:2, :2], noise[:2, :2]
    of_kept, of_fresh = np.diag(kept), np.diag(fresh)
    # Of mean (u + z)(u' + z')^T over neurons, u given and z normal.
    variance = np.outer(of_kept, of_fresh) + np.outer(of_fresh, of_kept) + 2 * kept * fresh
    variance = (variance + np.outer(of_fresh, of_fresh) + fresh**2) / n
    assert np.all(np.abs(found - kept - fresh) < 4 * np.sqrt(variance))
    assert np.all(of_fresh > 3 * np.sqrt(np.diag(variance)))  # the noise is seen


def test_nonlinear_neurons_come_to_the_boltzmann_law_of_their_own_potential():
    """rho ~ exp(-Psi / tau), Psi(w) = E[(yhat - y) tanh(w x)] + lambda w^2 / 2, yhat = E_rho[tanh(w x)]."""
    x = np.linspace(-2, 2, 9)
    y = 0.8 * np.tanh(1.5 * x) + 0.1 * x
    heat, decay, n = 0.1, 0.2, 20000
    law = nr.distributions.Empirical(x[:, None], y)
    rates = [nr.schedules.constant(), nr.schedules.Frozen()]
    asked = nr.Problem(law, nr.losses.Squared(), rates, decay, temperature=[heat, 0])
    first = np.random.default_rng(1).normal(size=(n, 1))
    start = nr.Network([first, np.ones((n, 1))], ["tanh", "identity"])
    run = nr.solve(asked, start, 30.0, solver="euler", step=0.05, save_at=1)
    grid = np.linspace(-8, 8, 4001)
    features = np.tanh(np.outer(grid, x))
    predicted = np.zeros_like(x)
    for _ in range(400):
        potential = features @ (predicted - y) / len(x) + decay * grid**2 / 2
        law_of_w = np.exp(-(potential - potential.min()) / heat)
        law_of_w /= law_of_w.sum()
        after = law_of_w @ features
        moved, predicted = np.abs(after - predicted).max(), predicted + 0.3 * (after - predicted)
    assert moved < 1e-12
    spread = np.sqrt(law_of_w @ features**2 - predicted**2)
    found = np.asarray(run.network(x[:, None]))[:, 0]
    # Euler's own law differs from Boltzmann's by order eps: the variance of a harmonic well of rate
    # r by the factor 1 / (1 - eps r / 2), with r below 1 here.
    assert np.all(np.abs(found - predicted) <= 4 * spread / np.sqrt(n) + 0.05 / 2 * spread)
    assert np.abs(predicted - np.asarray(start(x[:, None]))[:, 0]).max() > 0.2


@pytest.mark.parametrize("friction", [None, 1.0])
def test_an_interrupted_run_has_the_same_noise(friction):
    embedding = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.0)
    asked = nr.Problem(LAW, nr.losses.Squared(), temperature=[0.1, 0, 0.2], momentum=friction)
    network = embedding.sample(20, 0)
    whole = nr.train(asked, network, 0.1, 2.0, 5, save_at=4)
    for t in (1.0, 1.3):  # the second is no record, and run to again
        other = nr.train(asked, network, 0.1, t, 5, save_at=1)
        for one, two in zip(whole.at(t).weights, other.network.weights, strict=True):
            np.testing.assert_array_equal(one, two)
    if friction is None:
        half = nr.train(asked, network, 0.1, 1.0, 5, save_at=1).network
        on = nr.train(asked, half, 0.1, 2.0, 5, save_at=1, since=1.0).network
        for one, two in zip(whole.network.weights, on.weights, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_kicks_are_normal_and_independent_of_the_samples():
    """With w_2 = 0, frozen, nothing moves w_1 but noise, whatever the sample."""
    law = nr.distributions.Regression(lambda x: 0 * x[:, 0], nr.distributions.Gaussian(2))
    rates = [nr.schedules.constant(), nr.schedules.Frozen()]
    start = nr.Network([np.zeros((1, 2)), np.zeros((1, 1))], "identity")
    asked = nr.Problem(law, nr.losses.Squared(), rates, temperature=[0.5, 0])
    eps, steps = 0.01, 600
    run = nr.train(asked, start, eps, eps * steps, 3, save_at=steps)
    walk = np.stack([np.asarray(run.at(t).weights[0])[0] for t in run.times])
    kicks = np.diff(walk, axis=0) / np.sqrt(2 * eps * 0.5)
    assert np.all(np.abs(kicks.mean(axis=0)) < 4 / np.sqrt(steps))
    assert np.all(np.abs(kicks.var(axis=0) - 1) < 4 * np.sqrt(2 / steps))
    draw = lambda k: law.sample(jax.random.fold_in(jax.random.key(3), k), 1)[0][0]
    samples = np.asarray(jax.vmap(draw)(jnp.arange(steps)))
    others = [kicks[:-1], kicks[1:]]  # and of one another from step to step
    for a, b in [(kicks, samples), (kicks[1:], samples[:-1]), others]:
        assert np.all(np.abs(a.T @ b) / len(a) < 4 / np.sqrt(len(a)))
    assert abs(np.mean(kicks[:, 0] * kicks[:, 1])) < 4 / np.sqrt(steps)


@pytest.mark.slow
def test_factored_middle_layers_stay_factored():
    embedding = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.0)
    asked = nr.Problem(LAW, nr.losses.Squared(), temperature=[0.1, 0, 0.2], penalty=0.01)
    how = {"solver": "euler", "step": 0.1, "save_at": 1, "key": 2}
    runs = [
        nr.solve(asked, embedding.sample(30, 0, kernel=kernel), 2.0, **how)
        for kernel in ("dense", "factored")
    ]
    assert runs[1].network.factored and runs[1].report.kernel.startswith("factored")
    for one, two in zip(*(run.network.matrices for run in runs), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-10)


def test_what_temperature_cannot_have_is_named():
    embedding = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.0)
    with_heat = lambda tau: nr.Problem(LAW, nr.losses.Squared(), temperature=tau)
    network = embedding.sample(6, 0)
    refused = {
        "temperature: takes 0 in layer 2, between": lambda: nr.train(
            with_heat(0.1), network, 0.1, 1.0, 0
        ),
        "averages out of every expectation": lambda: with_heat([0, lambda t: t, 0]).check(network),
        "solver: temperature takes constant": lambda: nr.solve(
            with_heat([0.1, 0, 0]), network, 1.0
        ),
        "solver: temperature takes": lambda: nr.solve(
            with_heat([0.1, 0, 0]), network, 1.0, solver="heun", step=0.1
        ),
        "temperature: takes a number >= 0": lambda: with_heat(-1.0),
        "problem: temperature is not expanded": lambda: nr.fluctuations(
            with_heat([0.1, 0, 0]), embedding, 1.0, 8
        ),
    }
    for says, call in refused.items():
        with pytest.raises(nr.InvalidInput, match=says):
            call()
    row = nr.certify(with_heat([0.1, 0, 0]), embedding, nodes=16)["2 motion"]
    assert row.status == "unknown" and "noise" in row.how

"""The objective: what the motion descends, and that trajectories record it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr

pytestmark = pytest.mark.usefixtures("float64")

X = np.array([[1.0, 0.2], [-0.5, 1.0], [0.3, -0.8], [-1.1, -0.4]])
LAW = nr.distributions.Empirical(X, np.array([0.5, -1.0, 0.8, 0.1]))
DECAY = [0.3, 0.1, lambda t: 0.2 + 0.1 * t]


def start(kernel="dense"):
    embedding = nr.embeddings.Bidirectional(2, 3, 1, rank=2, gain=1.5)
    return embedding.quadrature(8, kernel=kernel)


def test_the_velocity_is_minus_its_gradient_in_l2():
    """By automatic differentiation, over the mass of each neuron or pair of neurons."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=s) for s in ((4, 2), (4, 5), (5, 1))]
    measures = [rng.dirichlet(np.ones(n)) for n in (4, 5)]
    network = nr.Network(weights, "tanh", measures)
    problem = nr.Problem(LAW, nr.losses.Squared(), decay=[0.3, 0.1, 0.2])
    law = problem.quadrature(4)

    def objective(weights):
        at = network.with_weights(weights)
        risk = law.weights @ problem.loss(law.y, at(law.x))
        (decay,) = problem.terms(3)
        return risk + decay.objective(weights, at.measures, jnp.asarray(0.0))

    gradient = jax.grad(objective)(network.weights)
    found = problem.motion(network).velocity(jnp.asarray(0.0), network.weights, law)
    p, q = measures
    for v, g, mass in zip(found, gradient, (p[:, None], np.outer(p, q), q[:, None]), strict=True):
        np.testing.assert_allclose(v, -g / mass, rtol=1e-10, atol=1e-12)
    added = problem.added(network, 0.0)
    assert added + problem.risk(network) == pytest.approx(float(objective(network.weights)))


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_it_is_recorded_beside_the_risk(kernel):
    """Records lie within steps of the ODE, and at steps of SGD."""
    problem = nr.Problem(LAW, nr.losses.PseudoHuber(), decay=DECAY)
    network = start(kernel)
    for run, tolerance in (
        (nr.solve(problem, network, 2.0, save_at=9, rtol=1e-8, atol=1e-10), 1e-8),
        (nr.train(problem, network, 0.1, 2.0, 0, save_at=5), 1e-12),
    ):
        for t, risk, objective in zip(run.times, run.loss, run.objective, strict=True):
            w_1, w_2, w_3 = (np.asarray(w) for w in run.at(t).matrices)
            p, q = (np.asarray(m) for m in network.measures)
            squares = [p @ (w_1**2).sum(axis=1), p @ w_2**2 @ q, q @ w_3[:, 0] ** 2]
            expected = np.dot([0.3, 0.1, 0.2 + 0.1 * t], squares) / 2
            assert objective - risk == pytest.approx(expected, abs=tolerance)


def test_it_is_the_risk_where_nothing_is_added():
    run = nr.train(nr.Problem(LAW, nr.losses.Squared()), start(), 0.1, 1.0, 0, save_at=2)
    assert run.objective is run.loss


def test_a_run_that_diverged_has_it_too():
    problem = nr.Problem(LAW, nr.losses.Squared(), decay=0.1, momentum=0.0)
    with pytest.raises(nr.DivergenceError) as caught:
        nr.train(problem, start(), 50.0, 5000.0, 0, save_at=100)
    run = caught.value.trajectory
    assert len(run.objective) == len(run.loss) == len(run.times)
    assert np.all(np.isfinite(run.objective)) and np.all(run.objective >= run.loss)

"""The penalty of the last layer against scikit-learn's Lasso."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso

import neuronal as nr

pytestmark = pytest.mark.usefixtures("float64")

N, M, STRENGTH = 12, 20, 0.02


def case():
    """Neurons of random directions, frozen; w_2 / n are the coefficients of a Lasso on their values."""
    rng = np.random.default_rng(4)
    x = np.c_[rng.normal(size=(M, 2)), np.ones(M)]
    y = np.sin(2 * x[:, 0]) + 0.1 * rng.normal(size=M)
    first = rng.normal(size=(N, 3))
    network = nr.Network([first, np.zeros((N, 1))], ["tanh", "identity"])
    features = np.tanh(x @ first.T)
    fitted = Lasso(STRENGTH, fit_intercept=False, tol=1e-14, max_iter=1_000_000).fit(features, y)
    return nr.distributions.Empirical(x, y), network, features, y, fitted.coef_


def problem(law, **how):
    rates = [nr.schedules.Frozen(), nr.schedules.constant(0.5)]
    return nr.Problem(law, nr.losses.Squared(), rates, penalty=STRENGTH, **how)


@pytest.mark.parametrize(("friction", "until"), [(None, 60000.0), (0.3, 30000.0)])
def test_the_last_layer_comes_to_the_lasso(friction, until):
    law, network, features, y, expected = case()
    step = 2.0 if friction is None else 1.0
    run = nr.solve(
        problem(law, momentum=friction), network, until, solver="euler", step=step, save_at=4
    )
    found = np.asarray(run.network.weights[1])[:, 0] / N
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert 0 < np.sum(expected == 0) < N
    np.testing.assert_array_equal(found == 0, expected == 0)
    gap = features @ expected - y
    least = np.mean(gap**2) / 2 + STRENGTH * np.abs(expected).sum()
    assert run.objective[-1] == pytest.approx(least, rel=1e-10)
    assert run.loss[-1] == pytest.approx(np.mean(gap**2) / 2, rel=1e-9)
    if friction is None:
        assert np.all(np.diff(run.objective) < 1e-15)


def test_steps_of_sgd_are_proximal_steps():
    """Each: a gradient step on the sample, then the soft threshold at eps xi lambda."""
    law, network, *_ = case()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 2, 3)), rng.normal(size=(50, 2, 1))
    eps = 0.3
    growing = nr.Problem(
        law, nr.losses.Squared(), [nr.schedules.Frozen(), nr.schedules.constant(0.5)],
        penalty=lambda t: 0.05 * t,
    )  # fmt: skip
    run = nr.train(growing, network, eps, 50 * eps, 0, data=(x, y), save_at=1)
    first, w = np.asarray(network.weights[0]), np.zeros((N, 1))
    for k in range(50):
        values = np.tanh(x[k] @ first.T)
        w = w - eps * 0.5 * values.T @ (values @ w / N - y[k]) / 2
        threshold = eps * 0.5 * 0.05 * k * eps
        w = np.where(np.abs(w) > threshold, w - threshold * np.sign(w), 0)
    np.testing.assert_allclose(run.network.weights[1], w, atol=1e-12)
    assert run.network.weights[0].tobytes() == network.weights[0].tobytes()


def test_what_a_penalty_cannot_have_is_named():
    law, network, *_ = case()
    refused = {
        "solver: penalty takes constant steps": lambda: nr.solve(problem(law), network, 1.0),
        "solver: temperature and penalty takes": lambda: nr.solve(
            problem(law, temperature=0.1), network, 1.0
        ),
        "penalty: takes one number": lambda: nr.Problem(law, nr.losses.Squared(), penalty=[0, 1]),
        "penalty: takes a number >= 0": lambda: nr.Problem(law, nr.losses.Squared(), penalty=-1),
        "penalty: takes MF time t": lambda: nr.Problem(
            law, nr.losses.Squared(), penalty=lambda t: np.ones(2)
        ).check(network),
    }
    for says, call in refused.items():
        with pytest.raises(nr.InvalidInput, match=says):
            call()
    embedding = nr.embeddings.Bidirectional(3, 2)
    row = nr.certify(problem(law), embedding, nodes=16)["2 motion"]
    assert row.status == "unknown" and "penalised" in row.how

"""Expansions along runs whose steps their own tolerance lets grow to the edge of stability and beyond."""

import numpy as np
import pytest

import neuronal as nr

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("float64")]


def laws(problem, depth, until, nodes, **how):
    """By a loose tolerance and by a tight one."""
    x = problem.distribution.x
    embedding = nr.embeddings.Bidirectional(x.shape[1], depth, spread=0.5, inputs=x, **how)
    return [
        nr.fluctuations(problem, embedding, until, nodes, directions=4, save_at=4, rtol=rtol)
        for rtol in (0.1, 1e-3)
    ]


def agree(loose, tight):
    sd = tight.risk_sd(100)
    np.testing.assert_allclose(loose.risk_sd(100), sd, rtol=0.05, atol=1e-3 * sd.max())
    # Of neurons alone: paths of noise are drawn for the steps.
    for before, after in zip(
        *(law.data.risk_shift.values[:-1] for law in (loose, tight)), strict=True
    ):
        np.testing.assert_allclose(before, after, atol=0.05 * np.abs(after).max())


def test_where_the_limit_has_settled_perturbations_do_not_grow():
    """The limit's own error stays in bounds on any steps; its derivatives' would not."""
    x = np.linspace(-1, 1, 5)[:, None]
    law = nr.distributions.Empirical(np.c_[x, np.ones(5)], np.sin(3 * x))
    problem = nr.Problem(law, nr.losses.Squared())
    loose, tight = laws(problem, 3, 80.0, 16, rank=2, input_scale=2.0)
    assert tight.risk_sd(100)[-1] < 1e-3 * tight.risk_sd(100)[1]
    agree(loose, tight)


def test_single_neurons_may_be_faster_than_any_change_of_the_prediction():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 2)), rng.integers(0, 3, 12)
    problem = nr.Problem(
        nr.distributions.Empirical(np.c_[x, np.ones(12)], y), nr.losses.CrossEntropy()
    )
    agree(*laws(problem, 4, 30.0, 24, output_dim=3, rank=3, input_scale=1.0))

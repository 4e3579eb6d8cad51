"""Corollary 3: extrapolations are exact on the laws that they assume, and meet the limit."""

import numpy as np
import pytest

import neuronal as nr
from neuronal.theory.corollary3 import aitken, extrapolate, triple_limit

LAWS = nr.distributions


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_aitken_is_exact_for_power_laws_at_doubling_times(power):
    times = np.array([10.0, 20.0, 40.0])
    assert aitken(*(0.3 + 2 * times**-power)) == pytest.approx(0.3, abs=1e-12)


def test_aitken_keeps_the_last_term_where_nothing_converges():
    assert aitken(1.0, 2.0, 4.0) == 4.0


def test_the_chain_recovers_a_risk_of_the_assumed_form():
    eps, n, t = np.array([0.2, 0.1, 0.05]), np.array([32.0, 64.0, 128.0]), 10.0 * 2 ** np.arange(4)
    clean = 0.2 + 1.5 * eps[:, None, None] + 4 / n[:, None] + 3 * t**-1.5
    noise = np.array([-1.0, 0.0, 1.0])[:, None] * 1e-2
    risk = clean[:, :, None, :] + noise
    small, wide, value = extrapolate(risk, eps, n, np.arange(3))
    np.testing.assert_allclose(small, 0.2 + 4 / n[:, None] + 3 * t**-1.5, atol=1e-10)
    np.testing.assert_allclose(wide, 0.2 + 3 * t**-1.5, atol=1e-10)
    assert value == pytest.approx(0.2, abs=1e-8)


@pytest.mark.slow
def test_extrapolated_sgd_meets_the_mean_field_limit():
    law = LAWS.Regression(lambda x: x[:, 0], LAWS.Biased(LAWS.Uniform()), noise=0.2)
    problem = nr.Problem(law, nr.losses.PseudoHuber(1.0))
    embedding = nr.embeddings.Bidirectional(2, 3, rank=2)
    found = triple_limit(
        problem, embedding, [0.2, 0.1], [32, 128], 8.0, 1, seeds=8, nodes=256, halvings=2
    )
    gap = np.abs(found.wide.value - found.risk_limit)
    assert bool((gap < 4 * found.wide.error + 1e-3).all())
    assert found.infimum == pytest.approx(law.bayes_risk(problem.loss))
    assert "infimum" in str(found)

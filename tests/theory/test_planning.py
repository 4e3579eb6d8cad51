"""Plans: costs that are counted, intervals of known laws, and networks that meet them."""

import math

import numpy as np
import pytest
from scipy import stats

import neuronal as nr
from neuronal.theory.planning.candidates import Shape, choices, interval

pytestmark = pytest.mark.usefixtures("float64")
X = np.linspace(-1, 1, 8)[:, None]
PROBLEM = nr.Problem(nr.distributions.Empirical(X, np.sin(3 * X)), nr.losses.Squared())
WIDTHS, RATES, BATCH, BUDGET = (16, 64, 256), (0.05, 0.2, 0.8, 100.0), 2, 2e6


@pytest.fixture(scope="module")
def law():
    embedding = nr.embeddings.Bidirectional(1, depth=2)
    save_at = 8.0 * np.linspace(0, 1, 25)[1:] ** 2
    return nr.fluctuations(PROBLEM, embedding, 8.0, 256, save_at=save_at, directions=8)


@pytest.mark.parametrize(("depth", "d", "k"), [(2, 3, 1), (4, 2, 3)])
def test_weights_are_counted(depth, d, k):
    network = nr.embeddings.IID(d, depth, k).sample(7, 0)
    assert Shape(depth, d, k).weights(7) == sum(w.size for w in network.weights)


def test_the_interval_of_a_chi_square_risk_is_its_own():
    """Of k normal variables of variance 1/k the sum of squares has mean 1 and variance 2/k."""
    for k in (1, 5, 50):
        exact = stats.chi2.ppf([0.05, 0.95], k) / k
        np.testing.assert_allclose(interval(1.0, math.sqrt(2 / k), 0.9), exact, rtol=1e-9)


def test_the_interval_of_a_small_deviation_is_the_normal_one():
    exact = stats.norm.ppf([0.025, 0.975], 2.0, 1e-4)
    np.testing.assert_allclose(interval(2.0, 1e-4, 0.95), exact, rtol=1e-8)


@pytest.mark.filterwarnings("ignore::neuronal.InaccuracyWarning")
def test_choices_are_the_best_that_the_budget_pays_for(law):
    shape = Shape(2, 1, 1)
    found = choices(law, shape, WIDTHS, RATES, BATCH, BUDGET)
    some = 0
    for n in WIDTHS:
        for rate in RATES[:3]:
            at = found.sel(width=n, learning_rate=rate)
            if at.why.item():
                continue
            some += 1
            most = int(BUDGET // (6 * BATCH * 2 * n))
            steps = np.arange(1, min(most, int(8.0 / rate)) + 1)
            of = lambda figure, rate=rate, steps=steps: np.interp(steps * rate, law.times, figure)
            risks = of(law.risk_mean(n, rate, BATCH))
            trusted = np.maximum.accumulate(of(law.term_ratio(n, rate, BATCH))) <= 0.5
            trusted &= of(law.stable_rate(BATCH)) >= 2 * rate
            assert int(at.steps) <= most
            np.testing.assert_allclose(at.flops, 6 * int(at.steps) * BATCH * 2 * n)
            np.testing.assert_allclose(at.risk, risks[trusted].min(), rtol=0.01)
            last = steps[trusted][-1]
            if at.end.item() == "":
                assert at.steps < last
                assert risks[last - 1] > at.risk
            else:
                assert at.steps > 0.8 * last  # one of the recorded times
                cut = "budget" if last == most else "until"
                assert (at.end.item() == cut) == bool(trusted.all())
            assert at.sd >= np.interp(int(at.steps) * rate, law.times, law.risk_sd(n, rate, BATCH))
    assert some >= 4
    assert set(found.sel(learning_rate=100.0).why.values) == {"learning rate"}


def test_what_a_budget_does_not_pay_for_is_told(law):
    found = choices(law, Shape(2, 1, 1), WIDTHS, RATES[:2], BATCH, 6 * BATCH * 2 * 16 * 200)
    assert found.why.sel(width=16).values.tolist() == ["", ""]
    assert found.why.sel(width=256, learning_rate=0.05).item() in ("", "budget")
    assert np.isnan(found.risk.values[found.why.values != ""]).all()
    nothing = choices(law, Shape(2, 1, 1), (256,), RATES[:2], BATCH, 1.0)
    assert set(nothing.why.values.ravel()) == {"budget"}


def test_the_plan_is_the_least_of_its_candidates_and_networks_meet_it():
    plan = nr.plan(
        PROBLEM, 1e7, depths=(2,), widths=(32, 64, 128), batch_size=4, until=8.0, nodes=128
    )
    assert plan.risk == np.nanmin(plan.candidates.risk)
    assert np.nanmax(plan.candidates.flops) <= 1e7
    assert plan.table.risk[0] == plan.risk
    assert (plan.table.depth[0], plan.table.width[0]) == (plan.depth, plan.width)
    low, high = plan.interval
    assert low < plan.risk < high
    assert f"width {plan.width}" in repr(plan)
    assert plan.network(3).widths == (plan.width,) * (plan.depth - 1)
    risks = np.asarray([plan.train(seed).loss[-1] for seed in range(10)])
    # 7 or fewer of 10 by chance: 7 in 100, were the interval exact.
    assert np.sum((low < risks) & (risks < high)) >= 8
    assert abs(risks.mean() - plan.risk) < 4 * plan.sd / math.sqrt(10)


def test_refusals():
    with pytest.raises(nr.InvalidInput, match="budget: .*do not pay"):
        nr.plan(PROBLEM, 10.0, depths=(2,), nodes=32)
    iid = lambda depth: nr.embeddings.IID(1, depth, mean=1.0)
    with pytest.raises(nr.InvalidInput, match="L = 3: .*single weights"):
        nr.plan(PROBLEM, 1e6, depths=(3,), embedding=iid, nodes=32, until=0.5)

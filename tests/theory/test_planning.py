"""Plans: costs that are counted, intervals of known laws, and networks that meet them."""

import math

import jax
import numpy as np
import pytest
from scipy import stats

import neuronal as nr
from neuronal.theory.planning.candidates import PER_WEIGHT, Shape, choices, interval
from neuronal.theory.planning.probes import Arm, Trials, arms, in_order, measured_interval

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


@pytest.mark.slow
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


def test_arms_are_what_theory_leaves_open(law):
    """At the largest stable rate and a quarter of it, if the limit may come below what is known."""
    shape = Shape(2, 1, 1)
    found = choices(law, shape, WIDTHS, RATES, BATCH, BUDGET)
    opened = arms(law, shape, found, BATCH, BUDGET, below=0.0)
    stable = [rate for rate in RATES if rate <= law.stable_rate(BATCH)[-1]]
    assert {arm.learning_rate for arm in opened} <= {stable[-1], *stable[:-1]}
    for arm in opened:
        assert arm.steps == shape.steps(arm.width, BATCH, BUDGET)
        of_width = found.sel(width=arm.width)
        assert (
            np.isin(of_width.end, ["first order", "until"]).any() or "first order" in of_width.why
        )
    assert {arm.width for arm in opened} == {
        n for n in WIDTHS
        if np.isin(found.sel(width=n).end, ["first order", "until"]).any()
        or "first order" in found.sel(width=n).why
    }  # fmt: skip
    short = [a for a in opened if a.learning_rate * a.steps <= law.times[-1]]
    left = arms(law, shape, found, BATCH, BUDGET, below=float(np.inf))
    assert set(opened) - set(left) == set(short)


def test_arms_of_the_largest_rates_come_first():
    of = lambda n, rate: Arm(2, n, rate, 10)
    given = [[of(16, 0.8), of(16, 0.2), of(32, 0.8), of(32, 0.2)], [of(64, 0.4)]]
    assert in_order(given, 4) == [of(16, 0.8), of(32, 0.8), of(64, 0.4), of(16, 0.2)]


def test_the_interval_of_measured_risks_holds_another_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = np.exp(rng.normal(-3, 0.7, (4000, 4)))
    inside = [low < d[3] < high for d in draws for low, high in [measured_interval(d[:3], 0.9)]]
    assert abs(np.mean(inside) - 0.9) < 4 * math.sqrt(0.09 / 4000)


@pytest.mark.slow
def test_trials_leave_the_best_and_count_what_they_cost():
    """Nine rates of one network: that of least risk at the end of a third is among those that go on."""
    rates = [0.4 / 2**j for j in range(8)] + [1e40]
    begun = [Arm(2, 16, rate, 90) for rate in rates]
    of_depth = lambda depth: nr.embeddings.Bidirectional(1, depth)
    trials = Trials(PROBLEM, PROBLEM, of_depth, BATCH, jax.random.key(0), [], lambda words: None)
    winner = trials.best(begun)
    assert winner is not None and winner.arm.learning_rate == 0.4
    of_steps = lambda steps: [p for p in trials.probes if p.steps == steps]
    assert (len(of_steps(10)), len(of_steps(30)), len(of_steps(90))) == (9, 3, 4)
    assert max(p.risk for p in of_steps(10)) == np.inf  # of the rate that diverges
    assert winner.risks == [p.risk for p in of_steps(90)[1:]]
    one = PER_WEIGHT * BATCH * Shape(2, 1, 1).weights(16)
    assert trials.spent == one * (9 * 10 + 3 * 20 + 60 + 3 * 90)
    # A network that goes on is the one that it would be in one run.
    neurons, samples = jax.random.split(jax.random.fold_in(jax.random.key(0), 0))
    start = of_depth(2).sample(16, neurons)
    whole = nr.train(PROBLEM, start, 0.4, 36.0, samples, BATCH, save_at=1)
    np.testing.assert_allclose(of_steps(90)[0].risk, whole.loss[-1], rtol=1e-9)


@pytest.mark.slow
def test_trials_go_on_where_the_first_order_ends():
    """On data that are fitted to the last digit, more of a budget is of use than theory can tell."""
    how = {"depths": (2,), "widths": (16, 32), "batch_size": 4, "until": 8.0}
    told = nr.plan(PROBLEM, 1e7, **how)
    assert told.end in ("first order", "until") and len(told.probes) == 0 and told.spent == 0
    plan = nr.plan(PROBLEM, 1e7, probes=4, **how)
    assert plan.end == "budget" and len(plan.probes) > 0 and plan.spent > 2e7
    risks = np.asarray([plan.train(seed).loss[-1] for seed in range(5)])
    assert risks.mean() < told.risk / 2
    assert abs(np.log(risks.mean() / plan.risk)) < np.log(2)
    assert plan.interval[0] < plan.risk < plan.interval[1]
    assert plan.candidates.risk.equals(told.candidates.risk)


@pytest.mark.slow
def test_refusals():
    with pytest.raises(nr.InvalidInput, match="budget: .*do not pay"):
        nr.plan(PROBLEM, 10.0, depths=(2,), nodes=32)
    iid = lambda depth: nr.embeddings.IID(1, depth, mean=1.0)
    with pytest.raises(nr.InvalidInput, match="L = 3: .*single weights"):
        nr.plan(PROBLEM, 1e6, depths=(3,), embedding=iid, nodes=32, until=0.5)

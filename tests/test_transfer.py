"""Transfer: the rate found is the best of those tried, and a run at any size is the run that it says."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from benchmarks.transfer_plot import risks_by_rate
from neuronal.pictures import style
from neuronal.transfer import Recipe, Tuned, ascend, final_risk, scan, tune

LAWS = nr.distributions


@pytest.fixture(scope="module")
def problem():
    law = LAWS.Regression(lambda x: jnp.sin(3 * x[:, 0]), LAWS.Biased(LAWS.Uniform()))
    return nr.Problem(law, nr.losses.PseudoHuber())


def embedding(depth):
    return nr.embeddings.Bidirectional(2, depth, rank=4, gain=1.5, input_scale=3.0)


@pytest.mark.parametrize(
    ("risks", "best", "tried"),
    [
        ([3, 2, 1, 2, 3, 0], 2, 5),  # two rises in a row end the search
        ([3, 2, 1, 2, 0.5, 0.7], 4, 6),  # one does not
        ([3, 2, np.inf, 0], 1, 3),  # a divergence does
        ([1, 2, 3], 0, 3),
        ([5, np.nan, 1], 0, 2),  # NaN is no least risk
    ],
)
def test_rates_are_tried_upwards_and_the_least_risk_wins(risks, best, tried):
    seen = []

    def risk(rate):
        seen.append(rate)
        return risks[round(rate) - 1]

    rates = tuple(range(1, len(risks) + 1))
    assert ascend(risk, rates) == rates[best]
    assert seen == list(rates[:tried])


def test_the_rate_found_is_that_of_the_least_mean_risk_and_the_runs_can_be_repeated(problem):
    rates = (0.1, 0.4, 1.6)
    tuned = tune(problem, 150, width=16, rates=rates, seeds=2, key=3, embedding=embedding)
    assert tuned.risks.shape == (len(tuned.rates), 2)
    assert tuned.learning_rate == tuned.rates[np.argmin(tuned.risks.mean(axis=1))]
    keys = jax.random.split(jax.random.key(3), 2)
    again = [[final_risk(tuned.recipe, 16, 3, r, k) for k in keys] for r in tuned.rates]
    np.testing.assert_array_equal(again, tuned.risks)
    assert f"{tuned.learning_rate:g}" in str(tuned)


@pytest.mark.slow
def test_what_is_handed_on_is_plain_sgd_with_the_depth_balanced_schedule(problem):
    """xi_i = eps-independent cosine over the run, times 1/(L-2) in the middle; other sizes too."""
    rate, steps, depth = 0.5, 60, 5
    recipe = Recipe(problem, embedding, steps, batch_size=8)
    tuned = Tuned(rate, np.array([rate]), np.zeros((1, 1)), 16, 3, recipe)
    run = tuned.train(24, depth, key=7)
    until = rate * steps

    def xi(scale):
        return lambda t: scale * (1 + jnp.cos(jnp.pi * t / until)) / 2

    schedules = [xi(1.0), *[xi(1 / 3)] * 3, xi(1.0)]
    neurons, samples = jax.random.split(jax.random.key(7))
    by_hand = nr.train(
        nr.Problem(problem.distribution, problem.loss, schedules),
        embedding(depth).sample(24, neurons),
        rate, until, samples, 8, save_at=1,
    )  # fmt: skip
    assert run.times[-1] == pytest.approx(until)
    for a, b in zip(run.network.weights, by_hand.network.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(tuned.schedules(depth), schedules, strict=True):
        t = jnp.linspace(0, until, 5)
        np.testing.assert_allclose(ours(t), theirs(t), atol=1e-6)


def test_what_is_added_to_the_motion_is_handed_on(problem):
    law, loss = problem.distribution, problem.loss
    heavy = nr.Problem(law, loss, decay=0.3, momentum=0.5)
    recipe = Recipe(heavy, embedding, 20, batch_size=8)
    run = recipe.train(16, 3, 0.2, key=7)
    by_hand = nr.Problem(law, loss, recipe.schedules(3, 0.2), 0.3, momentum=0.5)
    neurons, samples = jax.random.split(jax.random.key(7))
    other = nr.train(by_hand, embedding(3).sample(16, neurons), 0.2, 4.0, samples, 8, save_at=1)
    for a, b in zip(run.network.weights, other.network.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    plain = Recipe(nr.Problem(law, loss), embedding, 20, batch_size=8).train(16, 3, 0.2, key=7)
    assert np.abs(plain.network.weights[0] - run.network.weights[0]).max() > 1e-3


def test_a_constant_rate_can_be_asked_for(problem):
    recipe = Recipe(problem, embedding, 10, annealed=False, power=0.5)
    assert [float(xi(jnp.float32(3.0))) for xi in recipe.schedules(6, 0.1)] == pytest.approx(
        [1, 0.5, 0.5, 0.5, 0.5, 1]
    )


@pytest.mark.slow
def test_wide_networks_are_factored_and_never_formed(problem):
    recipe = Recipe(problem, embedding, 4, batch_size=4)
    run = recipe.train(3000, 3, 0.5, 0)
    assert "factored" in run.report.kernel
    assert "dense" in recipe.train(64, 3, 0.5, 0).report.kernel
    # The rank grows with every step where no two samples are alike.
    x = np.random.default_rng(0).standard_normal((300, 20))
    apart = nr.Problem(nr.distributions.Empirical(x, x[:, 0]), nr.losses.Squared())
    rich = Recipe(apart, lambda d: nr.embeddings.Bidirectional(20, d, inputs=x), 4, batch_size=4)
    assert "dense" in rich.train(2048, 3, 0.1, 0).report.kernel


@pytest.mark.slow
def test_one_rate_serves_widths_and_depths(problem):
    """The best rate of L = 3, width 32 is within a factor 2 of the best elsewhere."""
    recipe = Recipe(problem, lambda d: nr.embeddings.Bidirectional(2, d, input_scale=3.0), 200)
    rates = [0.1 * 4**j for j in range(5)]
    risks = scan(recipe, [32, 256], [3, 8], rates, seeds=2)
    assert risks.dims == ("depth", "width", "learning_rate", "seed")
    best = np.argmin(np.log(risks).mean("seed").values, axis=-1)
    assert np.ptp(best) <= 1
    assert float(risks.min()) < 0.01


def test_data_held_out_decide_and_the_run_takes_all(monkeypatch):
    """The risk of each rate is the loss of its run on a fifth of the data, which the run has not seen."""
    rng = np.random.default_rng(0)
    x = LAWS.with_bias(jnp.asarray(rng.normal(size=(20, 1))))
    law = LAWS.Empirical(x, rng.normal(size=20))
    of_data = nr.Problem(law, nr.losses.Squared())
    tuned = tune(of_data, 20, width=8, rates=[0.1, 0.4], seeds=1, key=5, embedding=embedding)
    kept, apart = law.parted(0.2, jax.random.fold_in(jax.random.key(5), 1))
    assert (len(kept.x), len(apart.x)) == (16, 4)
    rows = {tuple(row) for row in np.asarray(kept.x)} | {tuple(row) for row in np.asarray(apart.x)}
    assert rows == {tuple(row) for row in np.asarray(law.x)}
    search = Recipe(nr.Problem(kept, nr.losses.Squared()), embedding, 20)
    run = search.train(8, 3, 0.1, jax.random.split(jax.random.key(5), 1)[0])
    expected = np.mean(0.5 * (run.network(apart.x) - apart.y) ** 2)
    assert tuned.risks[0, 0] == pytest.approx(float(expected), rel=1e-5)
    assert tuned.recipe.problem is of_data and (tuned.steps, tuned.batch_size) == (20, 32)
    assert law.parted(0.0, jax.random.key(0)) == (law, None)


def test_a_scan_warns_of_the_grids_edge(monkeypatch, problem):
    from neuronal.transfer import scanning

    monkeypatch.setattr(
        scanning, "final_risk", lambda recipe, width, depth, rate, key: -rate * width
    )
    recipe = Recipe(problem, embedding, 4)
    with pytest.warns(
        UserWarning, match=r"0\.4, for width 8 at L = 3, width 16 at L = 3; give larger"
    ):
        risks = scan(recipe, [8, 16], [3], [0.1, 0.2, 0.4], seeds=2)
    assert list(risks.seed.values) == [0, 1]
    monkeypatch.setattr(
        scanning, "final_risk", lambda recipe, width, depth, rate, key: (rate - 0.2) ** 2
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scan(recipe, [8], [3], [0.1, 0.2, 0.4])


def test_a_scan_goes_on_where_a_run_diverges_and_tells_each_risk(problem):
    squared = nr.Problem(problem.distribution, nr.losses.Squared())
    told = []
    risks = scan(
        Recipe(squared, embedding, 60), [16], [3], [0.2, 1e4], on_risk=lambda *r: told.append(r)
    )
    assert np.isfinite(risks.values[0, 0, 0, 0])
    assert np.isinf(risks.values[0, 0, 1, 0])
    assert [t[:3] for t in told] == [(3, 16, 0.2), (3, 16, 1e4)]


@pytest.mark.slow
def test_the_default_embedding_fits_classes_too():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    law = LAWS.Empirical(LAWS.with_bias(jnp.asarray(x)), (x[:, 0] > 0).astype(float))
    tuned = tune(nr.Problem(law, nr.losses.CrossEntropy()), 60, width=8, rates=[0.5, 1], seeds=1)
    run = tuned.train((8, 16, 8), 4)
    assert run.network.output_dim == 2
    assert run.loss[-1] < run.loss[0]


@pytest.mark.parametrize(
    ("names", "call"),
    [
        ("steps", lambda p: tune(p, 0)),
        ("rates.*increasing", lambda p: tune(p, rates=[0.2, 0.1])),
        ("rates", lambda p: tune(p, rates=[])),
        ("rates", lambda p: tune(p, rates=[-1.0, 1.0])),
        ("seeds", lambda p: tune(p, seeds=0)),
        ("seeds", lambda p: scan(Recipe(p, embedding, 4), [8], [3], [0.1], seeds=0)),
        ("depth", lambda p: tune(p, depth=1)),
        ("width", lambda p: tune(p, width=0)),
        ("batch_size", lambda p: tune(p, batch_size=0)),
        ("held_out", lambda p: tune(p, held_out=1.0)),
        ("held_out", lambda p: tune(p, held_out=-0.1)),
        ("embedding", lambda p: tune(p, embedding=embedding(3))),
        ("embedding.*depth 4", lambda p: tune(p, embedding=lambda depth: embedding(4))),
        ("problem.*schedules", lambda p: tune(nr.Problem(p.distribution, p.loss, lambda t: t))),
        (
            "learning_rate.*diverges",
            lambda p: tune(
                nr.Problem(p.distribution, nr.losses.Squared()),
                60,
                rates=[1e5],
                embedding=embedding,
            ),
        ),
    ],
)
def test_bad_input_is_named(problem, names, call):
    with pytest.raises(nr.InvalidInput, match=names):
        call(problem)


def test_the_figure_has_a_panel_a_kind_and_one_colour_a_size():
    rates = [0.1, 0.2, 0.4]
    points = [
        {"kind": kind, "depth": depth, "width": width, "rates": rates, "best": 0.2, "risk": 1.0,
         "risks": [[2.0, 3.0], [1.0, 1.0], [np.inf, 2.0]]}
        for kind, widths in (("ours", (64, 256, 1024)), ("mup", (256, 1024)))
        for depth, width in ([(3, w) for w in widths] + [(d, 512) for d in (3, 6)])
    ]  # fmt: skip
    figure = risks_by_rate(points, style.LIGHT, 512)
    assert len(figure.axes) == 4
    legends = [
        [t.get_text() for t in a.get_legend().get_texts()] for a in figure.axes if a.get_legend()
    ]
    assert legends == [["$n = 64$", "$n = 256$", "$n = 1024$"], ["$L = 3$", "$L = 6$"]]
    ours, mup = (axis.get_lines() for axis in figure.axes[:2])
    assert ours[2].get_color() == mup[0].get_color()  # of width 256; every other line is a dot
    np.testing.assert_allclose(ours[0].get_ydata(), [6**0.5, 1.0])  # diverged points are left out

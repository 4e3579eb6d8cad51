"""The estimators: scikit-learn's contract, and that what they learn is a law's mean-field run."""

import pickle
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import parametrize_with_checks

import neuronal as nr
from neuronal.estimators.training import RATES, Stopped, Training, Trial, Watch

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 2))
Y = np.sin(2 * X[:, 0]) + 0.5 * X[:, 1]
LABELS = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")


def regressor(**changes):
    given = {"width": 16, "learning_rate": 0.2, "max_iter": 20, "random_state": 0}
    return nr.MeanFieldRegressor(**(given | changes))


def classifier(**changes):
    given = {"width": 16, "learning_rate": 0.2, "max_iter": 20, "random_state": 0}
    return nr.MeanFieldClassifier(**(given | changes))


BOTH = pytest.mark.parametrize(
    ("model", "y"), [(regressor(), Y), (classifier(), LABELS)], ids=["regressor", "classifier"]
)


def outputs(model, x=X):
    return model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x)


@pytest.mark.slow
@parametrize_with_checks([nr.MeanFieldRegressor(width=32), nr.MeanFieldClassifier(width=32)])
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_scikit_learn_is_imported_only_when_asked_for():
    code = "import neuronal, sys; assert 'sklearn' not in sys.modules; neuronal.MeanFieldRegressor"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_rates_lengths_and_nearby_sizes_are_the_same_program():
    compiled = []

    def listen(event, seconds, fun_name="", **_):
        if event.endswith("backend_compile_duration"):
            compiled.append(fun_name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        regressor(width=17).fit(X, Y)  # a width of its own: compiled here
        assert sum("steps" in name for name in compiled) == 1
        # Hundreds, if scales, checks and neurons were computed one operation at a time.
        assert len(compiled) < 50
        compiled.clear()
        regressor(width=17, learning_rate=0.1, max_iter=7).fit(X[:50], Y[:50])
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert set(compiled) <= {"jit(stage)"}  # a copy of a NumPy array


@pytest.mark.parametrize("momentum", [None, 2.0])
def test_a_fit_is_the_run_of_train_on_the_same_law(momentum):
    """By hand: sorted, standardised, a coordinate 1, the embedding's sample, a cosine."""
    model = regressor(balance=1.0, depth=4, momentum=momentum).fit(X, Y)
    order = np.lexsort(np.column_stack([X, Y]).T[::-1])
    x = np.column_stack([(X - X.mean(0)) / X.std(0), np.ones(64)])[order].astype("f4")
    y = ((Y - Y.mean()) / Y.std())[order].astype("f4")
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    embedding = nr.embeddings.Bidirectional(3, 4, inputs=x)
    until = 0.2 * 20 * 2
    rates = [nr.schedules.cosine(until, v) for v in (1.0, 0.5, 0.5, 1.0)]
    law = nr.distributions.Empirical(x, y)
    problem = nr.Problem(law, nr.losses.Squared(), rates, momentum=momentum)
    key = jax.random.fold_in(jax.random.key(seed), 0)
    network = embedding.sample(16, jax.random.key(seed))
    run = nr.train(problem, network, 0.2, until, key, batch_size=32)
    expected = Y.mean() + Y.std() * np.asarray(run.network(x))[:, 0]
    np.testing.assert_allclose(model.predict(X)[order], expected, rtol=1e-4, atol=1e-5)
    assert model.loss_curve_[-1] == pytest.approx(run.loss[-1], rel=1e-4)
    assert model.time_ == pytest.approx(until)


@BOTH
@pytest.mark.parametrize("width", [16, np.inf], ids=["sgd", "limit"])
def test_a_weight_is_a_repetition(model, y, width):
    model = clone(model).set_params(width=width, nodes=16, learning_rate=0.05)
    counts = RNG.integers(0, 4, len(X))
    repeated = RNG.permutation(np.repeat(np.arange(len(X)), counts))
    weighted = outputs(clone(model).fit(X, y, sample_weight=counts))
    np.testing.assert_array_equal(weighted, outputs(clone(model).fit(X[repeated], y[repeated])))
    assert np.abs(weighted - outputs(clone(model).fit(X, y))).max() > 1e-3


@pytest.mark.slow
def test_a_wide_network_is_the_limit():
    """The distance falls with the width as sqrt(32 / 1024), here by 3 at the least."""
    given = {"batch_size": 64, "learning_rate": 0.05, "max_iter": 100, "depth": 3, "rank": 4}
    limit = regressor(width=np.inf, nodes=512, **given).fit(X, Y)

    def distance(n, seed):
        network = regressor(width=n, **given | {"random_state": seed}).fit(X, Y)
        return np.sqrt(np.mean((network.predict(X) - limit.predict(X)) ** 2))

    narrow, wide = (np.mean([distance(n, s) for s in range(3)]) for n in (32, 1024))
    assert wide < narrow / 3
    assert wide < 0.1 * Y.std()


@pytest.mark.slow
def test_the_rate_found_belongs_to_no_width():
    rates = [
        regressor(width=n, learning_rate=None, nodes=32).fit(X, Y).learning_rate_
        for n in (32, 48, np.inf)
    ]
    assert len(set(rates)) == 1 and rates[0] in RATES


def test_the_mean_of_all_trials_decides_between_the_best_rate_and_its_neighbours(monkeypatch):
    """One run is noisy: on the digits it alone lost a point of accuracy at width 32, mean over 16 seeds."""
    ran = []

    def sgd(self, law, network, rate, steps, key):
        ran.append((law, RATES.index(rate)))
        if ran[-1] == (1, 6):
            raise nr.DivergenceError("", 0.0)
        return SimpleNamespace(network=ran[-1])

    risks = [[9, 8, 7, 6, 5, 4, 4.5, 5], [0, 0, 0, 0, 1, 4, 0, 0], [0, 0, 0, 0, 4, 4, 0, 0]]
    monkeypatch.setattr(Training, "sgd", sgd)
    monkeypatch.setattr(
        "neuronal.estimators.training.mean_loss", lambda network, _: risks[network[0]][network[1]]
    )
    training = Training(nr.losses.Squared(), 3, True, 1.0, 32, 0.0)
    trials = [Trial(law, (), None) for law in range(3)]
    assert training.find_rate(trials, None, 1) == RATES[4]
    assert sorted(ran) == [(0, i) for i in range(8)] + [
        (law, i) for law in (1, 2) for i in (4, 5, 6)
    ]


def test_a_rate_found_too_large_for_a_width_is_halved(monkeypatch):
    monkeypatch.setattr("neuronal.estimators.training.Training.find_rate", lambda *_: 8.0)
    model = regressor(learning_rate=None, activation="identity", depth=3).fit(X, 10 * Y)
    assert model.learning_rate_ in (4.0, 2.0, 1.0, 0.5)
    assert np.isfinite(model.predict(X)).all()


def test_a_rate_given_too_large_is_said_and_nothing_is_fitted():
    model = regressor(learning_rate=1e4, activation="identity")
    with pytest.raises(nr.DivergenceError, match="learning rate"):
        model.fit(X, Y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_a_regression_does_not_know_units():
    """Scales and shifts of inputs and targets, one input that never changes."""
    plain = regressor().fit(np.c_[X, np.ones(64)], Y).predict(np.c_[X, np.ones(64)])
    scaled = np.c_[X * [1e200, 1e-3] + 5, np.full(64, 0.1)]
    other = regressor().fit(scaled, 7 * Y - 1e4).predict(scaled)
    np.testing.assert_allclose((other + 1e4) / 7, plain, rtol=1e-3, atol=1e-3)


def test_several_targets_and_labels_that_are_words():
    both = regressor(max_iter=400).fit(X, np.c_[Y, -3 * X[:, 1]])
    assert both.predict(X).shape == (64, 2) and both.n_outputs_ == 2
    assert both.score(X, np.c_[Y, -3 * X[:, 1]]) > 0.9
    named = classifier(max_iter=200).fit(X, LABELS)
    assert list(named.classes_) == ["other", "same"]
    assert named.score(X, LABELS) > 0.9
    probabilities = named.predict_proba(X)
    assert (named.classes_[probabilities.argmax(axis=1)] == named.predict(X)).all()


@BOTH
def test_a_pickled_estimator_predicts_and_goes_on_alike(model, y):
    model = clone(model).set_params(warm_start=True).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(outputs(copy), outputs(model))
    np.testing.assert_array_equal(outputs(copy.fit(X, y)), outputs(model.fit(X, y)))


def test_a_warm_start_goes_on_with_the_same_network():
    model = regressor(warm_start=True).fit(X, Y)
    reached = model.loss_curve_[-1]
    model.fit(X, Y)
    assert model.loss_curve_[0] == reached > model.loss_curve_[-1]
    assert model.time_ == pytest.approx(2 * 0.2 * 20 * 2)
    assert model.set_params(warm_start=False).fit(X, Y).loss_curve_[-1] == reached


def test_two_halves_of_a_warm_limit_are_the_whole():
    given = {"width": np.inf, "nodes": 16, "schedule": "constant", "learning_rate": 0.05}
    whole = regressor(**given, max_iter=20).fit(X, Y)
    halves = regressor(**given, max_iter=10, warm_start=True).fit(X, Y).fit(X, Y)
    assert halves.time_ == pytest.approx(whole.time_)
    np.testing.assert_allclose(halves.predict(X), whole.predict(X), atol=5e-3)


@pytest.mark.slow
def test_a_partial_fit_is_an_epoch():
    model = classifier()
    half = X[LABELS == "same"]
    model.partial_fit(half, LABELS[LABELS == "same"], classes=["same", "other"])
    assert list(model.classes_) == ["other", "same"]
    assert model.time_ == pytest.approx(0.2 * -(-len(half) // 32))
    first = model.partial_fit(X, LABELS).loss_curve_[0]
    for _ in range(200):
        model.partial_fit(X, LABELS)
    assert model.loss_curve_[-1] < 0.3 * first
    assert model.score(X, LABELS) > 0.9
    with pytest.raises(nr.InvalidInput, match=r"y: \['third'\] not among"):
        model.partial_fit(X[:2], ["third", "same"])


def test_early_stopping_stops_and_keeps_the_best():
    noise = np.random.default_rng(1).normal(size=64)  # nothing to learn
    given = {"early_stopping": True, "validation_fraction": 0.25, "max_iter": 300}
    model = regressor(**given, learning_rate=0.4, schedule="constant").fit(X, noise)
    held_out = model.validation_loss_curve_
    assert model.n_iter_ < 300 and len(held_out) == model.n_iter_ + 1
    assert model.best_validation_loss_ == min(held_out) < held_out[-1]
    # Going on from what was kept, the samples held out are the same.
    again = model.set_params(warm_start=True).fit(X, noise)
    assert again.validation_loss_curve_[0] == pytest.approx(min(held_out), rel=1e-6)


@pytest.mark.parametrize(("enough", "held_out"), [(63, True), (64, False)])
def test_samples_are_held_out_where_there_are_enough(monkeypatch, enough, held_out):
    monkeypatch.setattr("neuronal.estimators.base._ENOUGH_TO_HOLD_OUT", enough)
    model = regressor(max_iter=2).fit(X, Y)
    assert hasattr(model, "validation_loss_curve_") == held_out


def test_the_weight_of_a_class_is_that_of_its_samples():
    """``balanced`` by its definition, with samples that have weights of their own too."""
    same = LABELS == "same"
    given = RNG.uniform(0.5, 2, 64)
    total = {label: given[label == LABELS].sum() for label in ("same", "other")}
    balanced = {label: given.sum() / (2 * total[label]) for label in total}
    for asked, factor in (
        ({"same": 3.0}, np.where(same, 3.0, 1.0)),
        ({"other": 0.25, "same": 2}, np.where(same, 2.0, 0.25)),
        ("balanced", np.where(same, balanced["same"], balanced["other"])),
    ):
        weighted = classifier(class_weight=asked).fit(X, LABELS, sample_weight=given)
        by_hand = classifier().fit(X, LABELS, sample_weight=given * factor)
        np.testing.assert_allclose(outputs(weighted), outputs(by_hand), atol=1e-5)
    plain = outputs(classifier().fit(X, LABELS, sample_weight=given))
    assert np.abs(plain - outputs(weighted)).max() > 1e-3


@BOTH
def test_several_networks_are_averaged_and_go_on_together(model, y):
    one = clone(model).fit(X, y)
    several = clone(model).set_params(n_networks=3, warm_start=True).fit(X, y)
    first, *others = several.networks_
    np.testing.assert_array_equal(first.weights[0], one.network_.weights[0])
    assert len(others) == 2 and not np.array_equal(others[0].weights[0], others[1].weights[0])
    x = np.column_stack([(X - X.mean(0)) / X.std(0), np.ones(64)])
    mean = np.mean([np.asarray(n(x)) for n in several.networks_], axis=0)
    np.testing.assert_allclose(several._outputs(X), mean, atol=1e-5)
    small = several.resample(8)
    assert [n.widths for n in small.networks_] == [(8, 8)] * 3
    before = outputs(several)
    several.fit(X, y)
    assert several.networks_[1] is not others[0] and not np.array_equal(outputs(several), before)


def test_a_watch_waits_for_a_fall_by_tol():
    x, y = np.zeros((1, 1)), np.zeros((1, 1))
    watch = Watch(9, 9.0, nr.losses.Squared(), 9, (x, y, np.ones(1)), patience=2, tol=0.1)

    def network(value):  # its loss on the sample is value
        return nr.Network([[[0.0]], [[np.sqrt(2 * value) / 0.5]]], "sigmoid")

    for t, value in enumerate((1.0, 0.5, 0.45)):  # the last is no fall by 0.1, and yet the least
        watch(float(t), 0.0, network(value))
    with pytest.raises(Stopped):
        watch(3.0, 0.0, network(0.6))
    assert watch.least == pytest.approx(0.45)
    np.testing.assert_allclose(np.asarray(watch.network(x))[0, 0] ** 2 / 2, 0.45, rtol=1e-5)


def test_a_grid_search_over_a_pipeline():
    x, y = load_iris(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(PolynomialFeatures(2, include_bias=False), classifier())
    grid = {"meanfieldclassifier__depth": [2, 3], "meanfieldclassifier__schedule": ["cosine"]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(x, y)
    assert search.best_score_ > 0.9
    assert search.predict(x).shape == (150,)


@pytest.mark.parametrize("wide", [False, True])
def test_either_precision_is_kept(wide):
    with jax.enable_x64(wide):
        model = regressor().fit(X, Y)
        dtypes = {w.dtype for w in model.network_.weights}
        assert dtypes == {np.dtype("f8" if wide else "f4")}
        assert model.score(X, Y) > 0.5


def test_progress_is_a_line_an_epoch(capsys):
    regressor(verbose=True, max_iter=3).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[-1].startswith("epoch 3/3, t = 1.2, loss ")


NAN = np.where(np.arange(64) == 5, np.nan, 1.0)
BAD = [
    ("depth", lambda: regressor(depth=1).fit(X, Y)),
    ("width", lambda: regressor(width=0).fit(X, Y)),
    ("width", lambda: regressor(width=-np.inf).fit(X, Y)),
    ("rank", lambda: regressor(rank=0).fit(X, Y)),
    ("activation", lambda: regressor(activation="tan").fit(X, Y)),
    ("loss", lambda: regressor(loss="cross_entropy").fit(X, Y)),
    ("loss", lambda: regressor(loss="squares").fit(X, Y)),
    ("learning_rate", lambda: regressor(learning_rate=0).fit(X, Y)),
    ("batch_size", lambda: regressor(batch_size=2.5).fit(X, Y)),
    ("max_iter", lambda: regressor(max_iter=0).fit(X, Y)),
    ("schedule", lambda: regressor(schedule="linear").fit(X, Y)),
    ("balance", lambda: regressor(balance=-1).fit(X, Y)),
    ("nodes", lambda: regressor(width=np.inf, nodes=0).fit(X, Y)),
    ("n_networks", lambda: regressor(n_networks=0).fit(X, Y)),
    ("n_networks", lambda: regressor(width=np.inf, n_networks=2).fit(X, Y)),
    ("momentum", lambda: regressor(momentum=-0.9).fit(X, Y)),
    ("early_stopping", lambda: regressor(early_stopping="always").fit(X, Y)),
    ("tol", lambda: regressor(tol=np.nan).fit(X, Y)),
    ("n_iter_no_change", lambda: regressor(n_iter_no_change=0).fit(X, Y)),
    ("validation_fraction", lambda: regressor(validation_fraction=1.0).fit(X, Y)),
    ("validation_fraction", lambda: classifier(early_stopping=True).fit(X[:3], list("aab"))),
    ("sample_weight", lambda: regressor().fit(X, Y, np.ones(3))),
    ("sample_weight", lambda: regressor().fit(X, Y, -np.ones(64))),
    ("sample_weight", lambda: regressor().fit(X, Y, NAN)),
    ("sample_weight", lambda: regressor().fit(X, Y, np.zeros(64))),
    ("y: takes two classes", lambda: classifier().fit(X, ["a"] * 64)),
    ("y: takes two classes", lambda: classifier().fit(X, LABELS, LABELS == "same")),
    ("y: has 2 columns", lambda: regressor().partial_fit(X, Y).partial_fit(X, np.c_[Y, Y])),
    ("X: contains NaN.*\n.*SimpleImputer", lambda: regressor().fit(X * NAN[:, None], Y)),
    ("X: could not.*\n.*OneHot", lambda: regressor().fit(pd.DataFrame({"a": LABELS}), Y)),
    ("X: could not.*\n.*OneHot", lambda: regressor().fit(np.c_[X, LABELS].astype(object), Y)),
    ("class_weight", lambda: classifier(class_weight="equal").fit(X, LABELS)),
    ("class_weight", lambda: classifier(class_weight={"third": 1.0}).fit(X, LABELS)),
    ("class_weight", lambda: classifier(class_weight={"same": -1.0}).fit(X, LABELS)),
    ("class_weight", lambda: classifier(class_weight={"same": 0, "other": 0}).fit(X, LABELS)),
    ("class_weight", lambda: classifier(class_weight="balanced").partial_fit(X, LABELS)),
    ("X: values", lambda: regressor().fit(np.c_[X, np.where(Y > 1.5, 1.7e308, -1.7e308)], Y)),
]


@pytest.mark.parametrize(("message", "fit"), BAD)
def test_bad_input_is_one_message_that_names_it(message, fit):
    with pytest.raises(nr.InvalidInput, match=f"^{message}"):
        fit()


@pytest.mark.parametrize("factor", [1e-44, 1e-300, 1e40, 1e300, 3.0])
@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_sample_weights_count_by_their_ratios(factor, kind):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(40, 3)), rng.uniform(0.5, 2, 40)
    options = {"width": 8, "max_iter": 2, "learning_rate": 0.2, "random_state": 0, "rank": 4}

    def predict(weights):
        if kind == "regressor":
            return nr.MeanFieldRegressor(**options).fit(x, x[:, 0], weights).predict(x)
        return nr.MeanFieldClassifier(**options).fit(x, x[:, 0] > 0, weights).predict_proba(x)

    np.testing.assert_allclose(predict(w * factor), predict(w), atol=1e-5)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e200, 1e-200])
def test_columns_of_one_value_say_nothing(value):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    options = {"width": 8, "max_iter": 2, "learning_rate": 0.2, "random_state": 0, "rank": 4}
    one, other = (np.column_stack([x, np.full(40, v)]) for v in (0.0, value))
    w = rng.uniform(0.5, 2, 40)
    predictions = [
        nr.MeanFieldRegressor(**options).fit(z, x[:, 0], w).predict(z) for z in (one, other)
    ]
    np.testing.assert_allclose(*predictions, atol=1e-6)
    constant = nr.MeanFieldRegressor(**options).fit(x, np.full(40, value), w)
    assert np.isfinite(constant.predict(x)).all() and constant._state.targets.mean[0] == value


@pytest.mark.parametrize("classes", [[0, 1, 5], [0, 1], [0, 1, 2, 3], ["a", "b", "c"], [[0, "a"]]])
def test_other_classes_in_a_later_part_are_refused(classes):
    x = np.random.default_rng(0).normal(size=(30, 3))
    labels = (x[:, 0] > 0).astype(int)
    options = {"width": 8, "learning_rate": 0.2, "random_state": 0, "rank": 4}
    model = nr.MeanFieldClassifier(**options).partial_fit(x, labels, classes=[0, 1, 2])
    with pytest.raises(nr.InvalidInput, match="^classes: "):
        model.partial_fit(x, labels, classes=classes)
    for same in (None, [0, 1, 2], [2, 0, 1], np.array([0.0, 1.0, 2.0, 2.0])):
        model.partial_fit(x, labels, classes=same)
    assert model.classes_.tolist() == [0, 1, 2]


@pytest.mark.slow
def test_a_limit_on_samples_far_apart_keeps_its_weights_dense():
    """The rank of factored ones would grow with every step."""
    x = np.random.default_rng(0).standard_normal((300, 20))
    alike = np.linspace(-1, 1, 300)[:, None] * np.ones(20)
    given = {"width": np.inf, "nodes": 2048, "max_iter": 1, "learning_rate": 0.1}
    kept = [
        nr.MeanFieldRegressor(random_state=0, **given).fit(inputs, inputs[:, 0]).network_.factored
        for inputs in (x, alike)
    ]
    assert kept == [False, True]

"""The width as a dial: resampled networks and their predicted error; networks grown."""

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_reference import random_case
from scipy import optimize, stats

import neuronal as nr
from benchmarks.common import problem_1d
from neuronal import dynamics
from neuronal.kernels import Factored, factored
from neuronal.theory.rates import exponent, rms
from neuronal.widths.grow import _split
from neuronal.widths.resample import influences
from neuronal.widths.reweight import tilted

X = np.random.default_rng(0).normal(size=(6, 2))


def a_network(widths, seed=0, k=1, last="identity"):
    weights, measures = random_case(seed, widths, k=k)
    activations = ["tanh", "sin", "erf", "tanh"][: len(widths)]
    return nr.Network(weights, [*activations, last], measures)


def a_factored_network(seed=0, width=60, rank=3):
    rng = np.random.default_rng(seed)
    kernels = [factored(rng.normal(size=(width, rank)), rng.normal(size=(width, rank)))] * 2
    weights = [rng.normal(size=(width, 2)), *kernels, rng.normal(size=(width, 1))]
    return nr.Network(weights, "tanh", [rng.dirichlet(np.full(width, 3.0)) for _ in range(3)])


def dense(network):
    return nr.Network(network.matrices, network.activations, network.measures)


@functools.cache
def limit(depth, until=10.0, nodes=256):
    problem = problem_1d()
    embedding = nr.embeddings.Bidirectional(
        2, depth, rank=4, input_scale=2.0, inputs=problem.quadrature(64)[0]
    )
    return nr.solve(
        problem, embedding, until, nodes=nodes, save_at=1, rtol=1e-3, atol=1e-5, data_nodes=32
    ).network


@functools.cache
def trained():
    problem = problem_1d()
    embedding = nr.embeddings.Bidirectional(
        2, 3, rank=4, input_scale=2.0, inputs=problem.quadrature(64)[0]
    )
    network = embedding.sample(512, jax.random.key(0))
    return nr.train(problem, network, 0.2, 20.0, key=1, batch_size=8, save_at=1).network


def distances(network, widths, seeds, x, inputs=None):
    """Root mean squares over inputs of what resampling changes, `(widths, seeds)`."""
    whole = network(x)
    return np.array(
        [[rms(nr.resample(network, n, s, inputs)(x) - whole) for s in range(seeds)] for n in widths]
    )


# The influences, and the error that they predict


@pytest.mark.parametrize("last", ["identity", "tanh"])
@pytest.mark.parametrize("widths", [(7,), (5, 6), (3, 4, 5, 3)])
def test_influences_are_derivatives_by_the_measures(widths, last):
    with jax.enable_x64(True):
        network = a_network(widths, k=2, last=last)
        found = influences(network, X)

        def predict(measures):
            return dynamics.forward(
                network.weights, measures, network.activations, network.inputs(X)
            )[1][-1]

        for ours, autodiff in zip(found, jax.jacobian(predict)(network.measures), strict=True):
            np.testing.assert_allclose(ours, autodiff, rtol=1e-12, atol=1e-13)


def test_influences_of_factored_weights_are_those_of_their_matrices():
    with jax.enable_x64(True):
        network = a_factored_network()
        for ours, theirs in zip(influences(network, X), influences(dense(network), X), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


def test_of_two_layers_the_error_is_that_of_a_mean():
    with jax.enable_x64(True):
        network = a_network((9,), k=2)
        first, last = map(np.asarray, network.weights)
        terms = np.tanh(X @ first.T)[:, None] * last.T
        p = np.asarray(network.measures[0])
        variance = terms**2 @ p - (terms @ p) ** 2
        found = nr.resampling_error(network, 25, X)
    np.testing.assert_allclose(found, np.sqrt(variance / 25), rtol=1e-10)


def test_the_error_adds_up_over_layers():
    with jax.enable_x64(True):
        network = a_network((3, 5, 4))
        far = 10**12
        parts = [
            nr.resampling_error(network, widths, X)
            for widths in ((20, far, far), (far, 30, far), (far, far, 40))
        ]
        whole = nr.resampling_error(network, (20, 30, 40), X)
    np.testing.assert_allclose(np.square(whole), sum(np.square(p) for p in parts), rtol=1e-8)


def test_many_inputs_are_taken_in_pieces(monkeypatch):
    network, x = a_network((3, 5)), np.random.default_rng(1).normal(size=(23, 2))
    small = nr.resample(network, 9, 0, inputs=x)
    whole = nr.resampling_error(network, 9, x)
    monkeypatch.setattr(sys.modules["neuronal.widths.resample"], "_NUMBERS", 5 * 4)
    np.testing.assert_allclose(nr.resampling_error(network, 9, x), whole, rtol=1e-6)
    for ours, theirs in zip(
        nr.resample(network, 9, 0, inputs=x).measures, small.measures, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)


SEEDS, WIDTHS = 32, (64, 256, 1024)
X_1D = np.stack([np.linspace(-0.97, 0.97, 33), np.ones(33)], axis=1)


@pytest.mark.parametrize("make", [*(functools.partial(limit, depth) for depth in (2, 3, 4, 5)), trained],
                         ids=["L=2", "L=3", "L=4", "L=5", "trained"])  # fmt: skip
def test_the_predicted_error_is_the_measured_one(make):
    """To first order; over 32 seeds its estimate scatters by a tenth or so."""
    network = make()
    measured = distances(network, WIDTHS, SEEDS, X_1D)
    predicted = np.array([rms(nr.resampling_error(network, n, X_1D)) for n in WIDTHS])
    ratios = np.sqrt(np.mean(measured**2, axis=1)) / predicted
    assert ((ratios > 0.75) & (ratios < 1.33)).all(), ratios
    rate = exponent(np.array(WIDTHS), measured)
    assert abs(rate.slope + 0.5) < 0.1, rate


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_matched_at_inputs_the_error_is_of_second_order(depth):
    network, widths = limit(depth), (64, 512)
    inputs = np.stack([np.linspace(-1, 1, 24), np.ones(24)], axis=1)  # other than X_1D
    matched = distances(network, widths, 8, X_1D, inputs)
    rate = exponent(np.array(widths), matched)
    assert rate.slope < -0.85, rate
    plain = np.array([rms(nr.resampling_error(network, n, X_1D)) for n in widths])
    assert (np.sqrt(np.mean(matched**2, axis=1)) < plain / 4).all()


# The draws


def test_draws_follow_the_measure():
    p = np.array([0.0, 0.05, 0.5, 0.0, 0.2, 0.25, 0.0])
    rows = np.arange(7.0)[:, None]
    network = nr.Network([rows, rows], "identity", [p])
    drawn = np.asarray(nr.resample(network, 4000, 3).weights[0])[:, 0].astype(int)
    counts = np.bincount(drawn, minlength=7)
    assert counts[p == 0].sum() == 0
    assert stats.chisquare(counts[p > 0], 4000 * p[p > 0]).pvalue > 1e-3


def test_layers_are_drawn_independently_and_weights_kept():
    n = 50
    first, last = np.arange(n)[:, None] + 0.0, np.arange(n)[:, None] + 0.0
    between = np.arange(n)[:, None] * 100.0 + np.arange(n)  # names its pair of neurons
    small = nr.resample(nr.Network([first, between, last], "identity"), (2000, 1500), 0)
    below, above = np.asarray(small.weights[0])[:, 0], np.asarray(small.weights[2])[:, 0]
    np.testing.assert_array_equal(small.weights[1], 100 * below[:, None] + above)
    assert small.widths == (2000, 1500)
    assert abs(np.corrcoef(below[:1500], above)[0, 1]) < 4 / np.sqrt(1500)
    for measure, width in zip(small.measures, small.widths, strict=True):
        np.testing.assert_allclose(measure, 1 / width)


def test_a_key_names_the_neurons_and_the_first_of_more_are_the_same():
    network = a_network((30, 20))
    one, two, other = (nr.resample(network, n, s) for n, s in ((8, 1), (16, 1), (8, 2)))
    np.testing.assert_array_equal(one.weights[1], two.weights[1][:8, :8])
    assert not np.array_equal(one.weights[0], other.weights[0])
    again = nr.resample(network, 8, jax.random.key(1))
    np.testing.assert_array_equal(one.weights[0], again.weights[0])


@pytest.mark.parametrize(("width", "kind"), [(40, Factored), (5, jax.Array)])
def test_factored_weights_stay_so_where_that_is_smaller(width, kind):
    network = a_factored_network()
    small = nr.resample(network, width, 0)
    assert all(isinstance(w, kind) for w in small.weights[1:-1])
    np.testing.assert_allclose(
        small(X), nr.resample(dense(network), width, 0)(X), rtol=1e-4, atol=1e-5
    )


def test_a_million_neurons_are_resampled_without_a_matrix():
    n = 10**6
    rng = np.random.default_rng(0)
    draw = lambda k: (0.5 + rng.normal(size=(n, k))).astype("f4")
    network = nr.Network([draw(2), factored(draw(2), draw(2)), draw(1)])
    x = X[:2]
    error = rms(nr.resampling_error(network, 100, x))
    small = [nr.resample(network, 100, s)(x) for s in range(16)]
    assert 0.5 < rms(np.array(small) - network(x)) / error < 2


@pytest.mark.parametrize("wide", [False, True])
def test_precision_is_kept(wide):
    with jax.enable_x64(wide):
        network = a_network((8, 9))
        dtype = np.dtype("f8" if wide else "f4")
        for made in (
            nr.resample(network, 5, 0),
            nr.resample(network, 5, 0, inputs=X),
            nr.grow(network, 12, 0),
        ):
            assert {a.dtype for a in (*made.weights, *made.measures)} == {dtype}
        assert nr.resampling_error(network, 5, X).dtype == dtype


# Tilting


def test_tilted_weights_minimise_what_they_say():
    a, tau = np.random.default_rng(3).normal(size=(6, 2)) + 0.4, 0.3

    def primal(q):
        return q @ np.log(6 * q) + np.sum((q @ a) ** 2) / (2 * tau**2)

    best = optimize.minimize(
        primal, np.full(6, 1 / 6), method="SLSQP", bounds=[(1e-9, 1)] * 6, tol=1e-14,
        constraints={"type": "eq", "fun": lambda q: q.sum() - 1},
    )  # fmt: skip
    np.testing.assert_allclose(tilted(a, tau), best.x, atol=1e-5)


def test_a_fine_tolerance_brings_averages_to_zero_where_it_can():
    a = np.random.default_rng(4).normal(size=(40, 5))
    q = tilted(a, 1e-6)
    assert np.abs(q @ a).max() < 1e-9
    assert (q > 0).all()
    assert abs(q.sum() - 1) < 1e-12
    np.testing.assert_allclose(tilted(a - a.mean(axis=0), 0.1), 1 / 40, rtol=1e-9)
    one_sided = tilted(np.array([[1.0], [2.0], [5.0]]), 1e-3)  # no weights reach zero
    assert one_sided[0] > 0.99


# Growing

CASES = [((7,), 7), ((7,), 24), ((3, 5, 4), (9, 5, 11))]


@pytest.mark.parametrize(("widths", "wider"), CASES)
def test_growing_keeps_the_function_exactly(widths, wider):
    with jax.enable_x64(True):
        network = a_network(widths, k=2, last="tanh")
        for spread in (0.0, 1.0, 10.0):
            wide = nr.grow(network, wider, 3, spread)
            np.testing.assert_allclose(wide(X), network(X), rtol=1e-12, atol=1e-13)
        assert wide.widths == (wider if isinstance(wider, tuple) else (wider,))


def test_growing_factored_weights_keeps_them_and_the_function():
    with jax.enable_x64(True):
        network = a_factored_network()
        wide = nr.grow(network, 150, 0)
        assert [len(w.s) for w in wide.weights[1:-1]] == [3, 3]
        np.testing.assert_allclose(wide(X), network(X), rtol=1e-10, atol=1e-13)
        assert len(np.unique(np.asarray(wide.weights[1].f), axis=1).T) == 150


def test_measures_are_shared_as_evenly_as_whole_copies_allow():
    """The copies' largest measure is the least that any numbers of copies give."""
    p = np.array([0.47, 0.26, 0.2, 0.05, 0.02])
    for count in (5, 6, 7, 8, 9):
        copies = _split(p, count, jax.random.key(0)).copies
        assert copies.sum() == count
        options = np.array(np.meshgrid(*[range(1, 5)] * 5)).reshape(5, -1).T
        options = options[options.sum(axis=1) == count]
        assert np.max(p / copies) == np.min(np.max(p / options, axis=1))


def parents(network, wide):
    """The old neuron of each new one of layer 1: their incoming weights are the same."""
    match = (np.asarray(wide.weights[0])[:, None] == np.asarray(network.weights[0])).all(axis=2)
    assert (match.sum(axis=1) == 1).all()
    return match.argmax(axis=1)


@pytest.mark.parametrize("driver", ["solve", "train"])
def test_copies_that_are_only_split_move_as_their_neuron_does(driver):
    """In any numbers, so that measures become uneven."""
    law = nr.distributions.Empirical(X, np.sin(X[:, 0]))
    problem = nr.Problem(law, nr.losses.PseudoHuber())
    with jax.enable_x64(True):
        network = a_network((4, 5))
        split = nr.grow(network, (7, 9), 0, spread=0.0)
        of_first = parents(network, split)
        if driver == "solve":
            run = lambda start: nr.solve(problem, start, 3.0, step=0.1, save_at=2)
        else:
            run = lambda start: nr.train(problem, start, 0.1, 3.0, key=5, batch_size=2, save_at=2)
        old, new = run(network), run(split)
        np.testing.assert_allclose(new.loss, old.loss, rtol=1e-11)
        assert np.abs(old.network.weights[0] - network.weights[0]).max() > 1e-2
        np.testing.assert_allclose(
            new.network.weights[0], old.network.weights[0][of_first], rtol=1e-9, atol=1e-11
        )
        columns = np.unique(np.asarray(new.network.weights[1]).round(9), axis=1)
        assert columns.shape[1] == 5


def test_growing_makes_no_layer_slower():
    """Means over copies of the new velocities are the old ones, so norms in L2(P) do not fall."""
    law = nr.distributions.Empirical(X, np.sin(X[:, 0]))
    loss, rates = nr.losses.PseudoHuber(), [1.0, 1.0, 1.0]
    with jax.enable_x64(True):
        network = a_network((4, 5))
        wide = nr.grow(network, (7, 10), 0)

        def velocity(network):
            return dynamics.velocity(
                network.weights,
                network.measures,
                network.activations,
                loss,
                rates,
                *law.quadrature(1),
            )[0]

        old, new = velocity(network), velocity(wide)
        of_first = parents(network, wide)
        copies = np.bincount(of_first)
        means = np.zeros_like(old[0])
        np.add.at(means, of_first, np.asarray(new[0]) / copies[of_first, None])
        np.testing.assert_allclose(means, old[0], rtol=1e-10)
        before = np.asarray(dynamics.layer_norms(old, network.measures))
        after = np.asarray(dynamics.layer_norms(new, wide.measures))
        np.testing.assert_allclose(after[-1], before[-1], rtol=1e-10)  # incoming values as before
        assert (after[:-1] > 1.05 * before[:-1]).all()


@pytest.mark.parametrize(("n", "copies"), [(6, 4000), (2000, 2)])
def test_displacements_have_the_layer_s_own_covariance_and_no_mean(n, copies):
    rng, spread = np.random.default_rng(5), 0.7
    rows, p = (
        rng.normal(size=(n, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]]),
        rng.dirichlet(np.full(n, 9.0)),
    )
    network = nr.Network([rng.normal(size=(n, 2)), rows], "tanh", [p])
    wide = nr.grow(network, n * copies, 1, spread)
    of = parents(network, wide)
    moved = np.asarray(wide.weights[1], float) - rows[of]
    sums = np.zeros_like(rows)
    np.add.at(sums, of, moved)
    assert np.abs(sums / np.bincount(of)[:, None]).max() < 1e-5
    moved = moved[np.bincount(of)[of] > 1]  # a single copy stays
    centred = rows - p @ rows
    expected = spread**2 * (centred.T * p) @ centred
    found = moved.T @ moved / len(moved)
    scatter = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / len(moved))
    assert (np.abs(found - expected) < 6 * scatter).all()


def test_two_copies_are_a_pair_and_one_stays():
    network = a_network((5,))
    wide = nr.grow(network, 8, 0)
    of = parents(network, wide)
    moved = np.asarray(wide.weights[1])[:, 0] - np.asarray(network.weights[1])[of, 0]
    for j, count in enumerate(np.bincount(of)):
        assert count in (1, 2, 3)
        assert abs(moved[of == j].sum()) < 1e-5
        assert (np.abs(moved[of == j]).max() < 1e-6) == (count == 1)


def test_a_network_grown_half_way_ends_lower():
    """Than the one left at its width, on the 1-D problem."""
    problem = problem_1d()
    x = problem.quadrature(32)[0]
    embedding = nr.embeddings.Bidirectional(2, 3, rank=4, input_scale=10.0, inputs=x)
    how = {"data_nodes": 32, "save_at": 2, "rtol": 1e-3, "atol": 1e-5}
    left = nr.solve(problem, embedding.sample(8, 0), 60.0, **how)
    grown = nr.solve(problem, nr.grow(left.at(30.0), 64, 0), 60.0, since=30.0, **how)
    assert abs(grown.loss[0] / left.loss[1] - 1) < 1e-3
    assert grown.loss[-1] < 0.8 * left.loss[-1]


# Estimators


def test_an_estimator_is_resampled_and_learns_on():
    x = np.linspace(-1, 1, 64)[:, None]
    y = np.sin(3 * x[:, 0])
    given = {"nodes": 64, "max_iter": 8, "learning_rate": 0.2, "random_state": 0}
    model = nr.MeanFieldRegressor(width=np.inf, **given).fit(x, y)
    small = model.resample(32, x)
    assert (small.width, small.network_.widths) == (32, (32, 32))
    assert model.width == np.inf and model.network_.widths == (64, 64)
    whole = model.predict(x)
    near, far = rms(small.predict(x) - whole), rms(model.resample(32).predict(x) - whole)
    assert near < far / 3
    before = small.network_.weights[0]
    small.partial_fit(x, y)
    assert small.network_.widths == (32, 32)
    assert not np.array_equal(before, small.network_.weights[0])
    np.testing.assert_array_equal(model.predict(x), whole)


# Bad input


def test_bad_input_is_named():
    network = a_network((4, 5))
    for call, named in (
        (lambda: nr.resample(network, 0, 0), "widths"),
        (lambda: nr.resample(network, (3, 4, 5), 0), "widths"),
        (lambda: nr.resample([1, 2], 3, 0), "network"),
        (lambda: nr.resample(network, 3, 0, inputs=np.zeros((4, 3))), "x: takes shape"),
        (lambda: nr.resample(network, 3, 0, inputs=np.zeros((0, 2))), "inputs"),
        (lambda: nr.resampling_error(network, 2.5, X), "widths"),
        (lambda: nr.resampling_error(network, 2, X[:, :1]), "x: takes shape"),
        (lambda: nr.grow(network, 4, 0), "widths: takes 5 or more"),
        (lambda: nr.grow(network, 8, 0, spread=-1.0), "spread"),
        (lambda: nr.grow(network, 8, 0, spread=np.nan), "spread"),
        (lambda: nr.grow(None, 8, 0), "network"),
    ):
        with pytest.raises(nr.InvalidInput, match=named):
            call()


def test_inputs_may_be_lists_and_are_finite():
    network = a_network((4,))
    assert jnp.shape(nr.resampling_error(network, 3, [[1, 2], [0, 1]])) == (2, 1)
    with pytest.raises(nr.InvalidInput, match="NaN"):
        nr.resample(network, 3, 0, inputs=[[np.nan, 1.0]])

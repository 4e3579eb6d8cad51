"""Networks drawn from another one: their predicted error, and what the draws keep."""

import functools
import sys

import jax
import numpy as np
import pytest
from sample_networks import X, a_factored_network, a_network, dense, limit, trained
from scipy import stats

import neuronal as nr
from neuronal import dynamics
from neuronal.kernels import Factored, factored
from neuronal.theory.rates import exponent, rms
from neuronal.widths.resample import influences


def distances(network, widths, seeds, x, inputs=None):
    """Root mean squares over inputs of what resampling changes, `(widths, seeds)`."""
    whole = network(x)
    return np.array(
        [[rms(nr.resample(network, n, s, inputs)(x) - whole) for s in range(seeds)] for n in widths]
    )


# The influences, and the error that they predict


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("last", ["identity", "tanh"])
@pytest.mark.parametrize("widths", [(7,), (5, 6), (3, 4, 5, 3)])
def test_influences_are_derivatives_by_the_measures(widths, last):
    network = a_network(widths, k=2, last=last)
    found = influences(network, X)

    def predict(measures):
        return dynamics.forward(network.weights, measures, network.activations, network.inputs(X))[
            1
        ][-1]

    for ours, autodiff in zip(found, jax.jacobian(predict)(network.measures), strict=True):
        np.testing.assert_allclose(ours, autodiff, rtol=1e-12, atol=1e-13)


@pytest.mark.usefixtures("float64")
def test_influences_of_factored_weights_are_those_of_their_matrices():
    network = a_factored_network()
    for ours, theirs in zip(influences(network, X), influences(dense(network), X), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


@pytest.mark.usefixtures("float64")
def test_of_two_layers_the_error_is_that_of_a_mean():
    network = a_network((9,), k=2)
    first, last = map(np.asarray, network.weights)
    terms = np.tanh(X @ first.T)[:, None] * last.T
    p = np.asarray(network.measures[0])
    variance = terms**2 @ p - (terms @ p) ** 2
    found = nr.resampling_error(network, 25, X)
    np.testing.assert_allclose(found, np.sqrt(variance / 25), rtol=1e-10)


@pytest.mark.usefixtures("float64")
def test_the_error_adds_up_over_layers():
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


MADE = {f"L={depth}": functools.partial(limit, depth) for depth in (2, 3, 4, 5)}
MADE["trained"] = trained


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=pytest.mark.long if name == "L=4" else pytest.mark.slow)
        for name, make in MADE.items()
    ],
)
def test_the_predicted_error_is_the_measured_one(make):
    """To first order; over 32 seeds its estimate scatters by a tenth or so."""
    network = make()
    measured = distances(network, WIDTHS, SEEDS, X_1D)
    predicted = np.array([rms(nr.resampling_error(network, n, X_1D)) for n in WIDTHS])
    ratios = np.sqrt(np.mean(measured**2, axis=1)) / predicted
    assert ((ratios > 0.75) & (ratios < 1.33)).all(), ratios
    rate = exponent(np.array(WIDTHS), measured)
    assert abs(rate.slope + 0.5) < 0.1, rate


@pytest.mark.slow
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
        for made in (nr.resample(network, 5, 0), nr.resample(network, 5, 0, inputs=X)):
            assert {a.dtype for a in (*made.weights, *made.measures)} == {dtype}
        assert nr.resampling_error(network, 5, X).dtype == dtype

"""Fitted exponents: exact on power laws, intervals that cover as often as they say."""

import numpy as np
import pytest

from neuronal.theory.rates import exponent, prefactor, rms, student

WIDTHS = np.array([64, 128, 256, 512, 1024])


def test_a_power_law_is_found_exactly():
    rate = exponent(WIDTHS, 3.0 * WIDTHS[:, None] ** -0.7 * np.array([1.0, 2.0, 0.5]))
    assert rate.slope == pytest.approx(-0.7, abs=1e-12)
    assert rate.high - rate.low == pytest.approx(0.0, abs=1e-10)


def test_the_interval_of_an_exponent_covers():
    """Distances of Gaussian errors of order n^(-1/2), six seeds."""
    rng = np.random.default_rng(0)
    table = np.abs(rng.normal(size=(1500, len(WIDTHS), 6))) / np.sqrt(WIDTHS)[:, None]
    rates = [exponent(WIDTHS, distances) for distances in table]
    assert np.mean([r.low < -0.5 < r.high for r in rates]) == pytest.approx(0.95, abs=0.04)
    assert np.mean([r.slope for r in rates]) == pytest.approx(-0.5, abs=0.01)


def test_a_prefactor_is_found_exactly():
    """Distances C a**power have the factor C, whatever the parameters; of seeds the rms counts."""
    seeds = np.array([1.0, 2.0, 0.5])
    found = prefactor(WIDTHS, 3.0 * WIDTHS[:, None] ** -0.5 * seeds, -0.5)
    assert found.value == pytest.approx(3.0 * rms(seeds), rel=1e-12)
    one = prefactor(WIDTHS[:1], np.array([[2.0]]), 0.5, predicted=0.2)
    assert (one.value, one.low, one.high) == (pytest.approx(0.25), 0.0, np.inf)
    assert str(one) == "0.25 [0, inf], predicted 0.2"


def test_the_interval_of_a_prefactor_covers():
    """The root mean square of Gaussian errors is their deviation; eight seeds."""
    rng = np.random.default_rng(1)
    table = 2.0 * rng.normal(size=(1500, len(WIDTHS), 8)) / np.sqrt(WIDTHS)[:, None]
    found = [prefactor(WIDTHS, distances, -0.5) for distances in np.abs(table)]
    assert np.mean([f.low < 2.0 < f.high for f in found]) == pytest.approx(0.95, abs=0.05)


def test_students_interval_covers():
    rng = np.random.default_rng(0)
    intervals = [student(rng.normal(size=4)) for _ in range(2000)]
    assert np.mean([r.low < 0 < r.high for r in intervals]) == pytest.approx(0.95, abs=0.02)


def test_one_seed_has_no_interval():
    rate = exponent(WIDTHS, WIDTHS[:, None] ** -0.5)
    assert rate.slope == pytest.approx(-0.5) and rate.low == -np.inf and rate.high == np.inf
    assert student(np.array([2.0])).high == np.inf


def test_root_mean_square():
    assert rms(np.array([3.0, 4.0])) == pytest.approx(np.sqrt(12.5))

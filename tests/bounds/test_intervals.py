"""Interval arithmetic against mpmath at 40 digits, and suprema against closed forms."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronal.bounds import intervals as iv
from neuronal.bounds.intervals import Interval, supremum

mpmath.mp.dps = 40
NUMBERS = st.floats(-30, 30, allow_nan=False)
FUNCTIONS = {
    "tanh": (iv.tanh, mpmath.tanh),
    "erf": (iv.erf, mpmath.erf),
    "exp": (iv.exp, mpmath.exp),
    "sin": (iv.sin, mpmath.sin),
    "cos": (iv.cos, mpmath.cos),
    "sigmoid": (iv.sigmoid, lambda h: 1 / (1 + mpmath.exp(-h))),
    "abs": (abs, abs),
    "square": (Interval.square, lambda h: h * h),
    "polynomial": (lambda h: h * h - 3 * h + 0.1, lambda h: h * h - 3 * h + mpmath.mpf(0.1)),
    "bell": (lambda h: (1 + h.square()).reciprocal(), lambda h: 1 / (1 + h * h)),
    "root": (lambda h: iv.sqrt(1 + h.square()), lambda h: mpmath.sqrt(1 + h * h)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@given(a=NUMBERS, b=NUMBERS, share=st.floats(0, 1))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_values_lie_in_the_interval_to_the_last_digit(name, a, b, share):
    on_intervals, exact = FUNCTIONS[name]
    low, high = min(a, b), max(a, b)
    point = min(max(low + share * (high - low), low), high)
    for box in ((low, high), (point, point)):
        image = on_intervals(Interval(np.array([box[0]]), np.array([box[1]])))
        assert image.low[0] <= exact(mpmath.mpf(point)) <= image.high[0]


def test_a_point_is_known_to_a_few_digits_less_than_double_precision():
    x = np.linspace(-4, 4, 101)
    for name in ("tanh", "erf", "exp", "sigmoid", "sin", "bell"):
        image = FUNCTIONS[name][0](Interval(x, x))
        assert np.all(image.high - image.low < 1e-14 * np.maximum(1, np.abs(image.high)))


@pytest.mark.parametrize(
    ("function", "low", "high", "exact"),
    [
        (lambda h: 1 - iv.tanh(h).square(), -np.inf, np.inf, 1.0),
        (lambda h: abs(2 * iv.tanh(h) * (1 - iv.tanh(h).square())), -np.inf, np.inf,
         4 / (3 * math.sqrt(3))),
        (lambda h: h * (3 - h), -2.0, 2.0, 2.25),
        (lambda h: h * iv.exp(-h), 0.0, 50.0, math.exp(-1)),
        (iv.sin, -1.0, 1.0, math.sin(1.0)),
    ],
)  # fmt: skip
def test_suprema_enclose_the_closed_form(function, low, high, exact):
    lower, upper = supremum(function, low, high)
    assert lower <= exact * (1 + 1e-15) and exact <= upper
    assert upper - lower < 2e-6 * exact


def test_a_narrow_peak_between_the_points_of_any_coarse_grid_is_found():
    lower, upper = supremum(lambda h: (1 + (1e9 * (h - math.pi)).square()).reciprocal())
    assert lower <= 1 <= upper < 1.001


def test_an_unbounded_function_has_no_finite_upper_end():
    assert supremum(lambda h: abs(h))[1] == math.inf

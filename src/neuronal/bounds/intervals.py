r"""Interval arithmetic with outward rounding, and certified suprema by branch and bound.

An `Interval` holds arrays of lower and upper ends; every operation returns intervals that
contain all values of the operation on the intervals given. Ends of sums, products and quotients
are moved outward by one float, those of `exp`, `tanh`, `erf` and `sin` by eight (their
libraries err by less than two). Ends may be infinite, which is how tails are covered: a
supremum found here is one over the whole real line, not over a grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special

LIBRARY_ULPS = 8


@dataclass(frozen=True)
class Interval:
    """Boxes `[low, high]`, one an entry."""

    low: Float[np.ndarray, "n"]
    high: Float[np.ndarray, "n"]

    def __add__(self, other: Interval | float) -> Interval:
        other = interval(other)
        return outward(self.low + other.low, self.high + other.high)

    __radd__ = __add__

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __sub__(self, other: Interval | float) -> Interval:
        return self + -interval(other)

    def __rsub__(self, other: float) -> Interval:
        return interval(other) + -self

    def __mul__(self, other: Interval | float) -> Interval:
        other = interval(other)
        with np.errstate(invalid="ignore"):
            ends = np.stack([a * b for a in (self.low, self.high) for b in (other.low, other.high)])
        # 0 * inf: an infinite end stands for arbitrarily large numbers, and 0 times those is 0.
        ends = np.where(np.isnan(ends), 0.0, ends)
        return outward(ends.min(axis=0), ends.max(axis=0))

    __rmul__ = __mul__

    def reciprocal(self) -> Interval:
        """1 over intervals of positive numbers; elsewhere the whole line."""
        with np.errstate(divide="ignore"):
            low, high = 1 / self.high, 1 / self.low
        positive = self.low > 0
        result = outward(np.where(positive, low, -np.inf), np.where(positive, high, np.inf))
        return Interval(np.where(positive, np.maximum(result.low, 0), result.low), result.high)

    def square(self) -> Interval:
        a, b = self.low**2, self.high**2
        low = np.where((self.low <= 0) & (self.high >= 0), 0.0, np.minimum(a, b))
        result = outward(low, np.maximum(a, b))
        return Interval(np.maximum(result.low, 0), result.high)

    def __abs__(self) -> Interval:
        a, b = np.abs(self.low), np.abs(self.high)
        low = np.where((self.low <= 0) & (self.high >= 0), 0.0, np.minimum(a, b))
        return Interval(low, np.maximum(a, b))

    def within(self, low: float | np.ndarray, high: float | np.ndarray) -> Interval:
        """Intersected with a range known to hold the values."""
        return Interval(np.maximum(self.low, low), np.minimum(self.high, high))


def interval(value: Interval | float) -> Interval:
    """The interval that holds one number."""
    if isinstance(value, Interval):
        return value
    return Interval(np.asarray(value, float), np.asarray(value, float))


def outward(low: np.ndarray, high: np.ndarray, ulps: int = 1) -> Interval:
    """The interval with both ends moved outward by that many floats."""
    for _ in range(ulps):
        low, high = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
    return Interval(low, high)


def increasing(function: Callable, x: Interval, low: float, high: float) -> Interval:
    """An increasing function of a library, with values known to be in [low, high]."""
    return outward(function(x.low), function(x.high), LIBRARY_ULPS).within(low, high)


def exp(x: Interval) -> Interval:
    return increasing(np.exp, x, 0.0, np.inf)


def tanh(x: Interval) -> Interval:
    return increasing(np.tanh, x, -1.0, 1.0)


def erf(x: Interval) -> Interval:
    return increasing(special.erf, x, -1.0, 1.0)


def sigmoid(x: Interval) -> Interval:
    return increasing(special.expit, x, 0.0, 1.0)


def sqrt(x: Interval) -> Interval:
    return increasing(np.sqrt, x, 0.0, np.inf)


def sin(x: Interval) -> Interval:
    """sin(middle) give or take the radius, within [-1, 1]."""
    with np.errstate(invalid="ignore", over="ignore"):
        middle = (x.low + x.high) / 2
        radius = np.nextafter(np.maximum(x.high - middle, middle - x.low), np.inf)
        value = np.sin(np.where(np.isfinite(middle), middle, 0.0))
        usable = np.isfinite(middle) & np.isfinite(radius)
        low = np.where(usable, value - radius, -1.0)
        high = np.where(usable, value + radius, 1.0)
    return outward(low, high, LIBRARY_ULPS).within(-1.0, 1.0)


def cos(x: Interval) -> Interval:
    half_pi = outward(np.asarray(np.pi / 2), np.asarray(np.pi / 2))
    return sin(x + half_pi)


def supremum(
    function: Callable[[Interval], Interval],
    low: float = -np.inf,
    high: float = np.inf,
    tolerance: float = 1e-6,
    rounds: int = 80,
    most: int = 400_000,
) -> tuple[float, float]:
    r"""Certified bounds of $\sup_{[low, high]} f$ by branch and bound.

    Args:
        function: an interval extension of f.
        low, high: may be infinite: an infinite box is split at twice its finite end.
        tolerance: relative width of the result at which to stop.

    Returns:
        (lower, upper): $lower \le \sup f \le upper$. The upper one holds whether or not the
        tolerance was met.
    """
    ends = np.concatenate([[low], np.linspace(max(low, -16.0), min(high, 16.0), 129), [high]])
    ends = np.unique(ends)
    a, b = ends[:-1], ends[1:]
    best, done = -np.inf, -np.inf
    for _ in range(rounds):
        middle = _middle(a, b)
        best = max(best, float(np.max(function(Interval(middle, middle)).low)))
        upper = function(Interval(a, b)).high
        goal = best + tolerance * max(abs(best), 1e-300)
        # Boxes below the goal need no more work; the supremum is below the goal on them.
        settled = upper <= goal
        if np.any(settled):
            done = max(done, float(np.max(upper[settled])))
        a, b, middle, upper = (v[~settled] for v in (a, b, middle, upper))
        narrow = (middle <= a) | (middle >= b)
        if np.any(narrow):
            done = max(done, float(np.max(upper[narrow])))
            a, b, middle, upper = (v[~narrow] for v in (a, b, middle, upper))
        if len(a) == 0:
            return best, done
        if 2 * len(a) > most:
            break
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
    return best, max(done, float(np.max(function(Interval(a, b)).high)))


def _middle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        finite = a + (b - a) / 2
    left, right = np.isneginf(a), np.isposinf(b)
    finite = np.where(left, 2 * np.minimum(b, -1.0), finite)
    finite = np.where(right, 2 * np.maximum(a, 1.0), finite)
    return np.where(left & right, 0.0, finite)

r"""Functions far out: $|v(h)| \le C h^p$ for all $h \ge a$, from operation to operation.

An interval forgets how fast its two factors grow and fall: on $[a, \infty)$ that of $h\,e^{-h^2}$ is
$[0, \infty)$. A `Tail` keeps powers besides, so that products and quotients of what grows and what
falls have the bound that they have.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import intervals as iv
from .intervals import Interval, interval

_ROUNDING = 1 + 1e-12
"""By which a constant is larger than computed, more than all roundings of one operation."""
_FALL = 16.0
"""The power that stands for an exponential fall."""
_ROOT = 0.25
"""log v is bounded by this power of v."""

Power = tuple[float, float]
"""C and p of $C h^p$."""


@dataclass(frozen=True)
class Tail:
    """A function on [a, infinity), a >= 1.

    Attributes:
        values: its range.
        upper, lower: powers above and below its absolute value; None where none is known.
    """

    a: float
    values: Interval
    upper: Power | None
    lower: Power | None

    @staticmethod
    def of(a: float, values: Interval, upper: Power | None, lower: Power | None) -> Tail:
        """With what the range and the powers tell of each other."""
        low, high = float(values.low), float(values.high)
        most, least = max(abs(low), abs(high)), max(low, -high, 0.0)
        if math.isfinite(most) and (upper is None or upper[1] > 0):
            upper = (most * _ROUNDING, 0.0)
        if least > 0 and math.isfinite(least) and lower is None:
            lower = (least / _ROUNDING, 0.0)
        if upper is not None and upper[1] <= 0:
            most = _times(upper[0], a ** upper[1]) * _ROUNDING
            values = values.within(-most, most)
        return Tail(a, values, upper, lower)

    @staticmethod
    def itself(a: float, sign: int) -> Tail:
        """h, or -h for the tail on the left."""
        ends = (a, np.inf) if sign > 0 else (-np.inf, -a)
        return Tail(a, Interval(*map(np.asarray, ends)), (1.0, 1.0), (1.0, 1.0))

    def _other(self, other: Any) -> Tail:
        return other if isinstance(other, Tail) else Tail.of(self.a, interval(other), None, None)

    def __add__(self, given: Any) -> Tail:
        other = self._other(given)
        upper = lower = None
        if self.upper is not None and other.upper is not None:
            p = max(self.upper[1], other.upper[1])
            terms = (c * self.a ** (q - p) for c, q in (self.upper, other.upper))
            upper = (sum(terms) * _ROUNDING, p)
        if _same_sign(self.values, other.values):
            lower = max(
                filter(None, (self.lower, other.lower)), key=lambda one: one[1], default=None
            )
        else:
            for one, rest in ((self.lower, other.upper), (other.lower, self.upper)):
                if one is not None and rest is not None and rest[1] < one[1]:
                    left = one[0] - rest[0] * self.a ** (rest[1] - one[1]) * _ROUNDING
                    lower = (left / _ROUNDING, one[1]) if left > 0 else None
        return Tail.of(self.a, self.values + other.values, upper, lower)

    __radd__ = __add__

    def __neg__(self) -> Tail:
        return Tail(self.a, -self.values, self.upper, self.lower)

    def __sub__(self, other: Any) -> Tail:
        return self + -self._other(other)

    def __rsub__(self, other: Any) -> Tail:
        return self._other(other) + -self

    def __mul__(self, given: Any) -> Tail:
        other = self._other(given)
        powers = [
            None if one is None or two is None else (_times(one[0], two[0]), one[1] + two[1])
            for one, two in ((self.upper, other.upper), (self.lower, other.lower))
        ]
        upper = powers[0] and (powers[0][0] * _ROUNDING, powers[0][1])
        lower = powers[1] and (powers[1][0] / _ROUNDING, powers[1][1])
        return Tail.of(self.a, self.values * other.values, upper, lower)

    __rmul__ = __mul__

    def __abs__(self) -> Tail:
        return Tail(self.a, abs(self.values), self.upper, self.lower)

    def square(self) -> Tail:
        product = self * self
        return Tail(self.a, product.values.within(0.0, np.inf), product.upper, product.lower)

    def reciprocal(self) -> Tail:
        """Where it has a lower power, and so no zero."""
        low, high = float(self.values.low), float(self.values.high)
        line = Interval(np.asarray(-np.inf), np.asarray(np.inf))
        if self.lower is None or low <= 0 <= high:
            return Tail(self.a, line, None, None)
        values = self.values.reciprocal() if low > 0 else -((-self.values).reciprocal())
        upper = (_ROUNDING / self.lower[0], -self.lower[1])
        lower = self.upper and (1 / self.upper[0] / _ROUNDING, -self.upper[1])
        return Tail.of(self.a, values, upper, lower if lower and lower[0] > 0 else None)

    def root(self) -> Tail:
        """The square root of a function that is nowhere negative."""
        if float(self.values.low) < 0:
            return Tail(self.a, Interval(np.asarray(-np.inf), np.asarray(np.inf)), None, None)
        halves = [
            None if one is None else (math.sqrt(one[0]), one[1] / 2)
            for one in (self.upper, self.lower)
        ]
        upper = halves[0] and (halves[0][0] * _ROUNDING, halves[0][1])
        lower = halves[1] and (halves[1][0] / _ROUNDING, halves[1][1])
        return Tail.of(self.a, iv.sqrt(self.values), upper, lower)

    def exp(self) -> Tail:
        """Of a function that falls without bound: below every power."""
        values, upper = iv.exp(self.values), None
        if self.lower is not None and self.lower[1] > 0 and float(self.values.high) < 0:
            c, q = self.lower
            peak = max((_FALL / (c * q)) ** (1 / q), self.a)
            upper = (math.exp(_FALL * math.log(peak) - c * peak**q) * _ROUNDING**8, -_FALL)
        return Tail.of(self.a, values, upper, None)

    def log(self) -> Tail:
        """Of a function of at least 1."""
        if float(self.values.low) < 1:
            return Tail(self.a, Interval(np.asarray(-np.inf), np.asarray(np.inf)), None, None)
        c, p = self.upper or (np.inf, 0.0)
        upper = (
            (c**_ROOT / (math.e * _ROOT) * _ROUNDING**8, p * _ROOT) if math.isfinite(c) else None
        )
        return Tail.of(self.a, iv.increasing(np.log, self.values, -np.inf, np.inf), upper, None)


def bounded(function: Callable[[Interval], Interval]) -> Callable[[Any], Any]:
    """A function of intervals as one of tails: its range alone is known."""
    return lambda v: Tail.of(v.a, function(v.values), None, None)


def _same_sign(one: Interval, other: Interval) -> bool:
    return bool((one.low >= 0 and other.low >= 0) or (one.high <= 0 and other.high <= 0))


def _times(one: float, other: float) -> float:
    """A product in which 0 times infinity is infinite: nothing is known."""
    product = one * other
    return math.inf if math.isnan(product) else product

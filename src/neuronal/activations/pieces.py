"""Continuous functions of straight pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..bounds.forms import ActivationForm, constant
from ..bounds.intervals import Interval
from ..checks import finite, require
from .base import Activation

_ROUNDING = 1e-14
"""By which ends of intervals are moved outward, relative to the largest value."""


def piecewise_linear(knots: ArrayLike, values: ArrayLike) -> Activation:
    r"""The function through points, straight between them and constant beyond the first and the last.

    At a knot the derivative is that on its left. Mei, Montanari and Nguyen (2018) have
    `piecewise_linear([0.5, 1.5], [-2.5, 7.5])`.

    Args:
        knots: `(K,)`, increasing, K >= 2.
        values: `(K,)`.

    Raises:
        InvalidInput: knots that do not increase, or other numbers of them than of values.

    !!! example
        ```python
        >>> import jax.numpy as jnp, neuronal as nr
        >>> phi = nr.activations.piecewise_linear([0.5, 1.5], [-2.5, 7.5])
        >>> phi(jnp.array([0.0, 1.0, 2.0])).tolist()
        [-2.5, 2.5, 7.5]

        ```
    """
    finite("knots", knots, 1)
    finite("values", values, 1)
    x, y = np.asarray(knots, float), np.asarray(values, float)
    require(len(x) >= 2 and bool(np.all(np.diff(x) > 0)), "knots: takes two or more, increasing")
    require(len(x) == len(y), f"values: takes one per knot ({len(x)}), got {len(y)}")
    function = _Pieces(tuple(map(float, x)), tuple(map(float, y)))
    jumps = np.diff(np.concatenate([[0.0], function.slopes, [0.0]]))
    kinks = tuple(map(float, x[jumps != 0]))
    bound, steepest = float(np.abs(y).max()), float(np.abs(function.slopes).max())
    points = ", ".join(f"{a:g}: {b:g}" for a, b in zip(x, y, strict=True))
    return Activation(
        f"piecewise_linear({points})",
        function,
        bound,
        steepest,
        math.inf if kinks else 0.0,
        False,
        non_obstructive=bool(kinks),
        form=ActivationForm(
            function,
            function.range_of_values,
            function.range_of_slopes,
            None if kinks else _zero,
            None,
            why_not=f"phi' jumps at {kinks[0]:g} and is 0 beyond the knots"
            if kinks
            else "constant",
        ),
        kinks=kinks,
    )


@dataclass(frozen=True)
class _Pieces:
    """The value and the derivative; and their ranges on intervals."""

    knots: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def slopes(self) -> Float[np.ndarray, "K-1"]:
        return np.diff(self.values) / np.diff(self.knots)

    def __call__(self, h: Array) -> tuple[Array, Array]:
        # Each piece by how far h is into it: what lies behind adds constants, without roundings of h.
        h = jnp.asarray(h)
        value = jnp.full_like(h, self.values[0])
        slope = jnp.zeros_like(h)
        for left, right, s in zip(
            self.knots[:-1], self.knots[1:], self.slopes.tolist(), strict=True
        ):
            value += s * (jnp.clip(h, left, right) - left)
            slope += jnp.where((h > left) & (h <= right), s, 0.0).astype(h.dtype)
        return value, slope

    def range_of_values(self, h: Interval) -> Interval:
        x, y = np.asarray(self.knots), np.asarray(self.values)
        inside = (x >= h.low[:, None]) & (x <= h.high[:, None])
        ends = np.interp(h.low, x, y), np.interp(h.high, x, y)
        low = np.minimum(np.min(np.where(inside, y, np.inf), axis=1), np.minimum(*ends))
        high = np.maximum(np.max(np.where(inside, y, -np.inf), axis=1), np.maximum(*ends))
        return self._outward(low, high, np.abs(y).max())

    def range_of_slopes(self, h: Interval) -> Interval:
        x = np.concatenate([[-np.inf], self.knots, [np.inf]])
        s = np.concatenate([[0.0], self.slopes, [0.0]])
        # A knot at an end of the interval counts both its sides.
        meets = (x[:-1] <= h.high[:, None]) & (x[1:] >= h.low[:, None])
        low = np.min(np.where(meets, s, np.inf), axis=1)
        high = np.max(np.where(meets, s, -np.inf), axis=1)
        return self._outward(low, high, np.abs(s).max())

    def _outward(self, low: np.ndarray, high: np.ndarray, size: float) -> Interval:
        margin = _ROUNDING * size
        return Interval(low - margin, high + margin)


def _zero(h: Interval) -> Interval:
    return constant(h, 0.0)

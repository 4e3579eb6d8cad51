"""Means and deviations of columns, of whatever size their numbers are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_SQUARED = (1e-140, 1e140)
"""Deviations whose squares are numbers of full precision."""
_SAME = 4 * np.finfo(float).eps
"""Values that differ by less, relative to the largest, are one value that was rounded."""
_LARGE = 1e30
"""Above it one value is rounded by more than the unit 1."""


class Scale(NamedTuple):
    """Mean and deviation of each column."""

    mean: Float[np.ndarray, "d"]
    std: Float[np.ndarray, "d"]

    @staticmethod
    def of(values: Float[np.ndarray, "m d"], weights: Float[np.ndarray, "m"]) -> Scale:
        """The scale of weighted values; a column of one value has it as mean, and deviation 1."""
        p = weights / weights.sum()
        # By the largest deviation first: its square may leave the range of numbers.
        with np.errstate(over="ignore", invalid="ignore"):
            mean = p @ values
            reach = np.max(np.abs(values - mean), axis=0)
            reach = np.where(reach > 0, reach, 1.0)
            std = reach * np.sqrt(p @ ((values - mean) / reach) ** 2)
        return Scale(mean, std)._of_constants(values)

    @staticmethod
    def of_rows(values: Float[np.ndarray, "m d"]) -> Scale:
        """The scale of values of equal weights."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean, std = values.mean(axis=0), values.std(axis=0)
        careful = Scale.of(values, np.ones(len(values)))
        low, high = _SQUARED
        plain = (std > low) & (std < high)  # False for NaN
        found = Scale(np.where(plain, mean, careful.mean), np.where(plain, std, careful.std))
        return found._of_constants(values)

    @staticmethod
    def none(dim: int) -> Scale:
        """The scale that changes nothing."""
        return Scale(np.zeros(dim), np.ones(dim))

    def standard(self, values: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m d"]:
        """Values in units of the scale; infinite where these leave the range of numbers."""
        with np.errstate(over="ignore", invalid="ignore"):
            return (values - self.mean) / self.std

    def original(self, values: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m d"]:
        """Values in the units of the data."""
        return self.mean + self.std * values

    def _of_constants(self, values: Float[np.ndarray, "m d"]) -> Scale:
        """The scale with columns of one value by that value, not by a mean that was rounded."""
        one, peak = is_constant(values), np.max(np.abs(values), axis=0)
        unit = np.where(peak < _LARGE, 1.0, peak)
        return Scale(np.where(one, values[0], self.mean), np.where(one, unit, self.std))


def is_constant(values: Float[np.ndarray, "m d"]) -> np.ndarray:
    """Which columns have one value only, but for roundings."""
    peak = np.max(np.abs(values), axis=0)
    with np.errstate(over="ignore"):
        spread = values.max(axis=0) - values.min(axis=0)
    return spread <= _SAME * peak

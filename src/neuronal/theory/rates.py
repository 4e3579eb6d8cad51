"""Fitted exponents with confidence intervals over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats


@dataclass(frozen=True)
class Rate:
    """A fitted exponent, distance ~ parameter**slope, with its 95 % confidence interval."""

    slope: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.slope:.3f} [{self.low:.3f}, {self.high:.3f}]"


def exponent(at: Float[np.ndarray, "V"], distances: Float[np.ndarray, "V S"]) -> Rate:
    """The exponent of distances in a parameter: a line in logarithms through their rms over seeds.

    The interval is Student's over the jackknife's pseudo-values: a single seed's logarithm has
    a heavy tail (a distance that happens to be small), a root mean square over seeds has none.
    Infinite for one seed.
    """

    def slope(table: np.ndarray) -> float:
        middle = np.sqrt(np.mean(table**2, axis=1))
        return float(np.polyfit(np.log(at), np.log(middle), 1)[0])

    whole, seeds = slope(distances), distances.shape[1]
    if seeds < 2:
        return Rate(whole, -np.inf, np.inf)
    without = np.array([slope(np.delete(distances, s, axis=1)) for s in range(seeds)])
    around = student(seeds * whole - (seeds - 1) * without)
    half = around.high - around.slope
    return Rate(whole, whole - half, whole + half)


def student(values: Float[np.ndarray, "S"]) -> Rate:
    """Mean of independent values with Student's 95 % interval; infinite for one value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Rate(mean, -np.inf, np.inf)
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return Rate(mean, mean - half, mean + half)


def rms(values: Float[np.ndarray, "S"]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))

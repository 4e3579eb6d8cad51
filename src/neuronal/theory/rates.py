"""Fitted exponents and prefactors with confidence intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable
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


@dataclass(frozen=True)
class Prefactor:
    """A fitted C, distance ~ C parameter**power of a known power, with its 95 % confidence interval.

    Attributes:
        predicted: what the limit alone says of it (`neuronal.fluctuations`); NaN where it was not asked
            or cannot say.
    """

    value: float
    low: float
    high: float
    predicted: float = np.nan

    def __str__(self) -> str:
        words = f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"
        return words if np.isnan(self.predicted) else f"{words}, predicted {self.predicted:.3g}"


def exponent(at: Float[np.ndarray, "V"], distances: Float[np.ndarray, "V S"]) -> Rate:
    """The exponent of distances in a parameter: a line in logarithms through their rms over seeds.

    The interval is Student's over the jackknife's pseudo-values: a single seed's logarithm has
    a heavy tail (a distance that happens to be small), a root mean square over seeds has none.
    Infinite for one seed.
    """

    def slope(middle: np.ndarray) -> float:
        return float(np.polyfit(np.log(at), np.log(middle), 1)[0])

    return _jackknifed(slope, distances)


def prefactor(
    at: Float[np.ndarray, "V"],
    distances: Float[np.ndarray, "V S"],
    power: float,
    predicted: float = np.nan,
) -> Prefactor:
    """The factor before a known power: the geometric mean over parameters of rms / at**power.

    The interval is that of `exponent`, for the factor's logarithm.
    """

    def logarithm(middle: np.ndarray) -> float:
        return float(np.mean(np.log(middle) - power * np.log(at)))

    found = _jackknifed(logarithm, distances)
    value, low, high = np.exp([found.slope, found.low, found.high])
    return Prefactor(float(value), float(low), float(high), predicted)


def _jackknifed(
    statistic: Callable[[np.ndarray], float], distances: Float[np.ndarray, "V S"]
) -> Rate:
    """A statistic of root mean squares over seeds, with the interval of its pseudo-values."""
    seeds = distances.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):  # of networks that are the limit
        whole = statistic(_over_seeds(distances))
        if seeds < 2:
            return Rate(whole, -np.inf, np.inf)
        others = [np.delete(distances, s, axis=1) for s in range(seeds)]
        pseudo = seeds * whole - (seeds - 1) * np.array([statistic(_over_seeds(o)) for o in others])
        around = student(pseudo)
    half = around.high - around.slope
    return Rate(whole, whole - half, whole + half)


def _over_seeds(distances: Float[np.ndarray, "V S"]) -> Float[np.ndarray, "V"]:
    return np.sqrt(np.mean(distances**2, axis=1))


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

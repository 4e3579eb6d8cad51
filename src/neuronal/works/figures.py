"""What several works measure: distances, exponents, runs of many networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from ..distributions import Empirical
from ..theory.rates import exponent


def wave(points: int, frequency: float = 3.0) -> Empirical:
    r"""$y = \sin(\omega x)$ on equally spaced x in [-1, 1]; inputs (x, 1)."""
    x = np.linspace(-1, 1, points)
    return Empirical(np.stack([x, np.ones(points)], axis=1), np.sin(frequency * x))


def rms(
    difference: Float[np.ndarray, "*more m"], weights: Float[np.ndarray, "m"] | None = None
) -> Float[np.ndarray, "*more"]:
    """Root mean square over inputs, by their law or equally."""
    return np.sqrt(np.average(np.square(difference), axis=-1, weights=weights))


def slope(at: Sequence[float], distances: Float[np.ndarray, "V S"]) -> float:
    """The exponent of root mean squares over seeds in `at`."""
    return exponent(np.asarray(at, float), np.asarray(distances)).slope


def over_seeds(count: int, one: Callable[[int], object]) -> Float[np.ndarray, "S *more"]:
    """`one` of each seed."""
    return np.asarray([np.asarray(one(seed)) for seed in range(count)])

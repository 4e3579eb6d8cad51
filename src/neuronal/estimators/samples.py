"""Weighted samples as a law; a fit depends on the data through this law alone.

Equal samples are one sample of their total weight, samples come in lexicographic order, and
those of weight zero are not there: repeating a sample and doubling its weight are the same law,
bit for bit, and so give the same fit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import validate_data

from ..checks import on_device, require, shares
from ..datasets.scale import Scale
from ..distributions import Empirical
from ..errors import InvalidInput

_MISSING = """X: contains NaN, missing values. Two lines fill them and tell where they were:
    from sklearn.impute import SimpleImputer
    model = sklearn.pipeline.make_pipeline(SimpleImputer(add_indicator=True), model)"""
_WORDS = """X: {}. Two lines make columns of numbers of words and categories:
    from sklearn.preprocessing import OneHotEncoder
    model = sklearn.pipeline.make_pipeline(OneHotEncoder(handle_unknown="ignore"), model)
A table of both kinds takes a sklearn.compose.make_column_transformer: the guide From a table to a service."""


class Rows(NamedTuple):
    """Weighted rows of the user's table, in its units and in double precision; weights of any sum."""

    x: Float[np.ndarray, "m d"]
    y: Float[np.ndarray, "m k"]
    weights: Float[np.ndarray, "m"]

    def distinct(self) -> Rows:
        """The same law with each sample once, in order."""
        kept = self.weights > 0
        rows = np.concatenate([self.x[kept], self.y[kept]], axis=1)
        found, group = np.unique(rows, axis=0, return_inverse=True)
        weights = np.bincount(group.reshape(-1), self.weights[kept], len(found))
        d = self.x.shape[1]
        return Rows(found[:, :d], found[:, d:], weights)

    def part(self, index: np.ndarray) -> Rows:
        """The samples of those numbers."""
        return Rows(self.x[index], self.y[index], self.weights[index])

    def split(self, share: float, seed: int, strata: bool = False) -> tuple[Rows, Rows]:
        """What is trained on and the share held out; with strata, of every class alike.

        Raises:
            InvalidInput: too few samples for it.
        """
        numbers = np.arange(len(self.x))
        classes = self.y[:, 0] if strata else None
        try:
            parts = train_test_split(numbers, test_size=share, random_state=seed, stratify=classes)
        except ValueError as error:
            raise InvalidInput(
                f"validation_fraction: {len(numbers)} distinct samples cannot be split ({error})"
            ) from error
        kept, held_out = map(np.asarray, parts)
        return self.part(kept), self.part(held_out)

    def law(self, inputs: Scale, targets: Scale) -> Empirical:
        """Standardised, with the constant coordinate, padded to few sizes, to compile rarely.

        The padding is copies of the last sample, of weight zero.
        """
        m = len(self.x)
        block = max(64, 2 ** (m.bit_length() - 3))
        fill = np.minimum(np.arange(-(-m // block) * block), m - 1)
        weights = np.where(np.arange(len(fill)) < m, self.weights[fill], 0.0)
        y = on_device(_standard("y", targets, self.y)[fill])
        return Empirical(biased(inputs, self.x[fill]), y, on_device(weights / weights.sum()))


def biased(scale: Scale, x: Float[np.ndarray, "m d"]) -> Float[Array, "m d1"]:
    """Inputs as a network takes them: standardised, then a coordinate 1, of JAX's precision."""
    standard = _standard("X", scale, x)
    return on_device(np.column_stack([standard, np.ones(len(x), standard.dtype)]))


def _standard(name: str, scale: Scale, values: Float[np.ndarray, "m d"]) -> np.ndarray:
    """Values in units of the scale, of JAX's precision."""
    with np.errstate(over="ignore"):
        standard = scale.standard(values).astype(_precision())
    require(
        bool(np.isfinite(standard).all()),
        f"{name}: values or their spread leave the range of floating-point numbers; rescale them",
    )
    return standard


def _precision() -> np.dtype:
    """JAX's; NumPy converts to it, since JAX would compile for each shape."""
    return jax.dtypes.canonicalize_dtype(float)


def validated(estimator: BaseEstimator, *data: Any, **options: Any) -> Any:
    """scikit-learn's `validate_data` in double precision, and ways out of what it refuses.

    Raises:
        InvalidInput: numbers beyond double precision; missing values and words in X, with the lines that
            make numbers of them.
        ValueError: what else scikit-learn refuses.
    """
    try:
        return validate_data(estimator, *data, dtype=np.float64, **options)
    except OverflowError as error:
        raise InvalidInput(f"X, y: hold numbers beyond double precision ({error})") from error
    except ValueError as error:
        said = str(error)
        if said.startswith("Input X contains NaN"):
            raise InvalidInput(_MISSING) from error
        if "could not convert string to float" in said or "Cannot cast object dtype" in said:
            raise InvalidInput(_WORDS.format(said)) from error
        raise


def sample_weights(given: ArrayLike | None, m: int) -> Float[np.ndarray, "m"]:
    """A weight per sample, 1 if none are given; their ratios alone count.

    Raises:
        InvalidInput: another shape, NaN, negative weights, or all of them zero.
    """
    return np.ones(m) if given is None else shares("sample_weight", given, m)

"""Labels, and what they weigh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ..checks import is_number, require, shown
from ..errors import InvalidInput


def distinct(classes: Any) -> np.ndarray:
    """The labels in order.

    Raises:
        InvalidInput: labels that have no order among each other.
    """
    try:
        return np.unique(np.asarray(classes))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"classes: takes labels of one type, got {shown(classes)}") from error


def factors(
    asked: Mapping[Any, float] | str | None,
    classes: np.ndarray,
    numbers: Int[np.ndarray, "m"],
    weights: Float[np.ndarray, "m"],
) -> Float[np.ndarray, "m"]:
    """The factor of each sample's weight, for its class.

    Args:
        asked: `class_weight` as given.
        numbers: of the samples' classes, in `classes`.
        weights: of the samples. ``balanced`` counts by them, so that a weight stays a repetition.

    Raises:
        InvalidInput: another kind of `class_weight`; a label that is no class; a factor that is no
            number >= 0.
    """
    if asked is None:
        return np.ones(len(numbers))
    if isinstance(asked, str) and asked == "balanced":
        totals = np.bincount(numbers, weights, len(classes))
        there = totals > 0
        balanced = np.divide(weights.sum() / there.sum(), totals, where=there, out=totals)
        return balanced[numbers]
    require(
        isinstance(asked, Mapping),
        f"class_weight: takes None, 'balanced' or a dictionary of labels, got {shown(asked)}",
    )
    assert isinstance(asked, Mapping)
    known = classes.tolist()
    unknown = [label for label in asked if label not in known]
    require(not unknown, f"class_weight: {shown(unknown[:3])} not among the classes {shown(known)}")
    for label, factor in asked.items():
        require(
            is_number(factor) and factor >= 0,
            f"class_weight: takes numbers >= 0, got {shown(factor)} for {shown(label)}",
        )
    return np.array([float(asked.get(label, 1.0)) for label in known])[numbers]

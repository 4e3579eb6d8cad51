"""Errors that users see: each a ``ValueError`` that names the argument and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    pass


class InvalidInput(ValueError):
    """An argument has a value, shape or name that cannot be used."""


def require(condition: bool, message: str) -> None:
    """Raise `InvalidInput` with `message` unless `condition` holds."""
    if not condition:
        raise InvalidInput(message)


def whole(value: object, least: int) -> bool:
    """Whether `value` is a whole number from `least` on; 2.0 and NumPy's numbers may be."""
    if not isinstance(value, int | float | np.number):
        return False
    return bool(np.isfinite(value) and int(value) == value and value >= least)


class InaccuracyWarning(UserWarning):
    """A limit was not solved to the accuracy asked for."""

"""Errors that users see: each a ``ValueError`` that names the argument and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .trajectory import Trajectory


class InvalidInput(ValueError):
    """An argument has a value, shape or name that cannot be used."""


class DivergenceError(ValueError):
    """A run left the finite numbers.

    Attributes:
        time: MF time at which the run was found to diverge.
        trajectory: what the run left up to its last finite record, or ``None``.
    """

    def __init__(self, message: str, time: float, trajectory: Trajectory | None = None):
        super().__init__(message)
        self.time = time
        self.trajectory = trajectory


def require(condition: bool, message: str) -> None:
    """Raise `InvalidInput` with `message` unless `condition` holds."""
    if not condition:
        raise InvalidInput(message)


def whole(value: object, least: int) -> bool:
    """Whether `value` is a whole number from `least` on; 2.0 and NumPy's numbers may be."""
    if not isinstance(value, int | float | np.number):
        return False
    return bool(np.isfinite(value) and int(value) == value and value >= least)

"""Errors and warnings that users see."""

from __future__ import annotations

from typing import Any


class InvalidInput(ValueError):
    """An argument has a value, shape or name that cannot be used."""


class DivergenceError(ValueError):
    """A run left the finite numbers.

    Attributes:
        time: MF time at which the run was found to diverge.
        trajectory: the `nr.Trajectory` up to the last finite record, or ``None``.
    """

    def __init__(self, message: str, time: float, trajectory: Any = None):
        super().__init__(message)
        self.time = time
        self.trajectory = trajectory


def require(condition: bool, message: str) -> None:
    """Raise `InvalidInput` with `message` unless `condition` holds."""
    if not condition:
        raise InvalidInput(message)


class InaccuracyWarning(UserWarning):
    """A limit was not solved to the accuracy asked for."""

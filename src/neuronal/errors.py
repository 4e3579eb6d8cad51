"""Errors and warnings that users see; `DivergenceError` stands beside the trajectory that it carries."""

from __future__ import annotations


class InvalidInput(ValueError):
    """An argument has a value, shape or name that cannot be used."""


class InaccuracyWarning(UserWarning):
    """A limit was not solved to the accuracy asked for."""

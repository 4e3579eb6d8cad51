"""Strengths of what is added to the motion: numbers or functions of MF time, of all layers or each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..checks import non_negative
from ..schedules import Constant, Frozen, Schedule, Schedules

Strengths = float | Schedule | Sequence[float | Schedule] | None
"""A number or a callable of MF time, for all layers or one per layer."""


def strengths(name: str, given: Strengths) -> Schedules:
    """Strengths as schedules; None where there is none, or all are the number 0.

    Raises:
        InvalidInput: a negative number, or what is neither a number nor callable.
    """
    return _schedules(name, given, _constant)


def strengths_where_any(name: str, given: Strengths) -> Schedules:
    """Likewise, with layers of strength 0 known to have none when programs are compiled."""
    return _schedules(name, given, lambda n: _constant(n) if n else Frozen())


def frictions(name: str, given: Strengths) -> Schedules:
    """Likewise, of frictions: of these 0 is a value like others, and None alone is none."""
    return _schedules(name, given, _constant, zeros_count=True)


def _schedules(
    name: str, given: Strengths, of_number: Callable[[float], Schedule], zeros_count: bool = False
) -> Schedules:
    if given is None or callable(given):
        return given
    of_array = isinstance(given, np.ndarray | jax.Array) and given.ndim == 1
    several = of_array or isinstance(given, list | tuple)
    values: list[Any] = list(given) if several else [given]  # pyright: ignore[reportArgumentType]
    numbers = [0.0 if callable(v) else non_negative(name, v) for v in values]
    if not zeros_count and not any(numbers) and not any(map(callable, values)):
        return None
    pairs = zip(values, numbers, strict=True)
    layers: list[Any] = [v if callable(v) else of_number(n) for v, n in pairs]
    return tuple(layers) if several else layers[0]


def _constant(number: float) -> Schedule:
    # An array, so that changing it does not recompile.
    value: Any = jnp.asarray(number, float)
    return Constant(value)

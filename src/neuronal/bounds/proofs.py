"""Proofs: methods that speak of one class alone, and declared constants held against intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MethodType
from typing import Any, TypeVar, cast

from .finding import PROVED, UNKNOWN, VIOLATED, Finding
from .forms import Extension
from .intervals import supremum

Method = TypeVar("Method", bound=Callable[..., Any])

_SLACK = 1e-5
_DECLARED = 1e-9
"""By which the arithmetic of the one who declares a constant may be wrong, relatively."""


class _OfOneClass:
    """A method of the class that defines it; on a subclass, that of the classes above."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str):
        self.owner, self.name = owner, name

    def __get__(self, instance: object, kind: type | None = None) -> Any:
        if instance is None:
            return self.function
        if type(instance) is self.owner:
            return MethodType(self.function, instance)
        return getattr(super(self.owner, instance), self.name)


def proof(method: Method) -> Method:
    """Mark a method that proves something of its class: a subclass does not inherit it.

    A subclass may compute something else, so it gets the answer of the classes above the one
    that defines the method (the base class answers "unknown" or measures), until it states
    its own.
    """
    return cast(Method, _OfOneClass(method))


def exceeds(lower: float, declared: float) -> bool:
    """Whether a lower bound of a constant shows that what is declared of it is too small."""
    return lower > declared * (1 + _DECLARED)


def certified(
    extension: Extension | None, declared: float, name: str, why_not: str, scale: float = 1.0
) -> Finding:
    r"""Whether $\sup|f| \le$ `declared`, from an interval extension of f.

    Args:
        extension: of f over `scale`; None where f has no bound, which `why_not` explains.
        name: of the thing, for the words.

    Returns:
        proved or violated, with the certified supremum; unknown if the intervals do not decide.
    """
    if extension is None:
        return Finding(VIOLATED, math.inf, f"{name}: {why_not}")
    lower, upper = (scale * v for v in supremum(lambda h: abs(extension(h))))
    if exceeds(lower, declared):
        return Finding(VIOLATED, lower, f"{name} declares {declared:.6g}, which is exceeded")
    if upper <= declared * (1 + _SLACK) + 1e-12:
        how = f"{name}: intervals, over the whole line; declared {declared:.6g}"
        return Finding(PROVED, upper, how)
    return Finding(UNKNOWN, upper, f"interval bound above the declared {declared:.6g}")

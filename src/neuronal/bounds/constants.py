"""The constants of a function of one number: by intervals where they can follow it, else measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from . import search
from .following import CannotFollow, derivative, extension
from .forms import Extension
from .intervals import Interval, supremum

NEAR = 30.0
"""Where functions are looked at closely."""
_SHARP = 1e-4
"""Relative width up to which the interval of a supremum is one number."""
_FAR = 1e15
_MOST = 60_000
"""Boxes in which a supremum is looked for."""
_FAR_LARGER = 1e3
"""By this factor a function is larger far out only if it grows without bound."""
_MORE = 1e-6
"""By which a measured constant is declared larger, relatively: other grids are as good."""


class Size(NamedTuple):
    """The size of a function over the whole line.

    Attributes:
        value: its supremum, or more; ``inf`` where it has none.
        extension: the function on intervals, if they prove that; None if it is measured.
    """

    value: float
    extension: Extension | None


def size_of(function: Callable[[Any], Any]) -> Size:
    r"""$\sup|f|$ of a function of one number that JAX traces, element by element."""
    proved = _proved(function)
    if proved is not None:
        return proved
    return _measured(function, search.largest(in_double(function), -NEAR, NEAR))


def steepness_of(function: Callable[[Any], Any]) -> Size:
    r"""The Lipschitz constant of f, which is $\sup|f'|$; the extension is that of $f'$."""
    proved = _proved(derivative(function))
    if proved is not None:
        return proved
    near = search.steepest(in_double(function), -NEAR, NEAR)
    return _measured(derivative(function), near)


def least_of(function: Callable[[Any], Any]) -> float | None:
    """A proved lower bound of a function over the whole line, if intervals find one that is finite."""
    try:
        f = extension(function)
    except CannotFollow:
        return None
    least = -supremum(lambda h: -f(h), most=_MOST)[1]
    return least if math.isfinite(least) else None


def in_double(function: Callable[[Any], Any]) -> search.Function:
    """The function of NumPy's arrays, computed in double precision."""

    def of_numpy(h: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        with jax.enable_x64(True):
            return np.asarray(function(jnp.asarray(h)))

    return of_numpy


def _proved(function: Callable[[Any], Any]) -> Size | None:
    try:
        f = extension(function)
    except CannotFollow:
        return None
    far = f(Interval(np.asarray([-np.inf, _FAR]), np.asarray([-_FAR, np.inf])))
    if not np.all(np.isfinite([far.low, far.high])):
        return None  # no splitting of boxes will help
    lower, upper = supremum(lambda h: abs(f(h)), most=_MOST)
    sharp = math.isfinite(upper) and upper <= lower * (1 + _SHARP) + 1e-12
    return Size(upper, f) if sharp else None


def _measured(function: Callable[[Any], Any], near: search.Size | search.Slope) -> Size:
    """The largest size of a function, which is known near 0, looked for far out too."""
    far = search.far_growth(in_double(function), NEAR, (-1, 1))
    value = max(near.value, far.value)
    grows = near.grows or far.grows or far.value > _FAR_LARGER * near.value
    if grows or not math.isfinite(value):
        return Size(math.inf, None)
    return Size(value * (1 + _MORE), None)

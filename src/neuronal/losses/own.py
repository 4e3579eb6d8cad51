"""Losses from functions of the user's own: gradients by automatic differentiation."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..bounds.autodiff import ByAutodiff, Facts, elementwise
from ..bounds.constants import NEAR, in_double, least_of, size_of, steepness_of
from ..bounds.forms import LossForm
from ..bounds.proofs import proof
from ..checks import require, shown
from .base import Loss

_TARGETS = (-1.0, 0.0, 1.0)
_GRID = 2001
_REACH = 8.0
"""How far beyond the targets a minimiser is looked for: e^8 times their spread."""


@dataclass(frozen=True, repr=False)
class _Own(Loss):
    """A sum over outputs of a function of one output; its minimum over a constant by search."""

    function: Callable[..., Array]
    gradient_bound: float = field(default=math.inf, compare=False)  # pyright: ignore[reportIncompatibleUnannotatedOverride]
    gradient_lipschitz: float = field(default=math.inf, compare=False)  # pyright: ignore[reportIncompatibleUnannotatedOverride]
    convex: bool = field(default=False, compare=False)  # pyright: ignore[reportIncompatibleUnannotatedOverride]
    zero_gradient_is_zero_loss: bool = field(default=False, compare=False)  # pyright: ignore[reportIncompatibleUnannotatedOverride]

    sums_over_outputs: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    def one(self, y: Array, prediction: Array) -> Array:
        """The loss of each output."""
        raise NotImplementedError

    def __call__(self, y: Array, prediction: Array) -> Array:
        return jnp.sum(self.one(y, prediction), axis=-1)

    def gradient(self, y: Array, prediction: Array) -> Array:
        tangent = jnp.ones_like(prediction)
        return jax.jvp(lambda p: self.one(y, p), (prediction,), (tangent,))[1]

    def infimum(self, y: Float[Array, "m c k"], weights: Float[Array, "m c"]) -> Float[Array, "m"]:
        """The least on a grid about the targets, far out too, and within its cell by golden sections."""
        centre = (y.max(axis=1) + y.min(axis=1)) / 2
        spread = (y.max(axis=1) - y.min(axis=1)) / 2 + 1e-3 * (1 + jnp.abs(centre))
        offsets = jnp.sinh(jnp.linspace(-_REACH, _REACH, _GRID)) * 2
        p = weights[:, None, :, None]

        def risk(a: Float[Array, "m g k"]) -> Float[Array, "m g k"]:
            each = self.one(
                y[:, None], jnp.broadcast_to(a[:, :, None], (*a.shape[:2], *y.shape[1:]))
            )
            return jnp.sum(p * each, axis=2)

        grid = centre[:, None] + spread[:, None] * offsets[None, :, None]
        best = jnp.argmin(risk(grid), axis=1)
        low, high = (
            jnp.take_along_axis(grid, jnp.clip(best + step, 0, _GRID - 1)[:, None], axis=1)[:, 0]
            for step in (-1, 1)
        )
        golden = (math.sqrt(5) - 1) / 2

        def narrow(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = bracket
            left, right = high - golden * (high - low), low + golden * (high - low)
            values = risk(jnp.stack([left, right], axis=1))
            lower = values[:, 0] < values[:, 1]
            return jnp.where(lower, low, left), jnp.where(lower, right, high)

        low, high = jax.lax.fori_loop(0, 60, narrow, (low, high))
        return jnp.sum(risk(((low + high) / 2)[:, None])[:, 0], axis=-1)


@dataclass(frozen=True, repr=False)
class OfResidual(_Own):
    """A function of each residual ``prediction - y``."""

    of_residual: ClassVar[bool] = True

    def one(self, y: Array, prediction: Array) -> Array:
        return self.function(prediction - y)

    @proof
    def interval_form(self) -> LossForm | None:
        facts = _facts(self.function)
        gradient, slope = facts.first.extension, facts.second.extension
        if gradient is None or slope is None:
            return None
        return LossForm(gradient, slope, "the residual")

    @proof
    def convexity(self) -> str:
        least = least_of(ByAutodiff(ByAutodiff(self.function).slope).slope)
        proved = least is not None and least >= -1e-300
        return f"{self.name}: d22 L >= 0 by intervals over the whole line" if proved else ""


@dataclass(frozen=True, repr=False)
class OfPair(_Own):
    """A function of each output's target and prediction."""

    def one(self, y: Array, prediction: Array) -> Array:
        return self.function(y, prediction)


def of(function: Callable[..., Array]) -> Loss:
    r"""A loss from a function: its gradient by automatic differentiation, its infimum by search.

    The constants of $\partial_2\mathcal{L}$ are proved by interval arithmetic where that can follow a
    function of the residual (`neuronal.bounds.following`), and measured where it cannot, as `certify` tells.

    Args:
        function: of the residual ``prediction - y`` of one output, or of `(y, prediction)` of one output, of
            JAX's operations, applied element by element; the loss is its sum over outputs.

    Raises:
        InvalidInput: a function that does not go element by element.

    !!! example
        ```python
        >>> import jax.numpy as jnp, neuronal as nr
        >>> loss = nr.losses.of(lambda r: jnp.sqrt(1 + r**2) - 1)
        >>> loss.gradient_bound <= 1.001, loss.convex, loss.of_residual
        (True, True, True)

        ```
    """
    require(
        callable(function), f"function: takes a function of the residual, got {shown(function)}"
    )
    return _of(function, _arguments(function))


@cache  # one object per function: its constants are found once
def _of(function: Callable[..., Array], arguments: int) -> Loss:
    name = f"function {getattr(function, '__name__', type(function).__name__)!r}"
    elementwise(name, function, arguments)
    if arguments == 1:
        facts = _facts(function)
        return OfResidual(
            function, facts.first.value, facts.second.value, *_signs([function], [0.0])
        )
    of_targets = [_at(function, y) for y in _TARGETS]
    sizes = [size_of(ByAutodiff(f).slope).value for f in of_targets]
    slopes = [steepness_of(ByAutodiff(f).slope).value for f in of_targets]
    return OfPair(function, max(sizes), max(slopes), *_signs(of_targets, _TARGETS))


def _at(function: Callable[..., Array], target: float) -> Callable[[Array], Array]:
    return lambda p: function(jnp.full_like(p, target), p)


@cache
def _facts(function: Callable[[Array], Array]) -> Facts:
    return Facts(ByAutodiff(function), getattr(function, "__name__", "loss"))


def _signs(
    functions: list[Callable[[Array], Array]], zeros: tuple[float, ...] | list[float]
) -> tuple[bool, bool]:
    """Whether slopes rise everywhere, and vanish at the targets alone, where the loss is 0."""
    p = np.linspace(-NEAR, NEAR, 2**13 + 1)
    convex, only_there = True, True
    for f, zero in zip(functions, zeros, strict=True):
        slope = in_double(ByAutodiff(f).slope)(p)
        error = 1e-12 * np.max(np.abs(slope))
        convex &= bool(np.all(np.diff(slope) >= -error))
        away = np.abs(p - zero) > 1e-9
        only_there &= bool(np.all(slope[away] * np.sign(p - zero)[away] > 0))
        only_there &= abs(float(in_double(f)(np.asarray([zero]))[0])) <= 1e-12
    return convex, only_there


def _arguments(function: Callable[..., Any]) -> int:
    """How many a function takes at least: one, the residual, or two."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # built-in ones may not tell
        return 1
    needed = [
        p
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    require(
        1 <= len(needed) <= 2,
        f"function: takes one of the residual, or of (y, prediction), got {shown(function)}",
    )
    return len(needed)

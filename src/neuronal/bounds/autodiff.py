"""A function of one number with its derivative by automatic differentiation, and what is known of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..checks import of_shape, require, result_shape
from .constants import NEAR, Size, in_double, least_of, size_of, steepness_of
from .forms import ActivationForm

_POINTS = 4097


@dataclass(frozen=True)
class ByAutodiff:
    """h to (f(h), f'(h))."""

    function: Callable[[Array], Array]

    def __call__(self, h: Array) -> tuple[Array, Array]:
        return jax.jvp(self.function, (h,), (jnp.ones_like(h),))

    def slope(self, h: Array) -> Array:
        """f'(h)."""
        return self(h)[1]


def elementwise(name: str, function: Callable[..., Any], arguments: int = 1) -> None:
    """Raise `InvalidInput` unless a function goes through arrays element by element."""
    given = "h" if arguments == 1 else "y, prediction"
    takes = f"takes arrays ({given}) of any shape, element by element, by operations of JAX"
    shape = result_shape(name, takes, function, *[of_shape(2, 3)] * arguments)
    require(shape == (2, 3), f"{name}: {takes}, got shape {shape} for (2, 3)")
    shape = result_shape(name, takes, function, *[of_shape()] * arguments)
    require(shape == (), f"{name}: {takes}, got shape {shape} for one number")
    arrays = [jnp.linspace(-1.0, 1.0, 6).reshape(2, 3) * (1 + 0.3 * i) for i in range(arguments)]
    apart = jnp.vectorize(function)(*arrays)
    same = jnp.allclose(function(*arrays), apart, rtol=1e-3, equal_nan=True)
    require(bool(same), f"{name}: {takes}; of an array it mixes the elements")


@dataclass(frozen=True)
class Facts:
    """What is known of a function over the whole line."""

    both: ByAutodiff
    name: str

    @cached_property
    def value(self) -> Size:
        """The size of f."""
        return size_of(self.both.function)

    @cached_property
    def first(self) -> Size:
        """The size of f'."""
        return size_of(self.both.slope)

    @cached_property
    def second(self) -> Size:
        """The Lipschitz constant of f', and f'' on intervals."""
        return steepness_of(self.both.slope)

    @cached_property
    def is_constant(self) -> bool:
        """Whether f has one value only, as far as it is looked at."""
        values = in_double(self.both.function)(np.linspace(-NEAR, NEAR, _POINTS))
        return float(np.ptp(values)) == 0

    @cached_property
    def slope_has_a_sign(self) -> bool:
        """Whether f' is above 0, or below, wherever it is looked at: where it does not underflow."""
        slopes = in_double(self.both.slope)(np.linspace(-NEAR / 3, NEAR / 3, _POINTS))
        return bool(np.all(slopes > 0) or np.all(slopes < 0))

    def form(self) -> ActivationForm | None:
        """What intervals prove; where they do not, its parts are None and give no reason."""
        if self.is_constant:
            return None
        signs = (self.both.slope, lambda h: -self.both.slope(h)) if self.slope_has_a_sign else ()
        least = max([least_of(slope) or 0.0 for slope in signs], default=0.0)
        nonzero = f"|{self.name}'| >= {least:.4g} by intervals" if least > 0 else None
        value, first, second = self.value.extension, self.first.extension, self.second.extension
        return ActivationForm(self.both, value, first, second, nonzero)

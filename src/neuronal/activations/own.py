"""Activations from functions of the user's own: derivatives by automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from jaxtyping import Array

from ..bounds.autodiff import ByAutodiff, Facts, elementwise
from ..checks import require, shown
from .base import Activation


def of(function: Callable[[Array], Array], name: str | None = None) -> Activation:
    r"""An activation from a function of one number: its derivative by automatic differentiation.

    Its constants are proved by interval arithmetic where that can follow the function
    (`neuronal.bounds.following`) and are measured where it cannot, as `certify` tells.

    Args:
        function: of JAX's operations, applied element by element.
        name: the function's own if left out.

    Raises:
        InvalidInput: a function that does not go element by element.

    !!! example
        ```python
        >>> import jax.numpy as jnp, neuronal as nr
        >>> ripple = nr.activations.of(lambda h: jnp.tanh(h) + jnp.sin(3 * h) / 10, "ripple")
        >>> round(ripple.bound, 6), ripple.proven_form is not None
        (1.1, True)

        ```
    """
    require(callable(function), f"function: takes a function of one number, got {shown(function)}")
    return _of(function, name or getattr(function, "__name__", type(function).__name__))


@cache  # one object per function: its constants are found once
def _of(function: Callable[[Array], Array], name: str) -> Activation:
    elementwise(f"function {name!r}", function)
    facts = Facts(ByAutodiff(function), name)
    constants = (facts.value.value, facts.first.value, facts.second.value)
    signed, spans = facts.slope_has_a_sign, not facts.is_constant
    return Activation(name, facts.both, *constants, signed, spans, facts.form())

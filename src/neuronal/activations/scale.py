r"""A multiple of an activation, such as the output's scale of the lazy limit, $\varphi_L(h) = \alpha h$."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxtyping import Array

from ..bounds.forms import Extension
from ..bounds.intervals import Interval
from ..checks import positive
from .base import Activation
from .named import get, identity


def scaled(alpha: float, activation: str | Activation = identity) -> Activation:
    r"""$\alpha\,\varphi$; with rates $\xi_i = 1/\alpha^2$, the lazy limit of Chizat, Oyallon and Bach (2019).

    Args:
        alpha: a positive number.
        activation: $\varphi$.

    Raises:
        InvalidInput: a number that is not positive, or what is no activation.

    !!! example
        ```python
        >>> import jax.numpy as jnp, neuronal as nr
        >>> nr.activations.scaled(4.0)(jnp.arange(3.0)).tolist()
        [0.0, 4.0, 8.0]

        ```
    """
    alpha, phi = positive("alpha", alpha), get(activation)
    function = _Multiple(alpha, phi.value_and_derivative)
    form = phi.proven_form
    if form is not None:
        parts = {
            part: None
            if (extension := getattr(form, part)) is None
            else _Extension(alpha, extension)
            for part in ("value", "first", "second")
        }
        form = replace(form, of=function, **parts)
    return replace(
        phi,
        name=f"{alpha:g} {phi}",
        value_and_derivative=function,
        bound=alpha * phi.bound,
        derivative_bound=alpha * phi.derivative_bound,
        derivative_lipschitz=alpha * phi.derivative_lipschitz,
        form=form,
    )


@dataclass(frozen=True)
class _Multiple:
    alpha: float
    function: Callable[[Array], tuple[Array, Array]]

    def __call__(self, h: Array) -> tuple[Array, Array]:
        value, slope = self.function(h)
        return self.alpha * value, self.alpha * slope


@dataclass(frozen=True)
class _Extension:
    alpha: float
    extension: Extension

    def __call__(self, h: Interval) -> Interval:
        return self.alpha * self.extension(h)

"""A unit from a function of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
from jaxtyping import Array, Float

from ..checks import of_shape, one_or_several, require, result_shape, shown, whole
from .base import Unit

_TAKES = "takes the parameters (p,) of one neuron and one input (d,) to one number"


@dataclass(frozen=True)
class Functions(Unit):
    r"""$h(\theta, x)$ by a function, which JAX maps over neurons and inputs and differentiates.

    Args:
        function: $h$, of `theta (p,)` and `x (d,)`, one number. Two units of one function are the same.
        parameter_dim: p.
        input_dim: d.
        rates: how fast each parameter flows, one number or p of them; 1 if left out.

    Raises:
        InvalidInput: a function of other shapes; rates that are not > 0, or not p.

    !!! example
        ```python
        >>> import jax.numpy as jnp, neuronal as nr
        >>> ridge = nr.units.Functions(lambda theta, x: jnp.sin(theta[0] * x[0] + theta[1]), 2, 1)
        >>> nr.embeddings.IID(1, 2, unit=ridge).sample(64, key=0)(jnp.ones((5, 1))).shape
        (5, 1)

        ```
    """

    function: Callable[[Array, Array], Array]
    parameter_dim: int
    input_dim: int
    rates: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        p, d = whole("parameter_dim", self.parameter_dim, 1), whole("input_dim", self.input_dim, 1)
        shape = result_shape("function", _TAKES, self.function, of_shape(p), of_shape(d))
        require(shape == (), f"function: {_TAKES}, got shape {shape}")
        numbers = None if self.rates is None else one_or_several("rates", self.rates, p)
        fits = numbers is None or (
            len(numbers) == p and 0 < min(numbers) <= max(numbers) < math.inf
        )
        takes = f"rates: takes one number > 0, or one per parameter ({p})"
        require(fits, f"{takes}, got {shown(self.rates)}")
        object.__setattr__(self, "parameter_dim", p)
        object.__setattr__(self, "input_dim", d)
        object.__setattr__(self, "rates", numbers)

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"Functions({name}: {self.parameter_dim} parameters, {self.input_dim} inputs)"

    def parameters(self, d: int) -> int:
        require(
            d == self.input_dim, f"unit: its function takes inputs of {self.input_dim}, got {d}"
        )
        return self.parameter_dim

    def inputs(self, p: int) -> int:
        return self.input_dim if p == self.parameter_dim else 0

    def value(self, theta: Float[Array, "n p"], x: Float[Array, "m d"]) -> Float[Array, "m n"]:
        of_neurons = jax.vmap(self.function, (0, None))
        return jax.vmap(of_neurons, (None, 0))(theta, x)

    def speeds(self, p: int) -> tuple[float, ...] | None:
        return self.rates  # pyright: ignore[reportReturnType]

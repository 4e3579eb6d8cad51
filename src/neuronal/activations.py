r"""Activations $\varphi_i$ with what Assumption 1.1 and 1.4 ask of them.

An `Activation` states its bound $\sup|\varphi|$, the bound and the Lipschitz constant of
its derivative, whether $\varphi'$ vanishes nowhere (asked of $\varphi_L$), and whether it
is *non-obstructive*: $\{\varphi \circ f : f \in L^2\}$ has dense span in $L^2$. A constant
that does not exist is ``inf``; such an activation may be used and is reported.

Your own activation is one more `Activation`: see `tanh` below.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .errors import InvalidInput


@dataclass(frozen=True)
class Activation:
    r"""A scalar function, applied element by element.

    Attributes:
        name: how configuration files call it.
        value_and_derivative: $h \mapsto (\varphi(h), \varphi'(h))$; both passes need both,
            and the derivative is often cheap given the value.
        bound: $\sup |\varphi|$.
        derivative_bound: $\sup |\varphi'|$.
        derivative_lipschitz: Lipschitz constant of $\varphi'$.
        derivative_nonzero: $\varphi'(h) \ne 0$ for every $h$.
        non_obstructive: Assumption 1.4; a bounded, continuous, non-constant function is.
    """

    name: str
    value_and_derivative: Callable[[Array], tuple[Array, Array]]
    bound: float
    derivative_bound: float
    derivative_lipschitz: float
    derivative_nonzero: bool
    non_obstructive: bool = True

    def __call__(self, h: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return self.value_and_derivative(h)[0]

    def derivative(self, h: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return self.value_and_derivative(h)[1]

    def __repr__(self) -> str:
        return self.name


def _tanh(h: Array) -> tuple[Array, Array]:
    value = jnp.tanh(h)
    return value, 1 - value * value


def _erf(h: Array) -> tuple[Array, Array]:
    return jax.scipy.special.erf(h), (2 / math.sqrt(math.pi)) * jnp.exp(-h * h)


def _sigmoid(h: Array) -> tuple[Array, Array]:
    value = jax.nn.sigmoid(h)
    return value, value * (1 - value)


def _softsign(h: Array) -> tuple[Array, Array]:
    scale = 1 / (1 + jnp.abs(h))
    return h * scale, scale * scale


def _sin(h: Array) -> tuple[Array, Array]:
    return jnp.sin(h), jnp.cos(h)


def _identity(h: Array) -> tuple[Array, Array]:
    return h, jnp.ones_like(h)


def _relu(h: Array) -> tuple[Array, Array]:
    return jnp.maximum(h, 0), (h > 0).astype(h.dtype)


tanh = Activation("tanh", _tanh, 1.0, 1.0, 4 / (3 * math.sqrt(3)), True)
erf = Activation(
    "erf", _erf, 1.0, 2 / math.sqrt(math.pi), math.sqrt(8 / math.pi) * math.exp(-0.5), True
)
sigmoid = Activation("sigmoid", _sigmoid, 1.0, 0.25, 1 / (6 * math.sqrt(3)), True)
softsign = Activation("softsign", _softsign, 1.0, 1.0, 2.0, True)
sin = Activation("sin", _sin, 1.0, 1.0, 1.0, False)
identity = Activation("identity", _identity, math.inf, 1.0, 0.0, True)
relu = Activation("relu", _relu, math.inf, 1.0, math.inf, False)

ACTIVATIONS = {a.name: a for a in (tanh, erf, sigmoid, softsign, sin, identity, relu)}


def get(activation: str | Activation) -> Activation:
    """The activation of that name; an `Activation` is returned as it is.

    Raises:
        InvalidInput: no activation has that name.
    """
    if isinstance(activation, Activation):
        return activation
    if activation in ACTIVATIONS:
        return ACTIVATIONS[activation]
    raise InvalidInput(f"activation: {activation!r} is none of {', '.join(sorted(ACTIVATIONS))}")


def per_layer(
    activation: str | Activation, last: str | Activation, depth: int
) -> tuple[Activation, ...]:
    """`activation` for layers 1 to L-1 and `last` for layer L."""
    return (get(activation),) * (depth - 1) + (get(last),)

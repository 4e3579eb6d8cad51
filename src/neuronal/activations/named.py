r"""The activations that have a name, and how one is found by it.

`activations.of` makes one of a function of your own; or make an `Activation`, as `tanh` below. Its constants
are measured, or proved if it brings its `form`: the same functions on intervals.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..bounds import intervals as iv
from ..bounds.forms import ActivationForm, constant
from ..bounds.intervals import Interval
from ..checks import shown
from ..errors import InvalidInput
from .base import Activation, check
from .gates import gelu, silu


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


def _softplus(h: Array) -> tuple[Array, Array]:
    return jax.nn.softplus(h), jax.nn.sigmoid(h)


def _square(h: Array) -> tuple[Array, Array]:
    return h * h, 2 * h


def _tanh_first(h: Interval) -> Interval:
    return (1 - iv.tanh(h).square()).within(0.0, 1.0)


def _tanh_second(h: Interval) -> Interval:
    return -2 * iv.tanh(h) * _tanh_first(h)


_TWO_OVER_ROOT_PI = Interval(
    np.asarray(2 / math.sqrt(math.pi) * (1 - 4e-16)),
    np.asarray(2 / math.sqrt(math.pi) * (1 + 4e-16)),
)


def _erf_first(h: Interval) -> Interval:
    return _TWO_OVER_ROOT_PI * iv.exp(-h.square())


def _erf_second(h: Interval) -> Interval:
    # |h| e^{-h^2} <= e^{-1/2} e^{-h^2/2}, since |h| e^{-h^2/2} <= e^{-1/2}: this tail bound holds
    # everywhere, the product is sharper where h is finite; both hold, so their meet does.
    direct = 2 * abs(h) * _erf_first(h)
    tail = 2 * _TWO_OVER_ROOT_PI * iv.exp(-0.5 * h.square() - 0.5)
    return direct.within(0.0, np.inf).within(-np.inf, tail.high)


def _sigmoid_first(h: Interval) -> Interval:
    # v (1 - v) = 1/4 - (v - 1/2)^2, without the dependency of v on itself.
    return (0.25 - (iv.sigmoid(h) - 0.5).square()).within(0.0, 0.25)


def _sigmoid_second(h: Interval) -> Interval:
    return _sigmoid_first(h) * (1 - 2 * iv.sigmoid(h))


def _softsign_scale(h: Interval) -> Interval:
    return (1 + abs(h)).reciprocal()


def _softsign_size(h: Interval) -> Interval:
    return 1 - _softsign_scale(h)


def _softsign_first(h: Interval) -> Interval:
    return _softsign_scale(h).square()


def _softsign_second(h: Interval) -> Interval:
    return 2 * _softsign_scale(h) * _softsign_scale(h).square()


def _zero(h: Interval) -> Interval:
    return constant(h, 0.0)


def _one(h: Interval) -> Interval:
    return constant(h, 1.0)


def _relu_first(h: Interval) -> Interval:
    return Interval(np.zeros_like(h.low), np.ones_like(h.high))


def _two(h: Interval) -> Interval:
    return constant(h, 2.0)


_EVEN = "even functions"

tanh = Activation(
    "tanh", _tanh, 1.0, 1.0, 4 / (3 * math.sqrt(3)), True,
    form=ActivationForm(
        _tanh, iv.tanh, _tanh_first, _tanh_second, "tanh' = 1/cosh^2 > 0", _EVEN, taylor=True
    ),
)  # fmt: skip
erf = Activation(
    "erf", _erf, 1.0, 2 / math.sqrt(math.pi), math.sqrt(8 / math.pi) * math.exp(-0.5), True,
    form=ActivationForm(
        _erf, iv.erf, _erf_first, _erf_second, "erf' = (2/sqrt pi) exp(-h^2) > 0", _EVEN,
        taylor=True,
    ),
)  # fmt: skip
sigmoid = Activation(
    "sigmoid", _sigmoid, 1.0, 0.25, 1 / (6 * math.sqrt(3)), True,
    form=ActivationForm(
        _sigmoid, iv.sigmoid, _sigmoid_first, _sigmoid_second,
        "sigmoid' = sigmoid (1 - sigmoid) > 0", _EVEN, taylor=True,
    ),
)  # fmt: skip
softsign = Activation(
    "softsign", _softsign, 1.0, 1.0, 2.0, True,
    form=ActivationForm(
        _softsign, _softsign_size, _softsign_first, _softsign_second,
        "softsign' = (1 + |h|)^-2 > 0", _EVEN,
    ),
)  # fmt: skip
sin = Activation(
    "sin", _sin, 1.0, 1.0, 1.0, False,
    form=ActivationForm(
        _sin, iv.sin, iv.cos, iv.sin, None, _EVEN, taylor=True, why_not="cos(pi/2) = 0"
    ),
)  # fmt: skip
identity = Activation(
    "identity", _identity, math.inf, 1.0, 0.0, True,
    form=ActivationForm(
        _identity, None, _one, _zero, "the derivative is 1", linear=True, spans="f itself",
        why_not="no bound",
    ),
)  # fmt: skip
# relu(h) = (h + |h|)/2: of the odd functions it gives the linear ones alone, and |h| is even.
relu = Activation(
    "relu", _relu, math.inf, 1.0, math.inf, False,
    form=ActivationForm(
        _relu, None, _relu_first, None, None, "odd functions beyond the linear",
        dense="no polynomial: Leshno et al. 1993", spans="f = relu(f) - relu(-f)",
        why_not="no bound for h > 0; relu' is 0 for h < 0 and jumps by 1 at h = 0",
    ),
    kinks=(0.0,),
)  # fmt: skip
softplus = Activation(
    "softplus", _softplus, math.inf, 1.0, 0.25, True,
    form=ActivationForm(
        _softplus, None, iv.sigmoid, _sigmoid_first, "softplus' = sigmoid > 0",
        dense="no polynomial: Leshno et al. 1993", spans="f = softplus(f) - softplus(-f)",
        why_not="no bound for h > 0",
    ),
)  # fmt: skip
square = Activation(
    "square", _square, math.inf, math.inf, 2.0, False,
    form=ActivationForm(
        _square, None, None, _two, None, "odd functions",
        spans="4 f = (f + 1)^2 - (f - 1)^2", why_not="h^2 and 2 h have no bound, and 2 h is 0 at 0",
    ),
)  # fmt: skip

ACTIVATIONS = {
    a.name: a
    for a in (tanh, erf, sigmoid, softsign, sin, identity, relu, softplus, square, gelu, silu)
}


def get(activation: str | Activation) -> Activation:
    """The activation of that name; an `Activation` is returned as it is.

    Raises:
        InvalidInput: no activation has that name, or one of your own does not give the value and
            the derivative, each of the shape of its argument.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.activations.get("erf").name
        'erf'

        ```
    """
    if isinstance(activation, Activation):
        if ACTIVATIONS.get(activation.name) is not activation:
            check(activation)
        return activation
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]
    raise InvalidInput(
        f"activation: takes an Activation or one of {', '.join(sorted(ACTIVATIONS))}, "
        f"got {shown(activation)}"
    )


def per_layer(
    activation: str | Activation, last: str | Activation, depth: int
) -> tuple[Activation, ...]:
    """`activation` for layers 1 to L-1 and `last` for layer L.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> [phi.name for phi in nr.activations.per_layer("tanh", "identity", 3)]
        ['tanh', 'tanh', 'identity']

        ```
    """
    return (get(activation),) * (depth - 1) + (get(last),)

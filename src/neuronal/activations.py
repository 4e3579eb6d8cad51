r"""Activations $\varphi_i$ with what Assumption 1.1 and 1.4 ask of them.

An `Activation` states its bound $\sup|\varphi|$, the bound and the Lipschitz constant of
its derivative, whether $\varphi'$ vanishes nowhere (asked of $\varphi_L$), and whether it
is *non-obstructive*: $\{\varphi \circ f : f \in L^2\}$ has dense span in $L^2$. A constant
that does not exist is ``inf``; such an activation may be used and is reported.

`of` makes one of a function of your own; or make an `Activation`, as `tanh` below. Its constants are
measured, or proved if it brings its `form`: the same functions on intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from types import FunctionType

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .bounds import intervals as iv
from .bounds.autodiff import ByAutodiff, Facts, elementwise
from .bounds.forms import ActivationForm, constant
from .bounds.intervals import Interval
from .checks import of_shape, require, results, shown
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
        form: the same on intervals, from which `certify` proves the constants; those of an
            activation without one are measured. It does not count in comparisons.
    """

    name: str
    value_and_derivative: Callable[[Array], tuple[Array, Array]]
    bound: float
    derivative_bound: float
    derivative_lipschitz: float
    derivative_nonzero: bool
    non_obstructive: bool = True
    form: ActivationForm | None = field(default=None, compare=False)

    @property
    def proven_form(self) -> ActivationForm | None:
        """`form`, if it is that of this very function: `dataclasses.replace` may change one."""
        form = self.form
        return form if form is not None and form.of is self.value_and_derivative else None

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
)  # fmt: skip

ACTIVATIONS = {a.name: a for a in (tanh, erf, sigmoid, softsign, sin, identity, relu)}


def get(activation: str | Activation) -> Activation:
    """The activation of that name; an `Activation` is returned as it is.

    Raises:
        InvalidInput: no activation has that name, or one of your own does not give the value and
            the derivative, each of the shape of its argument.
    """
    if isinstance(activation, Activation):
        if ACTIVATIONS.get(activation.name) is not activation:
            _check(activation)
        return activation
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]
    raise InvalidInput(
        f"activation: takes an Activation or one of {', '.join(sorted(ACTIVATIONS))}, "
        f"got {shown(activation)}"
    )


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
        >>> ripple.bound <= 1.1, ripple.proven_form is not None
        (True, True)

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


def _check(activation: Activation) -> None:
    """Raise `InvalidInput` for a user's own that does not give two arrays of the shape it gets."""
    name = f"activation {activation.name!r}: value_and_derivative"
    takes = "takes an array h of any shape to (phi(h), phi'(h)), each of that shape"
    given = results(name, takes, activation.value_and_derivative, of_shape(2, 3))
    shapes = [getattr(part, "shape", None) for part in jax.tree.leaves(given)]
    require(
        isinstance(given, tuple | list) and shapes == [(2, 3)] * 2,
        f"{name}: {takes}, got shapes {shapes} for (2, 3)",
    )


def in_words(items: Iterable[object]) -> str:
    """Items of layers in a row: equal ones that follow each other once, and six words at most."""
    runs = [(word, len(list(run))) for word, run in groupby(map(_word, items))]
    words = [word if count == 1 else f"{word} x {count}" for word, count in runs]
    return ", ".join(words if len(words) <= 6 else [*words[:4], "...", words[-1]])


def _word(item: object) -> str:
    """A number to four digits, a function by its name, and anything else as it prints itself."""
    if isinstance(item, float):
        return f"{item:.4g}"
    return item.__name__ if isinstance(item, FunctionType) else str(item)


def per_layer(
    activation: str | Activation, last: str | Activation, depth: int
) -> tuple[Activation, ...]:
    """`activation` for layers 1 to L-1 and `last` for layer L."""
    return (get(activation),) * (depth - 1) + (get(last),)

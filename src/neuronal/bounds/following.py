r"""JAX functions of one number on intervals: what a program computes, box by box.

`extension` follows the operations of a function, as JAX traces it, by interval arithmetic. It knows those of
smooth formulas; of others it says that it cannot follow, and so it does where a choice, such as that of
`jnp.where`, is made by the number itself: then the function may jump.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import intervals as iv
from .forms import Extension
from .intervals import Interval, interval


class CannotFollow(Exception):
    """An operation that has no interval extension here, or a choice."""


def extension(function: Callable[[Any], Any]) -> Extension:
    """The interval extension of a function of one number that JAX traces.

    Raises:
        CannotFollow: an operation of another kind.
    """
    with jax.enable_x64(True):
        closed = jax.make_jaxpr(function)(jnp.zeros((), jnp.float64))

    def result(h: Interval) -> Interval:
        with np.errstate(over="ignore"):
            return _broadcast(_run(closed.jaxpr, closed.consts, [h])[0], h)

    result(Interval(np.asarray([-1.0, 0.5]), np.asarray([-0.5, 1.0])))  # whether it can be followed
    return result


def derivative(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Its derivative by automatic differentiation, element by element."""
    return lambda h: jax.jvp(function, (h,), (jnp.ones_like(h),))[1]


def _run(jaxpr: Any, consts: Any, arguments: list[Any]) -> list[Any]:
    known: dict[Any, Any] = dict(zip(jaxpr.invars, arguments, strict=True))
    known |= {v: _constant(c) for v, c in zip(jaxpr.constvars, consts, strict=True)}

    def value(atom: Any) -> Any:
        return _constant(atom.val) if hasattr(atom, "val") else known[atom]

    for eqn in jaxpr.eqns:
        inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
        given = [value(atom) for atom in eqn.invars]
        if eqn.primitive.name in ("ne", "eq") and _decided(eqn):
            found = [(eqn.primitive.name == "eq") == (eqn.invars[0] is eqn.invars[1])]
        elif eqn.primitive.name == "mul" and eqn.invars[0] is eqn.invars[1]:
            found = [given[0].square()]  # sharper than a product of two
        elif inner is not None:
            found = _run(inner.jaxpr, inner.consts, given)
        else:
            found = [_operation(eqn)(*given)]
        known.update(zip(eqn.outvars, found, strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def _decided(eqn: Any) -> bool:
    """Whether it asks of a number whether it is infinite, or NaN: no number is."""
    a, b = eqn.invars
    return a is b or any(hasattr(atom, "val") and np.isinf(atom.val) for atom in (a, b))


def _constant(value: Any) -> Any:
    array = np.asarray(value)
    if array.ndim or array.dtype.kind not in "fiu":
        raise CannotFollow("a constant that is no number")
    return interval(float(array))


def _operation(eqn: Any) -> Callable[..., Any]:
    name, params = eqn.primitive.name, eqn.params
    if name == "integer_pow":
        return lambda x: _power(x, params["y"])
    if name in ("convert_element_type", "copy", "reduce_precision", "stop_gradient"):
        if np.dtype(eqn.outvars[0].aval.dtype).kind != "f":
            raise CannotFollow("a number made whole")
        return lambda x: x
    if name in ("broadcast_in_dim", "reshape", "squeeze") and eqn.outvars[0].aval.shape == ():
        return lambda x, *_: x
    if name not in OPERATIONS:
        raise CannotFollow(f"the operation {name}")
    return OPERATIONS[name]


def _select(which: Any, *cases: Any) -> Any:
    if isinstance(which, bool):
        return cases[int(which)]
    raise CannotFollow("a choice made by the number")


def _power(x: Interval, exponent: int) -> Interval:
    if exponent < 0:
        return _power(x, -exponent).reciprocal()
    if exponent % 2 == 0:
        half = x if exponent == 2 else _power(x, exponent // 2)
        return half.square() if exponent else interval(1.0)
    return x if exponent == 1 else x * _power(x, exponent - 1)


def _where_positive(function: Callable, x: Interval) -> Interval:
    """An increasing function of positive numbers; the whole line where others are among them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = iv.increasing(function, x, -np.inf, np.inf)
    inside = x.low >= 0
    return Interval(np.where(inside, found.low, -np.inf), np.where(inside, found.high, np.inf))


def _increasing(function: Callable, low: float = -np.inf, high: float = np.inf) -> Extension:
    return lambda x: iv.increasing(function, x, low, high)


def _max(a: Interval, b: Interval) -> Interval:
    return Interval(np.maximum(a.low, b.low), np.maximum(a.high, b.high))


def _min(a: Interval, b: Interval) -> Interval:
    return -_max(-a, -b)


def _broadcast(x: Any, h: Interval) -> Interval:
    if not isinstance(x, Interval):
        raise CannotFollow("a truth")
    return Interval(np.broadcast_to(x.low, h.low.shape), np.broadcast_to(x.high, h.high.shape))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "add_any": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a * _reciprocal(b),
    "neg": lambda a: -a,
    "abs": abs,
    "square": lambda a: a.square(),
    "max": _max,
    "min": _min,
    "exp": iv.exp,
    "expm1": _increasing(np.expm1, -1.0),
    "log": lambda a: _where_positive(np.log, a),
    "log1p": lambda a: _where_positive(np.log, 1.0 + a),
    "sqrt": lambda a: _where_positive(np.sqrt, a),
    "rsqrt": lambda a: _where_positive(np.sqrt, a).reciprocal(),
    "tanh": iv.tanh,
    "logistic": iv.sigmoid,
    "erf": iv.erf,
    "erfc": lambda a: 1.0 - iv.erf(a),
    "sin": iv.sin,
    "cos": iv.cos,
    "atan": _increasing(np.arctan, -2.0, 2.0),
    "asinh": _increasing(np.arcsinh),
    "sinh": _increasing(np.sinh),
    "cosh": lambda a: 0.5 * (iv.exp(abs(a)) + iv.exp(-abs(a))),
    "select_n": _select,
}
"""Operations of JAX that are continuous where they are defined, on intervals; and choices."""


def _reciprocal(x: Interval) -> Interval:
    """1 over intervals that do not hold 0; elsewhere the whole line."""
    negative = x.high < 0
    above, below = x.reciprocal(), -((-x).reciprocal())
    return Interval(
        np.where(negative, below.low, above.low), np.where(negative, below.high, above.high)
    )

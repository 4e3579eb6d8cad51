r"""JAX functions of one number on intervals: what a program computes, box by box.

`extension` follows the operations of a function, as JAX traces it, by interval arithmetic. It knows those of
smooth formulas; of others it says that it cannot follow, and so it does where a choice, such as that of
`jnp.where`, is made by the number itself: then the function may jump.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import intervals as iv
from .forms import Extension
from .intervals import Interval, interval
from .tails import Tail, bounded


class CannotFollow(Exception):
    """An operation that has no interval extension here, or a choice."""


def extension(function: Callable[[Any], Any]) -> Extension:
    """The interval extension of a function of one number that JAX traces.

    Raises:
        CannotFollow: an operation of another kind.
    """
    with jax.enable_x64(True):
        closed = jax.make_jaxpr(function)(jnp.zeros((), jnp.float64))
    program = closed.jaxpr, closed.consts

    def result(h: Interval) -> Interval:
        with np.errstate(over="ignore"):
            return _far_out(program, h, _broadcast(_run(program[0], program[1], [h])[0], h))

    result(Interval(np.asarray([-1.0, 0.5]), np.asarray([-0.5, 1.0])))  # whether it can be followed
    return result


def _far_out(program: Any, h: Interval, found: Interval) -> Interval:
    """Sharper on boxes without an end, by the powers with which the program grows and falls there."""
    low, high = np.array(found.low, float), np.array(found.high, float)
    for sign, near, endless in ((1, h.low, np.isposinf(h.high)), (-1, -h.high, np.isneginf(h.low))):
        for place in np.flatnonzero(endless & (near >= 1) & np.isfinite(near)):
            tail = _run(program[0], program[1], [Tail.itself(float(near[place]), sign)], ON_TAILS)[
                0
            ]
            if isinstance(tail, Tail):
                low[place] = max(low[place], float(tail.values.low))
                high[place] = min(high[place], float(tail.values.high))
    return Interval(low, high)


def derivative(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Its derivative by automatic differentiation, element by element."""
    return lambda h: jax.jvp(function, (h,), (jnp.ones_like(h),))[1]


def _run(
    jaxpr: Any, consts: Any, arguments: list[Any], others: Mapping[str, Callable] | None = None
) -> list[Any]:
    """The results of a program; `others` are operations on what is no interval."""
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
            found = _run(inner.jaxpr, inner.consts, given, others)
        else:
            special = others is not None and any(isinstance(v, Tail) for v in given)
            given = _tails(given) if special else given
            found = [_operation(eqn, others if special else None)(*given)]
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


def _operation(eqn: Any, others: Mapping[str, Callable] | None) -> Callable[..., Any]:
    name, params = eqn.primitive.name, eqn.params
    if others and name in others:
        return others[name]
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


def _divided(a: Any, b: Any) -> Any:
    return a * (b.reciprocal() if isinstance(b, Tail) else _reciprocal(b))


def _tails(given: list[Any]) -> list[Any]:
    """Constants as tails too."""
    a = next(v.a for v in given if isinstance(v, Tail))
    return [Tail.of(a, v, None, None) if isinstance(v, Interval) else v for v in given]


def _unknown(*given: Any) -> Any:
    """Nothing but the range, of one; nothing at all of several."""
    tail = next(v for v in given if isinstance(v, Tail))
    return Tail(tail.a, Interval(np.asarray(-np.inf), np.asarray(np.inf)), None, None)


_OWN = ("add", "add_any", "sub", "mul", "neg", "abs", "square", "integer_pow", "select_n")
ON_TAILS: dict[str, Callable[..., Any]] = {
    name: bounded(function) if name not in ("div", "max", "min") else _unknown
    for name, function in OPERATIONS.items()
    if name not in _OWN
} | {
    "div": _divided,
    "exp": Tail.exp,
    "log": Tail.log,
    "log1p": lambda v: (1.0 + v).log(),
    "sqrt": Tail.root,
    "rsqrt": lambda v: v.root().reciprocal(),
}
"""Operations on tails; those of `_OWN` are the same words."""

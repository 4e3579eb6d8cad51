"""What an argument may be: numbers, arrays, sizes and keys, checked where users hand them in.

Each check raises `InvalidInput` with a message that begins with the argument's name. NumPy does
the work where it can: JAX would compile every operation, for each shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from .errors import InvalidInput, require

LARGEST = 2**31 - 1
"""Of counts: as many as JAX's integers hold."""
_LONG = 100
"""Signs of a value in a message."""
_FEW = 16
"""Elements of an array up to which a message has them."""


def is_number(value: object) -> bool:
    """Whether `value` is one finite number: Python's, NumPy's or an array of no dimensions."""
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        if value.ndim or not _is_real(value.dtype) or not is_known(value):
            return False
    elif not isinstance(value, Real):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:  # an integer beyond all of them
        return False


def _is_real(dtype: Any) -> bool:
    """Whether it holds integers or floating-point numbers."""
    return jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.floating)


def is_whole(value: object, least: int) -> bool:
    """Whether `value` is a whole number of at least `least`, such as 2, 2.0 or NumPy's."""
    return is_number(value) and int(value) == value and value >= least  # pyright: ignore[reportArgumentType, reportOperatorIssue]


def whole(name: str, value: Any, least: int, most: int = LARGEST) -> int:
    """`value` as an integer of at least `least`."""
    require(is_whole(value, least), f"{name}: takes an integer >= {least}, got {shown(value)}")
    require(value <= most, f"{name}: takes an integer <= {most}, got {shown(value)}")
    return int(value)


def one_or_several(name: str, value: Any, count: int) -> tuple[float, ...]:
    """`value` as `count` numbers: itself so often, or its elements, whose number is unchecked."""
    array = _floats(name, value)
    require(array.ndim <= 1, f"{name}: takes one number or a sequence, got shape {array.shape}")
    return tuple(map(float, np.broadcast_to(array, count) if array.ndim == 0 else array))


def choice(name: str, value: object, options: Collection[str]) -> None:
    """Raise `InvalidInput` unless `value` is one of the words."""
    known = isinstance(value, str) and value in options
    require(known, f"{name}: {shown(value)} is none of {', '.join(options)}")


def several(name: str, value: Any, what: str) -> tuple[Any, ...]:
    """The elements of a sequence of `what`."""
    if isinstance(value, np.ndarray | jax.Array):
        fits = value.ndim > 0
    else:
        fits = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    require(fits, f"{name}: takes a sequence of {what}, got {shown(value)}")
    return tuple(value)


def positive(name: str, value: Any) -> float:
    """`value` as a finite number above 0."""
    require(
        is_number(value) and float(value) > 0,
        f"{name}: takes a positive number, got {shown(value)}",
    )
    return float(value)


def non_negative(name: str, value: Any) -> float:
    """`value` as a finite number of at least 0."""
    require(
        is_number(value) and float(value) >= 0, f"{name}: takes a number >= 0, got {shown(value)}"
    )
    return float(value)


def shown(value: Any) -> str:
    """A value in a message: on one line, NumPy's number as Python's, an array of many by its shape.

    Quick whatever the value: messages are composed before it is known whether they are needed.
    """
    words = " ".join(_words(value).split())
    return words if len(words) <= _LONG else f"{words[:_LONG]}..."


def _words(value: Any) -> str:
    if isinstance(value, np.ndarray | jax.Array) and value.size > _FEW:
        return f"an array of shape {value.shape}"
    if type(value) in (list, tuple):
        value = value[: _LONG + 1]  # of which no more would be shown
        if any(isinstance(element, np.ndarray | jax.Array) for element in value):
            return f"[{', '.join(map(_words, value))}]"
    return repr(value.item() if isinstance(value, np.generic) else value)


def shares(name: str, value: ArrayLike, m: int) -> Float[np.ndarray, "m"]:
    """`value (m,)` as weights of which the ratios alone count: numbers >= 0, not all of them 0.

    In double precision they are divided by a power of two, which rounds nothing and leaves the
    largest between 1/2 and 1; then they are rounded to JAX's precision.
    """
    weights = _floats(name, value)
    require(weights.shape == (m,), f"{name}: takes shape ({m},), got {weights.shape}")
    require(bool(np.isfinite(weights).all()), f"{name}: holds NaN or infinite values")
    largest = float(weights.max())
    require(
        float(weights.min()) >= 0 and largest > 0,
        f"{name}: takes numbers >= 0, not all of them zero",
    )
    scaled = np.ldexp(weights, -math.frexp(largest)[1])
    return scaled.astype(jax.dtypes.canonicalize_dtype(float)).astype(np.float64)


def columns(name: str, y: ArrayLike) -> Float[Array, "m k"]:
    """`y (m,)` or `(m, k)` as a finite array `(m, k)`."""
    if _real(name, y).ndim != 1:
        return finite(name, y, 2)
    return on_device(as_numpy_if_free(finite(name, y, 1))[:, None])


def finite(name: str, value: ArrayLike, ndim: int) -> Array:
    """`value` as an array of that many dimensions without NaN or infinite values."""
    array = numbers(name, value)
    require(array.ndim == ndim, f"{name}: takes {ndim} dimensions, got shape {array.shape}")
    if not all_finite(array):
        given = np.asarray(value)
        beyond = given.dtype != array.dtype and bool(np.isfinite(given).all())
        words = f"numbers beyond the range of {array.dtype}" if beyond else "NaN or infinite values"
        raise InvalidInput(f"{name}: holds {words}")
    return array


def numbers(name: str, value: ArrayLike) -> Float[Array, "..."]:
    """`value` as an array of floating-point numbers: of JAX's precision if it holds integers."""
    given = _real(name, value)
    if isinstance(given, np.ndarray) and not jnp.issubdtype(given.dtype, jnp.floating):
        # In NumPy: JAX would take integers to 32 bits first, round and round.
        given = given.astype(jax.dtypes.canonicalize_dtype(float))
    with np.errstate(over="ignore"):
        array = on_device(given)
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)


def on_device(values: ArrayLike) -> Array:
    """`jnp.asarray`, which for every new shape of a NumPy array would compile a program."""
    if not isinstance(values, np.ndarray):
        return jnp.asarray(values)
    # A copy: the device may keep the very memory it is given.
    return jax.device_put(np.array(values, jax.dtypes.canonicalize_dtype(values.dtype)))


def _floats(name: str, value: ArrayLike) -> np.ndarray:
    """`value` in double precision."""
    given = _real(name, value)
    require(is_known(given), f"{name}: takes numbers known when it is called")
    return np.asarray(given, np.float64)


def _real(name: str, value: Any) -> Array | np.ndarray:
    """`value` as an array of real numbers or truths, else `InvalidInput`."""
    require(not np.ma.is_masked(value), f"{name}: holds masked values; fill them or drop them")
    try:
        given = value if isinstance(value, jax.Array) else np.asarray(value)
        if given.dtype == np.longdouble:
            given = given.astype(np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        told = str(error).partition("\n")[0]
        raise InvalidInput(f"{name}: not an array of numbers ({told})") from error
    require(
        _is_real(given.dtype) or given.dtype == bool,
        f"{name}: not an array of numbers (its type is {given.dtype})",
    )
    return given


def all_finite(array: Array) -> bool:
    """Whether it holds neither NaN nor infinite values, as far as its values are known."""
    if not is_known(array):
        return True
    if isinstance(near := as_numpy_if_free(array), np.ndarray):
        return bool(np.isfinite(near).all())
    return bool(jnp.all(jnp.isfinite(near)))


def is_known(value: PyTree) -> bool:
    """Whether arrays have values now, and are not inside a function that JAX transforms."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(value))


def as_numpy_if_free(array: Array) -> Array | np.ndarray:
    """The array as NumPy's where that copies nothing: on the CPU."""
    if not is_known(array):
        return array
    platforms = [device.platform for device in array.devices()]
    return np.asarray(array) if platforms == ["cpu"] else array


_OF_USERS = (
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    NotImplementedError,
    ArithmeticError,
)
"""What functions raise that were written for other arguments; JAX's own errors are among them."""


def results(name: str, takes: str, function: Callable[..., Any], *arguments: Any) -> PyTree:
    """Shapes and types of what a user's function gives, found without computing anything.

    Args:
        takes: what `name` takes and gives, for the message.
        arguments: arrays, or `jax.ShapeDtypeStruct`.
    """
    require(callable(function), f"{name}: {takes}, got {shown(function)}")
    try:
        return jax.eval_shape(function, *arguments)
    except _OF_USERS as error:
        told = str(error).strip().partition("\n")[0]
        raise InvalidInput(
            f"{name}: {takes}, got {type(error).__name__} from it ({told})"
        ) from error


def result_shape(
    name: str, takes: str, function: Callable[..., Any], *arguments: Any
) -> tuple[int, ...]:
    """The shape of the one array of real numbers that a user's function gives, likewise."""
    given = results(name, takes, function, *arguments)
    one = isinstance(given, jax.ShapeDtypeStruct)
    require(one, f"{name}: {takes}, got {type(given).__name__}")
    real = _is_real(given.dtype) or given.dtype == bool
    require(real, f"{name}: {takes}, got numbers of type {given.dtype}")
    return given.shape


def of_shape(*shape: int) -> jax.ShapeDtypeStruct:
    """An argument of that shape, in JAX's precision."""
    return jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(float))


def hidden_sizes(
    name: str, sizes: int | Sequence[int], depth: int, most: int = LARGEST
) -> tuple[int, ...]:
    """`sizes` as one positive integer per hidden layer."""
    of_array = isinstance(sizes, np.ndarray | jax.Array) and sizes.ndim > 0
    several = of_array or (isinstance(sizes, Sequence) and not isinstance(sizes, str))
    given: tuple[Any, ...] = tuple(sizes) if several else (sizes,) * (depth - 1)  # pyright: ignore[reportArgumentType]
    require(
        len(given) == depth - 1,
        f"{name}: takes one integer, or one a hidden layer ({depth - 1}), got {len(given)}",
    )
    return tuple(whole(name, n, 1, most) for n in given)


def dimensions(input_dim: int, depth: int, output_dim: int) -> tuple[int, int, int]:
    """The three as integers.

    Raises:
        InvalidInput: one of them is impossible.
    """
    least = {"input_dim": (input_dim, 1), "depth": (depth, 2), "output_dim": (output_dim, 1)}
    first, second, third = (whole(name, *value) for name, value in least.items())
    return first, second, third


def key_of(seed: int | PRNGKeyArray) -> PRNGKeyArray:
    """A random key from a key or an integer seed."""
    if isinstance(seed, int | np.integer):
        require(abs(int(seed)) < 2**63, f"key: takes a seed below 2^63, got {shown(seed)}")
        return jax.random.key(int(seed))
    if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        require(seed.ndim == 0, f"key: takes one key, got keys of shape {seed.shape}")
        return seed
    array = _real("key", seed)
    if array.ndim == 0 and np.issubdtype(array.dtype, np.integer) and is_known(array):
        return key_of(int(array))
    require(
        array.dtype == np.uint32 and array.shape == (2,),
        "key: takes jax.random.key(seed), jax.random.PRNGKey(seed) or an integer seed",
    )
    return jax.random.wrap_key_data(jnp.asarray(array))

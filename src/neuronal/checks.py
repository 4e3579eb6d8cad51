"""What an argument may be: numbers, arrays, sizes and keys, checked where users hand them in.

Each check raises `InvalidInput` with a message that begins with the argument's name. NumPy does
the work where it can: JAX would compile every operation, for each shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from .errors import InvalidInput


def require(condition: bool, message: str) -> None:
    """Raise `InvalidInput` with `message` unless `condition` holds."""
    if not condition:
        raise InvalidInput(message)


def is_number(value: object) -> bool:
    """Whether `value` is one finite number: Python's, NumPy's or an array of no dimensions."""
    if not isinstance(value, int | float | np.number | np.ndarray | jax.Array):
        return False
    return np.ndim(value) == 0 and math.isfinite(_as_float(value))


def is_whole(value: object, least: int) -> bool:
    """Whether `value` is a whole number of at least `least`, such as 2, 2.0 or NumPy's."""
    return is_number(value) and int(value) == value and value >= least  # pyright: ignore[reportArgumentType, reportOperatorIssue]


def whole(name: str, value: Any, least: int, most: int = 2**31 - 1) -> int:
    """`value` as an integer of at least `least`."""
    require(is_whole(value, least), f"{name}: takes an integer >= {least}, got {value!r}")
    require(value <= most, f"{name}: takes an integer <= {most}, got {value!r}")
    return int(value)


def one_or_several(name: str, value: Any, count: int) -> tuple[float, ...]:
    """`value` as `count` numbers: itself so often, or its elements, whose number is unchecked."""
    array = _floats(name, value)
    require(array.ndim <= 1, f"{name}: takes one number or a sequence, got shape {array.shape}")
    return tuple(map(float, np.broadcast_to(array, count) if array.ndim == 0 else array))


def _floats(name: str, value: Any) -> np.ndarray:
    """`value` in double precision."""
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{name}: not an array of numbers ({error})") from error


def positive(name: str, value: Any) -> float:
    """`value` as a finite number above 0."""
    number = _as_float(value)
    require(math.isfinite(number) and number > 0, f"{name}: takes a positive number, got {value!r}")
    return number


def non_negative(name: str, value: Any) -> float:
    """`value` as a finite number of at least 0."""
    number = _as_float(value)
    require(
        math.isfinite(number) and number >= 0, f"{name}: takes a number >= 0, got {_plain(value)!r}"
    )
    return number


def _plain(value: Any) -> Any:
    """NumPy's number as Python's, for a message."""
    return value.item() if isinstance(value, np.generic) else value


def _as_float(value: Any) -> float:
    """NaN where it is no number."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


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
        float(weights.min()) >= 0 and largest > 0, f"{name}: takes numbers >= 0, not all of them 0"
    )
    scaled = np.ldexp(weights, -math.frexp(largest)[1])
    return scaled.astype(jax.dtypes.canonicalize_dtype(float)).astype(np.float64)


def columns(name: str, y: ArrayLike) -> Float[Array, "m k"]:
    """`y (m,)` or `(m, k)` as a finite array `(m, k)`."""
    y = numbers(name, y)
    return finite(name, as_numpy_if_free(y)[:, None] if y.ndim == 1 else y, 2)


def finite(name: str, value: ArrayLike, ndim: int) -> Array:
    """`value` as an array of that many dimensions without NaN or infinite values."""
    array = numbers(name, value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(float)
    require(array.ndim == ndim, f"{name}: takes {ndim} dimensions, got shape {array.shape}")
    require(all_finite(array), f"{name}: holds NaN or infinite values")
    return array


def numbers(name: str, value: ArrayLike) -> Array:
    """`value` as an array of numbers."""
    try:
        return jnp.asarray(np.asarray(value) if isinstance(value, list) else value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{name}: not an array of numbers ({error})") from error


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


def hidden_sizes(name: str, sizes: int | Sequence[int], depth: int) -> tuple[int, ...]:
    """`sizes` as one positive integer per hidden layer."""
    given: tuple[Any, ...] = (
        (sizes,) * (depth - 1) if np.ndim(sizes) == 0 else tuple(np.asarray(sizes))
    )
    require(
        len(given) == depth - 1,
        f"{name}: takes one integer, or one a hidden layer ({depth - 1}), got {len(given)}",
    )
    for n in given:
        require(is_whole(n, 1), f"{name}: takes integers >= 1, got {n!r}")
    return tuple(map(int, given))


def dimensions(input_dim: int, depth: int, output_dim: int) -> None:
    """Raise `InvalidInput` unless the three are possible."""
    for name, value, least in (
        ("input_dim", input_dim, 1),
        ("depth", depth, 2),
        ("output_dim", output_dim, 1),
    ):
        require(is_whole(value, least), f"{name}: takes an integer >= {least}, got {value!r}")


def key_of(seed: int | PRNGKeyArray) -> PRNGKeyArray:
    """A random key from a key or an integer seed."""
    if isinstance(seed, int | np.integer):
        require(abs(int(seed)) < 2**63, f"key: takes a seed below 2^63, got {seed!r}")
        return jax.random.key(int(seed))
    if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        return seed
    array = seed if isinstance(seed, jax.Array) else np.asarray(seed)
    if array.ndim == 0 and np.issubdtype(array.dtype, np.integer) and is_known(array):
        return key_of(int(array))
    require(
        array.dtype == np.uint32 and array.shape == (2,),
        "key: takes jax.random.key(seed), jax.random.PRNGKey(seed) or an integer seed",
    )
    return jax.random.wrap_key_data(jnp.asarray(array))

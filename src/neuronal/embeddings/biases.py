"""Initial biases of the layers between hidden neurons, where an embedding has any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..checks import is_number, require, result_shape, several, shown
from ..kernels import Kernel
from ..kernels.biases import affine

Bias = float | Callable[[Any], Array]
"""$b_i^0$: the same number for all neurons of a layer, or a function of a neuron's latents."""
Biases = Bias | Sequence[Bias] | None
"""One for all layers 2..L-1, or one per layer."""

_TAKES = "takes the latents of one neuron to one number"


def checked_biases(given: Biases, depth: int, latents: Sequence[Any] | None = None) -> Any:
    """Biases of the layers 2..L-1, or None.

    Args:
        latents: of one neuron of each hidden layer, where biases may be functions of them.

    Raises:
        InvalidInput: a network of two layers, other numbers of biases than of layers, what is no bias.
    """
    if given is None:
        return None
    count = depth - 2
    require(
        count > 0,
        "biases: are those of layers between hidden neurons, and two layers have none; give the "
        "inputs a constant coordinate",
    )
    one = callable(given) or is_number(given)
    each = (given,) * count if one else several("biases", given, "numbers, one per layer 2..L-1")
    require(
        len(each) == count, f"biases: takes one, or one per layer 2..L-1 ({count}), got {len(each)}"
    )
    found = []
    for i, bias in enumerate(each):
        if callable(bias) and latents is not None:
            shape = result_shape(f"biases[{i}]", _TAKES, bias, latents[i + 1])
            require(shape == (), f"biases[{i}]: {_TAKES}, got shape {shape}")
            found.append(bias)
            continue
        takes = "a number" if latents is None else f"a number, or a function that {_TAKES}"
        require(is_number(bias), f"biases[{i}]: takes {takes}, got {shown(bias)}")
        found.append(float(bias))  # pyright: ignore[reportArgumentType]
    return tuple(found)


def with_biases(
    weights: Sequence[Any], biases: Sequence[Bias] | None, latents: Sequence[Any] | None = None
) -> list[Any]:
    """Weights of all layers with biases in those between hidden neurons.

    Args:
        latents: of the hidden layers, which functions take.
    """
    if biases is None:
        return list(weights)
    first, *middle, last = weights
    joined: list[Kernel] = []
    for i, (w, bias) in enumerate(zip(middle, biases, strict=True)):
        joined.append(affine(w, _values(bias, w, None if latents is None else latents[i + 1])))
    return [first, *joined, last]


def _values(bias: Bias, w: Float[Array, "n n_out"], latents: Any) -> Float[Array, "n_out"]:
    if callable(bias):
        return jax.vmap(bias)(latents)
    return jnp.full(w.shape[1], bias, w.dtype)

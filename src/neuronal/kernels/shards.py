"""The axis of neurons cut over devices, as kernels see it.

Where a mesh with the axis `AXIS` is current (`neuronal.sharding` sets it), a layer's neurons are
cut over its devices if they divide them evenly, and each device works on its own. Elsewhere,
on one device, the functions here give back what they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec, get_abstract_mesh
from jaxtyping import Array

AXIS = "neurons"
ROWS, ALONG, WHOLE = PartitionSpec(AXIS), PartitionSpec(None, AXIS), PartitionSpec()
"""Cut by the first axis, by the second, not cut."""


def cut(n: int) -> bool:
    """Whether n neurons are cut over devices."""
    size = get_abstract_mesh().shape.get(AXIS, 1)
    return size > 1 and n % size == 0


def on_each(
    n: int, function: Callable[..., Any], takes: tuple[PartitionSpec, ...], gives: PartitionSpec
) -> Callable[..., Any]:
    """`function` of the parts that each device has of its arguments, if n neurons are cut."""
    if not cut(n):
        return function
    # Loops inside begin with zeros, which the check would have marked as no device's own.
    return jax.shard_map(function, in_specs=takes, out_specs=gives, check_vma=False)


def summed(
    n: int, function: Callable[..., Array], takes: tuple[PartitionSpec, ...], n_out: int = 1
) -> Callable[..., Array]:
    """`on_each` with the results of all devices added; cut along n_out neurons if those are."""
    if not cut(n):
        return function
    if not cut(n_out):
        return on_each(n, lambda *parts: jax.lax.psum(function(*parts), AXIS), takes, WHOLE)

    def own_part(*parts: Array) -> Array:
        # As much to send as psum_scatter, whose sums gloo, between CPUs, gets wrong now and
        # then (jax-ml/jax issue 40830).
        mine = function(*parts)
        devices = get_abstract_mesh().shape[AXIS]
        pieces = mine.reshape(len(mine), devices, n_out // devices)
        return jnp.sum(jax.lax.all_to_all(pieces, AXIS, 1, 1), 1)

    return on_each(n, own_part, takes, ALONG)


def first_neuron(count: int) -> Array:
    """The number of the first of this device's `count` neurons; inside `on_each` and `summed`."""
    return jax.lax.axis_index(AXIS) * count

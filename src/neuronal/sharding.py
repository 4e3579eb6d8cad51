r"""Limits and networks over several devices, of one process or of many.

Neurons are cut over a mesh of one axis: `w_1`, the matrices between layers and `w_L` by their
first axis, factors along the nodes; measures and data are on every device. The passes then move
numbers of nodes times data, or of rank times rank, between devices and never a weight
(`neuronal.kernels.shards`, `neuronal.communication`). `solve` and `train` do all this
if they are given `devices`, or a network that is spread already.

With `jax.distributed` the devices of all processes make one mesh. Every process runs the same
program on the same data; what a run records and predicts is known to all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from .checks import require
from .embeddings import AbstractEmbedding
from .kernels import matrix, placed
from .kernels.shards import AXIS, WHOLE
from .network import Network

Devices = Sequence[jax.Device]


def mesh(devices: Devices) -> Mesh:
    """A mesh of one axis, ``neurons``, over the devices in their order.

    Raises:
        InvalidInput: no devices, or one of them twice.
    """
    given = list(devices) if isinstance(devices, Sequence | np.ndarray) else []
    require(
        len(given) > 0 and all(isinstance(d, jax.Device) for d in given),
        f"devices: takes a sequence of devices such as jax.devices(), got {devices!r}",
    )
    require(len(set(given)) == len(given), "devices: one of them is given twice")
    return Mesh(np.asarray(given), (AXIS,), axis_types=(AxisType.Auto,))


def mesh_of(network: Network) -> Mesh | None:
    """The mesh that a network is spread over, if any."""
    sharding = network.measures[0].sharding
    if isinstance(sharding, NamedSharding) and AXIS in sharding.mesh.axis_names:
        return sharding.mesh  # pyright: ignore[reportReturnType]
    return None


def spread(network: Network, devices: Devices) -> Network:
    """The network with its neurons cut over devices.

    A layer of one node, as the limit of i.i.d. weights has, is on every device.

    Raises:
        InvalidInput: a width that the devices do not divide evenly.

    !!! example
        ```python
        >>> import jax, neuronal as nr
        >>> network = nr.embeddings.Bidirectional(2, 3, rank=4).sample(64, key=0)
        >>> network = nr.sharding.spread(network, jax.devices())
        >>> nr.sharding.mesh_of(network).axis_names
        ('neurons',)

        ```
    """
    return spread_over(network, mesh(devices))


def with_matrices(network: Network) -> Network:
    """A network that is spread, its factored weights multiplied out: each device its own rows."""
    with within(mesh_of(network)):
        return _multiplied_out(network)


def mesh_for(devices: Devices | None, start: AbstractEmbedding | Network) -> Mesh | None:
    """The mesh over devices, or else the one that a network to start from is spread over."""
    if devices is not None:
        return mesh(devices)
    return mesh_of(start) if isinstance(start, Network) else None


def sampled_over(
    embedding: AbstractEmbedding, sample: Callable[[str], Network], kind: str, over: Mesh | None
) -> Network:
    """`sample(kind)`, a network of the embedding, spread over a mesh if there is one.

    Matrices of known factors are formed there, so that no device holds one whole.
    """
    if over is None:
        return sample(kind)
    if kind == "dense" and embedding.factored:
        return with_matrices(spread_over(sample("factored"), over))
    return spread_over(sample(kind), over)


def spread_over(network: Network, over: Mesh | None) -> Network:
    """`spread` over a mesh, if there is one."""
    if over is None:
        return network
    for i, n in enumerate(network.widths, start=1):
        require(
            n == 1 or n % over.size == 0,
            f"devices: {over.size} of them do not share the {n} neurons of layer {i} evenly; "
            f"take a multiple of {over.size} neurons, or other devices",
        )

    def put(a: Array, spec: PartitionSpec, n: int) -> Array:
        return _put(a, NamedSharding(over, spec if n % over.size == 0 else WHOLE))

    weights = tuple(placed(w, put) for w in network.weights)
    measures = tuple(put(p, WHOLE, len(p)) for p in network.measures)
    return eqx.tree_at(lambda net: (net.weights, net.measures), network, (weights, measures))


def within(over: Mesh | None) -> AbstractContextManager[Any]:
    """The context in which kernels see the mesh."""
    return nullcontext() if over is None else jax.set_mesh(over)


def run_within(over: Mesh | None, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, called in that context."""
    return function if over is None else Within(over, function)


@dataclass(frozen=True)
class Within:
    """A function called on some devices."""

    over: Mesh
    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        with within(self.over):
            return self.function(*arguments)


def _put(a: Array, sharding: NamedSharding) -> Array:
    if sharding.is_fully_addressable or not a.is_fully_addressable:
        return jax.device_put(a, sharding)
    # Each process has all of it, and gives its devices their parts.
    mine = np.asarray(a)
    return jax.make_array_from_callback(a.shape, sharding, lambda index: mine[index])


@eqx.filter_jit
def _multiplied_out(network: Network) -> Network:
    return network.with_weights(tuple(map(matrix, network.weights)))

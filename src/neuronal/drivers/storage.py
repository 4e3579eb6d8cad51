"""How the weights of a run are kept, dense or factored, and why."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..checks import hidden_sizes, require
from ..embeddings import AbstractEmbedding
from ..kernels import Factored, compressed, mean_square, rows_for
from ..kernels.orthogonal import one_lapack_thread
from ..network import Network

KERNELS = ("auto", "dense", "factored")

SPARE = 16
"""Rows beyond the rank of the start, as room at first."""
FACTORED_FROM = 2048
"""Neurons a layer from which factored kernels pay: there, with 32 data points and compilation, a
run takes as long on either (benchmarks/factored.py); more of either makes dense ones the slower."""


def choose_kernel(
    start: AbstractEmbedding | Network, nodes: int | Sequence[int], kernel: str
) -> tuple[str, str]:
    """``dense`` or ``factored``, and why.

    Raises:
        InvalidInput: an unknown kernel, or factored ones that the start cannot have.
    """
    require(kernel in KERNELS, f"kernel: {kernel!r} is none of {', '.join(KERNELS)}")
    if isinstance(start, Network):
        known = any(isinstance(w, Factored) for w in start.weights)
        sizes = start.widths
    else:
        known, sizes = start.factored, hidden_sizes("nodes", nodes, start.depth)
    if start.depth == 2:
        require(kernel != "factored", "kernel: at L = 2 no layer has a kernel to factor")
        return "dense", "two layers have no weights between neurons"
    if kernel == "factored":
        require(
            known or isinstance(start, Network),
            f"kernel: the initial weights of {type(start).__name__} are known as functions of pairs "
            "only, not as factors; take 'dense'",
        )
        return kernel, "as asked"
    if kernel == "dense":
        require(not (known and isinstance(start, Network)), "kernel: the network's are factored")
        return kernel, "as asked"
    if isinstance(start, Network):
        return ("factored" if known else "dense"), "as the network's weights are kept"
    if not known:
        return "dense", f"the initial weights of {type(start).__name__} have no known factors"
    smallest = min(n * m for n, m in itertools.pairwise(sizes)) ** 0.5
    if smallest < FACTORED_FROM:
        return "dense", f"fewer than {FACTORED_FROM} neurons a layer"
    return "factored", f"{FACTORED_FROM} neurons a layer or more, and the start is low-rank"


def compact(network: Network) -> Network:
    """Factored weights as singular value decompositions, with rows for the rank to grow into."""
    first, *middle, last = network.weights
    kernels = []
    for w, p, q in zip(middle, network.measures[:-1], network.measures[1:], strict=True):
        if isinstance(w, Factored):
            least = 10 * jnp.finfo(w.dtype).eps * jnp.sqrt(mean_square(w, p, q))
            with one_lapack_thread():
                found = _compressed(w, p, q, least, room=len(w.s))
                found.needed.block_until_ready()
            room = rows_for(0, int(found.needed) + SPARE)
            kernels.append(found.kernel.with_room(room))
        else:
            kernels.append(w)
    return network.with_weights((first, *kernels, last))


_compressed = jax.jit(compressed, static_argnames="room")


def decomposed(network: Network) -> Network:
    """Matrices between layers as factors, by their singular value decomposition.

    Raises:
        InvalidInput: matrices that several processes share.
    """
    first, *middle, last = network.weights
    kernels = [w if isinstance(w, Factored) else _decomposed(w) for w in middle]
    return network.with_weights((first, *kernels, last))


def _decomposed(w: Array) -> Factored:
    require(
        w.is_fully_addressable,
        "kernel: the network's matrices are spread over processes and cannot be factored; take 'dense'",
    )
    u, s, v = np.linalg.svd(np.asarray(w), full_matrices=False)
    return Factored(jnp.asarray(u.T), jnp.asarray(v), jnp.asarray(s))

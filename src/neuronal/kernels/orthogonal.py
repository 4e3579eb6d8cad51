r"""Orthonormal bases of few functions on many nodes, by matrix products alone.

The factorisation of Householder, as LAPACK has it, is slow on arrays as thin as these, and
Gram matrices lose half the digits. A sketch of the functions loses none: its singular value
decomposition makes them nearly orthonormal (Balabanov, arXiv 2210.09953; Melnichenko et al.,
arXiv 2311.08316), after which a Gram matrix finishes the work at full precision.

Over several devices (`kernels.shards`) each works on its own nodes; sketches and Gram matrices,
q by 4 q and q by q numbers, are added up, and what follows from them is done on every device.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from threadpoolctl import ThreadpoolController

from .shards import ALONG, ROWS, WHOLE, cut, first_neuron, on_each, summed

OVERSAMPLING = 4
"""Columns of a sketch over functions sketched."""
PIECE = 4096
"""Nodes worked on at once."""
LEAST_SQUARE = 1e-3
"""Squared norm from which a direction is brought to norm 1."""
_QR = jax.lax.linalg.SvdAlgorithm.QR


def one_lapack_thread() -> AbstractContextManager:
    """LAPACK on one thread: on matrices so small its threads wait for each other, up to 60-fold.

    XLA's own products keep all threads.
    """
    return _libraries().limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    """Those loaded; to look them up takes as long as a small network's epoch."""
    return ThreadpoolController()


class Basis(NamedTuple):
    """Orthonormal functions E = mix @ near @ given in $L^2(P)$; those given are coefficients @ E."""

    given: Float[Array, "q n"]
    near: Float[Array, "q q"]
    mix: Float[Array, "q q"]
    coefficients: Float[Array, "q q"]

    def rows(self, combinations: Float[Array, "k q"]) -> Float[Array, "k n"]:
        """Combinations of E, which itself is not formed."""
        combinations = combinations @ self.mix
        n = self.given.shape[1]
        rows = on_each(n, _combined, (WHOLE, WHOLE, ALONG), ALONG)
        return rows(combinations, self.near, self.given)


def basis(functions: Float[Array, "q n"], measure: Float[Array, "n"]) -> Basis:
    """An orthonormal basis in $L^2(P)$ of the span of functions, one a row.

    Directions below ten roundings of the largest are dropped: rows of `near` are zero there.
    """
    directions, scales = sketched_svd(functions, measure)
    least = 10 * jnp.finfo(functions.dtype).eps * scales[0]
    kept = scales > least
    scales = jnp.where(kept, scales, 0)
    inverse = jnp.where(kept, 1 / jnp.where(kept, scales, 1), 0)
    near = (directions * inverse).T
    gram = summed(len(measure), _gram, (WHOLE, ALONG, ROWS))(near, functions, jnp.sqrt(measure))
    gram += jnp.diag(jnp.where(kept, 0, 1).astype(near.dtype))
    squares, axes = jnp.linalg.eigh((gram + gram.T) / 2)
    # Near 1, but roundings can make a direction at the edge depend on others: one of 10.9 roundings gave
    # -1e-16. It stays short of norm 1 then; combinations of E are what they were all the same.
    sizes = jnp.sqrt(jnp.maximum(squares, LEAST_SQUARE))
    mix = (axes / sizes) @ axes.T
    return Basis(functions, near, mix, (directions * scales) @ ((axes * sizes) @ axes.T))


def sketched_svd(
    functions: Float[Array, "q n"], measure: Float[Array, "n"]
) -> tuple[Float[Array, "q q"], Float[Array, "q"]]:
    """Left singular vectors and singular values of a sketch of the functions in $L^2(P)$.

    The values are the true ones up to a factor near 1; what the leading vectors leave out is
    known to that factor too.
    """
    y = _sketch(functions, jnp.sqrt(measure))
    triangle = jnp.linalg.qr(y.T, mode="r")  # the SVD of a square is the cheaper one
    left, scales, _ = svd(triangle.T)
    short = len(functions) - len(scales)  # fewer nodes than functions
    return left, jnp.pad(scales, (0, short))


def svd(a: Float[Array, "q r"]) -> tuple[Float[Array, "q q"], Array, Float[Array, "r r"]]:
    """`jnp.linalg.svd`, by QR iterations where LAPACK's divide and conquer does not converge.

    In single precision that happens: on triangles graded from 1 down to roundings of roundings.
    """
    found = tuple(jnp.linalg.svd(a))
    by_qr = lambda: tuple(jax.lax.linalg.svd(a, algorithm=_QR))
    return jax.lax.cond(jnp.all(jnp.isfinite(found[1])), lambda: found, by_qr)


def _combined(
    combinations: Float[Array, "k q"], near: Float[Array, "q q"], given: Float[Array, "q n"]
) -> Float[Array, "k n"]:
    def put(out: Array, start: Array, some: Array) -> Array:
        # Two products: multiplied out beforehand, what `near` cancels would be lost.
        of_some = combinations @ (near @ some)
        return jax.lax.dynamic_update_slice_in_dim(out, of_some, start, 1)

    shape = (len(combinations), given.shape[1])
    return _over_pieces(put, jnp.zeros(shape, given.dtype), given)


def _gram(
    near: Float[Array, "q q"], functions: Float[Array, "q n"], roots: Float[Array, "n"]
) -> Float[Array, "q q"]:
    """The Gram matrix of `near @ functions`."""

    def add(gram: Array, start: Array, some: Array) -> Array:
        size = some.shape[1]
        some = near @ some * jax.lax.dynamic_slice_in_dim(roots, start, size)
        return gram + some @ some.T

    return _over_pieces(add, jnp.zeros_like(near), functions)


def _sketch(a: Float[Array, "q n"], scales: Float[Array, "n"]) -> Float[Array, "q s"]:
    """Nodes summed with random signs into few buckets: a count sketch of `a * scales`."""
    q, n = a.shape
    size = OVERSAMPLING * q
    if n <= 2 * size:
        return a * scales

    def of_shard(a: Array, scales: Array) -> Array:
        # Signs and buckets are those of the nodes' own numbers: the sketch is the same function.
        first = first_neuron(len(scales))
        return jnp.roll(_counted(a, scales, first, size), first % size, 1)

    if cut(n):
        return summed(n, of_shard, (ALONG, ROWS))(a, scales)
    return _counted(a, scales, 0, size)


def _counted(
    a: Float[Array, "q n"], scales: Float[Array, "n"], first: Any, size: int
) -> Float[Array, "q s"]:
    """The sketch of nodes numbered from `first`; bucket 0 is that of the first."""
    index = jnp.arange(a.shape[1], dtype=jnp.uint32)
    signed = scales * _signs(index + jnp.uint32(first), a.dtype)

    def add(sums: Array, start: Array, some: Array) -> Array:
        count = some.shape[1]
        some = some * jax.lax.dynamic_slice_in_dim(signed, start, count)
        return sums + some if count == size else sums.at[:, :count].add(some)

    return _over_pieces(add, jnp.zeros((len(a), size), a.dtype), a, size)


def _over_pieces(
    step: Callable[[Array, Any, Array], Array],
    so_far: Array,
    functions: Float[Array, "q n"],
    size: int = PIECE,
) -> Array:
    """`step(so_far, start, piece)` over pieces of the nodes that fit the cache, in order."""
    n = functions.shape[1]
    piece = lambda start: jax.lax.dynamic_slice_in_dim(functions, start, size, 1)
    whole = n // size * size
    if whole:
        starts = jnp.arange(0, whole, size)
        so_far, _ = jax.lax.scan(
            lambda carry, start: (step(carry, start, piece(start)), None), so_far, starts
        )
    return step(so_far, whole, functions[:, whole:]) if whole < n else so_far


def _signs(index: Int[Array, "n"], dtype: jnp.dtype) -> Float[Array, "n"]:
    """Signs by the finaliser of MurmurHash3: no random numbers to draw at each step."""
    h = index + jnp.uint32(0x9E3779B9)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ (h >> shift)) * jnp.uint32(factor)
    return 1 - 2 * ((h >> 31) & 1).astype(dtype)

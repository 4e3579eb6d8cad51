r"""Orthonormal bases of few functions on many nodes, by matrix products alone.

The factorisation of Householder, as LAPACK has it, is slow on arrays as thin as these, and
Gram matrices lose half the digits. A sketch of the functions loses none: its singular value
decomposition makes them nearly orthonormal (Balabanov, arXiv 2210.09953; Melnichenko et al.,
arXiv 2311.08316), after which a Gram matrix finishes the work at full precision.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from threadpoolctl import threadpool_limits

OVERSAMPLING = 4
"""Rows of a sketch over functions sketched."""


def one_lapack_thread() -> AbstractContextManager:
    """LAPACK on one thread: on matrices so small its threads wait for each other, up to 60-fold.

    XLA's own products keep all threads.
    """
    return threadpool_limits(1, user_api="blas")


class Basis(NamedTuple):
    """Orthonormal functions E = mix @ near in $L^2(P)$; the functions given are coefficients @ E."""

    near: Float[Array, "q n"]
    mix: Float[Array, "q q"]
    coefficients: Float[Array, "q q"]

    def rows(self, combinations: Float[Array, "k q"]) -> Float[Array, "k n"]:
        """Combinations of E, which itself is not formed."""
        return (combinations @ self.mix) @ self.near


def basis(functions: Float[Array, "q n"], measure: Float[Array, "n"]) -> Basis:
    """An orthonormal basis in $L^2(P)$ of the span of functions, one a row.

    Directions below ten roundings of the largest are dropped: rows of `near` are zero there.
    """
    directions, scales = sketched_svd(functions, measure)
    cut = 10 * jnp.finfo(functions.dtype).eps * scales[0]
    kept = scales > cut
    scales = jnp.where(kept, scales, 0)
    inverse = jnp.where(kept, 1 / jnp.where(kept, scales, 1), 0)
    near = (directions * inverse).T @ functions
    gram = (near * measure) @ near.T + jnp.diag(jnp.where(kept, 0, 1).astype(near.dtype))
    squares, axes = jnp.linalg.eigh((gram + gram.T) / 2)
    roots = jnp.sqrt(squares)
    mix = (axes / roots) @ axes.T
    return Basis(near, mix, (directions * scales) @ ((axes * roots) @ axes.T))


def sketched_svd(
    functions: Float[Array, "q n"], measure: Float[Array, "n"]
) -> tuple[Float[Array, "q q"], Float[Array, "q"]]:
    """Left singular vectors and singular values of a sketch of the functions in $L^2(P)$.

    The values are the true ones up to a factor near 1; what the leading vectors leave out is
    known to that factor too.
    """
    y = _sketch(functions * jnp.sqrt(measure))
    triangle = jnp.linalg.qr(y.T, mode="r")  # the SVD of a square is the cheaper one
    left, scales, _ = jnp.linalg.svd(triangle.T)
    size = len(functions)
    short = size - len(scales)  # fewer nodes than functions
    return left, jnp.pad(scales, (0, short))


def _sketch(a: Float[Array, "q n"]) -> Float[Array, "q s"]:
    """Nodes summed with random signs into few buckets, in two ways: a sparse sign embedding."""
    q, n = a.shape
    size = OVERSAMPLING * q
    if n <= 2 * size:
        return a
    deep = -(-n // size)
    pad = lambda signs: jnp.pad(a * signs, ((0, 0), (0, deep * size - n)))
    index = jnp.arange(n, dtype=jnp.uint32)
    strided = pad(_signs(index, 1, a.dtype)).reshape(q, deep, size).sum(1)
    blocked = pad(_signs(index, 2, a.dtype)).reshape(q, size, deep).sum(2)
    return (strided + blocked) / jnp.sqrt(jnp.asarray(2, a.dtype))


def _signs(index: Int[Array, "n"], stream: int, dtype: jnp.dtype) -> Float[Array, "n"]:
    """Signs by the finaliser of MurmurHash3: no random numbers to draw at each step."""
    h = index * jnp.uint32(2 * stream + 1) + jnp.uint32(0x9E3779B9 * stream % 2**32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ (h >> shift)) * jnp.uint32(factor)
    return 1 - 2 * ((h >> 31) & 1).astype(dtype)

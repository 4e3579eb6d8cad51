r"""Orthonormal bases of few functions on many nodes, by matrix products alone.

The factorisation of Householder, as LAPACK has it, is slow on arrays as thin as these, and
Gram matrices lose half the digits. In double precision a sketch of the functions loses none: its
singular value decomposition makes them nearly orthonormal (Balabanov, arXiv 2210.09953;
Melnichenko et al., arXiv 2311.08316), after which a Gram matrix finishes the work at full
precision. Functions in single precision have half the digits: their Gram matrix, summed in
double, loses none, and what is done on q by q numbers in double adds no rounding. This needs
`jax.enable_x64`, which holds for a part of a program too.

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
"""Gram norm from which a direction of a sketch is brought to norm 1."""
ROUNDING = 2.0**-25
"""Size, over the largest, from which one of a Gram matrix is: half of what single precision resolves."""
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
    """Orthonormal functions E of $L^2(P)$, not formed; those they are made of are coefficients @ E.

    E = mix @ near @ given, without `near` where that is None.
    """

    given: Float[Array, "q n"]
    near: Float[Array, "q q"] | None
    mix: Float[Array, "q q"]
    coefficients: Float[Array, "q q"]

    def rows(self, combinations: Float[Array, "k q"]) -> Float[Array, "k n"]:
        """Combinations of E."""
        rows = on_each(self.given.shape[1], _combined, (WHOLE, WHOLE, ALONG), ALONG)
        return rows(combinations @ self.mix, self.near, self.given)


class Sketched(NamedTuple):
    """Functions in double precision and a sketch of them."""

    functions: Float[Array, "q n"]
    measure: Float[Array, "n"]
    sketch: Float[Array, "q s"]

    def norms(self) -> Float[Array, "q"]:
        """Those in $L^2(P)$ up to a factor near 1."""
        return jnp.linalg.norm(self.sketch, axis=1)

    def basis(self, scales: Float[Array, "q"]) -> Basis:
        """A basis of the span of functions times scales.

        Directions below ten roundings of the largest are dropped: rows of `near` are zero there.
        """
        directions, sizes = _directions(self.sketch * scales[:, None])
        kept = sizes > 10 * jnp.finfo(sizes.dtype).eps * sizes[0]
        sizes = jnp.where(kept, sizes, 0)
        near = (jnp.where(kept, directions, 0) / jnp.where(kept, sizes, 1)).T * scales
        roots = jnp.sqrt(self.measure)
        gram = summed(len(roots), _gram, (WHOLE, ALONG, ROWS))(near, self.functions, roots)
        gram += jnp.diag(jnp.where(kept, 0, 1).astype(near.dtype))
        squares, axes = jnp.linalg.eigh((gram + gram.T) / 2)
        # Near 1, but roundings can make a direction at the edge depend on others: one of 10.9
        # roundings gave -1e-16. It stays short of norm 1 then; combinations of E are what they
        # were all the same.
        lengths = jnp.sqrt(jnp.maximum(squares, LEAST_SQUARE))
        mix = (axes / lengths) @ axes.T
        coefficients = (directions * sizes) @ ((axes * lengths) @ axes.T)
        return Basis(self.functions, near, mix, coefficients)


class Gram(NamedTuple):
    """Functions in single precision and their Gram matrix in double."""

    functions: Float[Array, "q n"]
    gram: Float[Array, "q q"]

    def norms(self) -> Float[Array, "q"]:
        """Those in $L^2(P)$."""
        return jnp.sqrt(jnp.diag(self.gram))

    def basis(self, scales: Float[Array, "q"]) -> Basis:
        """A basis of the span of functions times scales.

        Directions below a rounding of single precision stay short of norm 1.
        """
        squares, axes = jnp.linalg.eigh(scales[:, None] * self.gram * scales)
        sizes = jnp.sqrt(jnp.maximum(squares, ROUNDING**2 * squares[-1]))
        mix = (axes / jnp.where(sizes > 0, sizes, 1)).T * scales
        return Basis(self.functions, None, mix, axes * sizes)


def measured(functions: Float[Array, "q n"], measure: Float[Array, "n"]) -> Sketched | Gram:
    """What a basis of the functions, times any scales, is made from; one pass over the nodes."""
    if functions.dtype != jnp.float32:
        return Sketched(functions, measure, _sketch(functions, jnp.sqrt(measure)))
    gram = summed(len(measure), _gram_in_double, (ALONG, ROWS))(functions, measure)
    return Gram(functions, (gram + gram.T) / 2)


def sketched_svd(
    functions: Float[Array, "q n"], measure: Float[Array, "n"]
) -> tuple[Float[Array, "q q"], Float[Array, "q"]]:
    """Left singular vectors and singular values of a sketch of the functions in $L^2(P)$.

    The values are the true ones up to a factor near 1; what the leading vectors leave out is
    known to that factor too.
    """
    return _directions(_sketch(functions, jnp.sqrt(measure)))


def _directions(y: Float[Array, "q s"]) -> tuple[Float[Array, "q q"], Float[Array, "q"]]:
    triangle = jnp.linalg.qr(y.T, mode="r")  # the SVD of a square is the cheaper one
    left, scales, _ = svd(triangle.T)
    short = len(y) - len(scales)  # fewer nodes than functions
    return left, jnp.pad(scales, (0, short))


def svd(a: Float[Array, "q r"]) -> tuple[Float[Array, "q q"], Array, Float[Array, "r r"]]:
    """`jnp.linalg.svd`, by QR iterations where LAPACK's divide and conquer does not converge.

    In single precision that happens: on triangles graded from 1 down to roundings of roundings.
    """
    found = tuple(jnp.linalg.svd(a))
    by_qr = lambda: tuple(jax.lax.linalg.svd(a, algorithm=_QR))
    return jax.lax.cond(jnp.all(jnp.isfinite(found[1])), lambda: found, by_qr)


def _combined(
    combinations: Float[Array, "k q"], near: Float[Array, "q q"] | None, given: Float[Array, "q n"]
) -> Float[Array, "k n"]:
    def put(out: Array, start: Array, some: Array) -> Array:
        some = some.astype(combinations.dtype)  # roundings of sums would be alike at all nodes
        # Two products: multiplied out beforehand, what `near` cancels would be lost.
        of_some = combinations @ (some if near is None else near @ some)
        return jax.lax.dynamic_update_slice_in_dim(out, of_some.astype(out.dtype), start, 1)

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


def _gram_in_double(
    functions: Float[Array, "q n"], measure: Float[Array, "n"]
) -> Float[Array, "q q"]:
    def add(gram: Array, start: Array, some: Array) -> Array:
        some = some.astype(gram.dtype)
        return gram + some * jax.lax.dynamic_slice_in_dim(measure, start, some.shape[1]) @ some.T

    return _over_pieces(add, jnp.zeros((len(functions),) * 2, jnp.float64), functions)


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

r"""Sums of many outer products brought back to few, at a known loss in $L^2(P_{i-1} \times P_i)$.

`compressed` is the singular value decomposition there, cut at a tolerance: the best approximation
of its rank. `thinned` replaces the samples of a velocity by fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..checks import require
from . import dense
from .base import Kernel
from .factors import Factored
from .orthogonal import measured, one_lapack_thread, sketched_svd, svd

SPARE = 16
"""Rows beyond the rank, as room at first."""


def rows_for(rows: int, needed: int) -> int:
    """Rows to have: where more are needed a quarter more at least, in steps of 16.

    Each size is compiled, and rows to spare are worked on as others are.
    """
    return rows if needed <= rows else 16 * -(-max(needed + 8, rows + rows // 4) // 16)


def rows_together(rows: Sequence[int], needed: Sequence[int]) -> tuple[int, ...]:
    """`rows_for` of several layers: those three quarters full grow with one that has to.

    Each combination of sizes is compiled, and layers that fill up do so one after the other.
    """
    pairs = [(k, int(n)) for k, n in zip(rows, needed, strict=True)]
    if all(n <= k for k, n in pairs):
        return tuple(rows)
    return tuple(rows_for(k, max(n, k + 1) if 4 * n > 3 * k else n) for k, n in pairs)


class Compressed(NamedTuple):
    """What `compressed` returns.

    Attributes:
        kernel: its singular value decomposition, cut: rows orthonormal under the measures.
        discarded: norm in $L^2(P_{i-1} \\times P_i)$ of what was cut off.
        needed: the rank that the tolerance asks for; more than there was room for if the
            kernel was cut above it.
        second_norm: norm there of the same factors with the second scales given.
    """

    kernel: Factored
    discarded: Float[Array, ""]
    needed: Int[Array, ""]
    second_norm: Float[Array, ""]


def compressed(
    w: Factored,
    incoming: Float[Array, "n"],
    outgoing: Float[Array, "n_out"],
    tolerance: Float[Array, ""],
    room: int,
    second_scales: Float[Array, "r"] | None = None,
) -> Compressed:
    r"""`w` cut so that the norm of what is lost in $L^2(P_{i-1} \times P_i)$ is below `tolerance`.

    Args:
        incoming, outgoing: the measures of both layers.
        room: rows of the result, at most as many as those of `w`.
        second_scales: of the same products in a second kernel, whose norm is wanted too.
    """
    with jax.enable_x64(True):  # in single precision too, whose small matrices are in double
        s = w.s.astype(float)
        spare = s if second_scales is None else second_scales.astype(float)
        size = jnp.maximum(jnp.abs(s), jnp.abs(spare))
        left, right = measured(w.f, incoming), measured(w.g, outgoing)
        a, b = left.norms(), right.norms()
        # Rows of either side as large as their product asks: bases resolve what is near the largest.
        left = left.basis(jnp.sqrt(size * _over(b, a)))
        right = right.basis(jnp.sqrt(size * _over(a, b)))
        # w = E_f^T core E_g with orthonormal rows E: all that follows is small
        core = lambda scales: (left.coefficients.T * _over(scales, size)) @ right.coefficients
        x, scales, y = svd(core(s))
        tails = jnp.sqrt(jnp.cumsum((scales**2)[::-1])[::-1])
        needed = jnp.sum(tails > tolerance, dtype=jnp.int32)
        kept = jnp.arange(len(scales)) < jnp.minimum(needed, room)
        rounded = scales.astype(w.dtype)
        # Rows behind the rank are zeros, not noise of unit norm. What rounding takes off a scale
        # goes into its row: there it averages out over the nodes.
        f = left.rows((x * kept * _over(scales, rounded)).T[:room])
        g = right.rows((y * kept[:, None])[:room])
        discarded = jnp.sqrt(jnp.sum(jnp.where(kept, 0, scales) ** 2)).astype(w.dtype)
        norm = jnp.zeros(()) if second_scales is None else jnp.linalg.norm(core(spare))
        kernel = Factored(f, g, (rounded * kept)[:room])
        return Compressed(kernel, discarded, needed, norm.astype(w.dtype))


def _over(a: Float[Array, "q"], b: Float[Array, "q"]) -> Float[Array, "q"]:
    """a / b, and a where b is 0."""
    return a / jnp.where(b > 0, b, 1)


class Thinned(NamedTuple):
    """A sum of outer products over fewer rows; the norm of what is lost; the rows needed."""

    f: Float[Array, "k n"]
    g: Float[Array, "k n_out"]
    lost: Float[Array, ""]
    needed: Int[Array, ""]


def thinned(
    f: Float[Array, "m n"],
    g: Float[Array, "m n_out"],
    incoming: Float[Array, "n"],
    outgoing: Float[Array, "n_out"],
    tolerance: Array,
    rows: int,
) -> Thinned:
    r"""`outer(f, g)` with fewer rows than samples, since functions of near samples are alike.

    With orthonormal Q that spans the samples' part of f, $f^\top g \approx (Q^\top f)^\top
    (Q^\top g)$, and the norm of what is lost is at most $\|f - Q Q^\top f\| \|g\|$.
    """
    if rows >= len(f):
        return Thinned(f, g, jnp.zeros((), f.dtype), jnp.asarray(len(f)))
    directions, scales = sketched_svd(f, incoming)
    size = jnp.sqrt(jnp.sum(g**2 @ outgoing))
    tails = jnp.sqrt(jnp.cumsum((scales**2)[::-1])[::-1]) * size
    # What is below the roundings of the sketch is there in any case.
    needed = jnp.sum(tails > jnp.maximum(tolerance, jnp.finfo(f.dtype).eps * tails[0]))
    kept = jnp.arange(rows) < needed
    q = directions[:, :rows] * kept
    lost = jnp.where(needed < len(f), tails[jnp.minimum(jnp.minimum(needed, rows), len(f) - 1)], 0)
    return Thinned(q.T @ f, q.T @ g, lost, needed)


@singledispatch
def as_factors(w: Float[Array, "n n_out"]) -> Factored:
    """$w$ kept as factors; a matrix by its singular value decomposition.

    Raises:
        InvalidInput: a matrix that several processes share.
    """
    require(
        w.is_fully_addressable,
        "kernel: the network's matrices are spread over processes and cannot be factored; take 'dense'",
    )
    u, s, v = np.linalg.svd(np.asarray(w), full_matrices=False)
    return Factored(jnp.asarray(u.T), jnp.asarray(v), jnp.asarray(s))


@as_factors.register
def _(w: Factored) -> Factored:
    return w


@as_factors.register
def _(w: Kernel) -> Factored:
    return as_factors(w.matrix())


@singledispatch
def with_room_to_grow(w: Any, incoming: Float[Array, "n"], outgoing: Float[Array, "n_out"]) -> Any:
    """Factors as singular value decompositions, with rows for the rank to grow into; others as they are."""
    return w


@with_room_to_grow.register
def _(w: Factored, incoming: Array, outgoing: Array) -> Factored:
    least = 10 * jnp.finfo(w.dtype).eps * jnp.sqrt(dense.mean_square(w, incoming, outgoing))
    with one_lapack_thread():
        found = _compressed(w, incoming, outgoing, least, room=len(w.s))
        found.needed.block_until_ready()
    return found.kernel.with_room(rows_for(0, int(found.needed) + SPARE))


@singledispatch
def room(w: Any) -> int:
    """Rows of factors, those to spare among them; 0 of others."""
    return 0


@room.register
def _(w: Factored) -> int:
    return len(w.s)


def with_room_for(weights: Sequence[Any], needed: Sequence[int]) -> tuple[Any, ...]:
    """Kernels of several layers with rows for the ranks needed (`rows_together`); others as they are."""
    rows = rows_together([room(w) for w in weights], needed)
    return tuple(_with_rows(w, k) for w, k in zip(weights, rows, strict=True))


def with_rows(weights: Sequence[Any], rows: Sequence[int]) -> tuple[Any, ...]:
    """Kernels with so many rows at least, layer by layer; others than factors as they are."""
    return tuple(_with_rows(w, max(room(w), k)) for w, k in zip(weights, rows, strict=True))


@singledispatch
def _with_rows(w: Any, rows: int) -> Any:
    return w


@_with_rows.register
def _(w: Factored, rows: int) -> Factored:
    return w.with_room(rows)


_compressed = jax.jit(compressed, static_argnames="room")

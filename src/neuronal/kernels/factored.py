r"""A kernel $w = \sum_r s_r f_r \otimes g_r$ stored as its factors: cost and memory linear in n.

The mean-field solution is numerically low-rank, and every velocity is a sum of one outer
product a sample, so that kernels of this kind carry the limit at a million neurons a layer.
`compressed` brings a sum of many products back to its singular value decomposition in
$L^2(P_{i-1} \times P_i)$, cut at a tolerance: the best approximation of its rank there.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from . import dense
from .orthogonal import measured, sketched_svd, svd


class Factored(eqx.Module):
    """Attributes: factors, one a row, of the incoming and of the outgoing side; their scales."""

    f: Float[Array, "r n"]
    g: Float[Array, "r n_out"]
    s: Float[Array, "r"]

    @property
    def shape(self) -> tuple[int, int]:
        return self.f.shape[1], self.g.shape[1]

    @property
    def dtype(self) -> jnp.dtype:
        return self.f.dtype

    @property
    def ndim(self) -> int:
        return 2

    @property
    def nbytes(self) -> int:
        return self.f.nbytes + self.g.nbytes + self.s.nbytes

    @property
    def rank(self) -> Int[Array, ""]:
        """Rows in use: those behind are room for more, of scale 0."""
        return jnp.sum(self.s != 0)

    def astype(self, dtype: jnp.dtype) -> Factored:
        return Factored(self.f.astype(dtype), self.g.astype(dtype), self.s.astype(dtype))

    def matrix(self) -> Float[Array, "n n_out"]:
        """The kernel's values at all pairs of nodes; n times n_out numbers."""
        return _matrix(self.f, self.g, self.s)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.matrix(), dtype)

    def with_room(self, rows: int) -> Factored:
        """The same kernel in so many rows: zeros behind, or rows of scale 0 dropped."""
        more = rows - len(self.s)
        if more <= 0:
            return Factored(self.f[:rows], self.g[:rows], self.s[:rows])
        return Factored(*(jnp.pad(a, ((0, more), *[(0, 0)] * (a.ndim - 1))) for a in self._parts()))

    def put(
        self, f: Float[Array, "m n"], g: Float[Array, "m n_out"], place: Int[Array, ""]
    ) -> Factored:
        """The factors in rows `place` to `place + m - 1` replaced; their scales stay."""
        put = jax.lax.dynamic_update_slice_in_dim
        return Factored(put(self.f, f, place, 0), put(self.g, g, place, 0), self.s)

    def _parts(self) -> tuple[Array, Array, Array]:
        return self.f, self.g, self.s


@jax.jit
def _matrix(f: Array, g: Array, s: Array) -> Float[Array, "n n_out"]:
    return (f.T * s) @ g


def rows_for(rows: int, needed: int) -> int:
    """Rows to have, in steps of 16: each other number is another program to compile."""
    return rows if needed <= rows else 16 * -(-(needed + 8) // 16)


def factored(u: ArrayLike, v: ArrayLike) -> Factored:
    r"""The kernel $U V^\top$ of `u (n, r)` and `v (n_out, r)`."""
    f, g = jnp.asarray(u).T, jnp.asarray(v).T
    return Factored(f, g, jnp.ones(len(f), f.dtype))


class Compressed(NamedTuple):
    """What `compressed` returns.

    Attributes:
        kernel: its singular value decomposition, cut: rows orthonormal under the measures.
        discarded: norm in $L^2(P_{i-1} \\times P_i)$ of what was cut off.
        needed: the rank that the tolerance asks for; more than there was room for if the
            kernel was cut above it.
        other: norm there of the same factors with the other scales given.
    """

    kernel: Factored
    discarded: Float[Array, ""]
    needed: Int[Array, ""]
    other: Float[Array, ""]


def compressed(
    w: Factored,
    incoming: Float[Array, "n"],
    outgoing: Float[Array, "n_out"],
    tolerance: Float[Array, ""],
    room: int,
    other: Float[Array, "r"] | None = None,
) -> Compressed:
    r"""`w` cut so that the norm of what is lost in $L^2(P_{i-1} \times P_i)$ is below `tolerance`.

    Args:
        incoming, outgoing: the measures of both layers.
        room: rows of the result, at most as many as those of `w`.
        other: scales of the same products in a second kernel, whose norm is wanted too.
    """
    with jax.enable_x64(True):  # in single precision too, whose small matrices are in double
        s = w.s.astype(float)
        spare = s if other is None else other.astype(float)
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
        norm = jnp.zeros(()) if other is None else jnp.linalg.norm(core(spare))
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


@dense.average_incoming.register
def _(w: Factored, measure: Array, f: Array) -> Array:
    return _through(w.f, w.s, w.g, f * measure)


@dense.average_outgoing.register
def _(w: Factored, measure: Array, g: Array) -> Array:
    return _through(w.g, w.s, w.f, g * measure)


def _through(
    near: Float[Array, "r n"], s: Float[Array, "r"], far: Float[Array, "r n_out"], f: Array
) -> Float[Array, "m n_out"]:
    if f.shape[0] == 1:
        return jnp.dot(s * jnp.dot(near, f[0]), far)[None]
    # near @ f.T, not f @ near.T: with few samples that is three times as fast.
    return (s[:, None] * (near @ f.T)).T @ far


@dense.added.register
def _(w: Factored, f: Array, g: Array, scale: Array | float = 1.0) -> Factored:
    """Rows more, one a sample."""
    more = jnp.full(len(f), scale, w.dtype)
    return Factored(*(jnp.concatenate(pair) for pair in ((w.f, f), (w.g, g), (w.s, more))))


@dense.mean_square.register
def _(w: Factored, incoming: Array, outgoing: Array) -> Array:
    return w.s @ (((w.f * incoming) @ w.f.T) * ((w.g * outgoing) @ w.g.T)) @ w.s

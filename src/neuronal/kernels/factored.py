r"""A kernel $w = \sum_r s_r f_r \otimes g_r$ stored as its factors: cost and memory linear in n.

The mean-field solution is numerically low-rank, and every velocity is a sum of one outer
product per sample, so that kernels of this kind carry the limit at a million neurons per layer
(`kernels.compression` brings such sums back to few products).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from . import dense


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


def factored(u: ArrayLike, v: ArrayLike) -> Factored:
    r"""The kernel $U V^\top$ of `u (n, r)` and `v (n_out, r)`."""
    f, g = jnp.asarray(u).T, jnp.asarray(v).T
    return Factored(f, g, jnp.ones(len(f), f.dtype))


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

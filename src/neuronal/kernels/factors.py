r"""A kernel $w = \sum_r s_r f_r \otimes g_r$ stored as its factors: cost and memory linear in n.

The mean-field solution is numerically low-rank, and every velocity is a sum of one outer
product per sample, so that kernels of this kind carry the limit at a million neurons per layer
(`kernels.compression` brings such sums back to few products).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ..checks import all_finite, on_device
from .base import Kernel, Put
from .shards import ALONG, ROWS, WHOLE, on_each


class Factored(Kernel):
    """A sum of outer products, a row of each side per product.

    Attributes:
        f, g: factors of the incoming and of the outgoing side.
        s: scales; rows of scale 0 are room for more.
    """

    f: Float[Array, "r n"]
    g: Float[Array, "r n_out"]
    s: Float[Array, "r"]

    grows = True

    @property
    def shape(self) -> tuple[int, int]:
        return self.f.shape[1], self.g.shape[1]

    @property
    def dtype(self) -> jnp.dtype:
        return self.f.dtype

    def average_incoming(self, measure: Array, f: Array) -> Array:
        return _through(self.f, self.s, self.g, f * measure)

    def average_outgoing(self, measure: Array, g: Array) -> Array:
        return _through(self.g, self.s, self.f, g * measure)

    def scaled(self, factor: Array | float) -> Factored:
        return Factored(self.f, self.g, factor * self.s)

    def matrix(self) -> Float[Array, "n n_out"]:
        product = on_each(self.shape[0], _matrix, (ALONG, WHOLE, WHOLE), ROWS)
        return product(self.f, self.g, self.s)

    def outer_as(self, f: Array, g: Array) -> Factored:
        return Factored(f, g, jnp.ones(len(f), f.dtype))

    def added(self, f: Array, g: Array, scale: Array | float) -> Factored:
        """More rows, one per sample."""
        more = jnp.full(len(f), scale, self.dtype)
        pairs = ((self.f, f), (self.g, g), (self.s, more))
        return Factored(*(jnp.concatenate(pair) for pair in pairs))

    def mean_square(self, incoming: Array, outgoing: Array) -> Array:
        left, right = (self.f * incoming) @ self.f.T, (self.g * outgoing) @ self.g.T
        return self.s @ (left * right) @ self.s

    def neurons(self, rows: Array, columns: Array) -> Factored | Array:
        """As factors or as a matrix, whichever is smaller."""
        small = Factored(self.f[:, rows], self.g[:, columns], self.s)
        size = len(rows) * len(columns) * self.dtype.itemsize
        return small if small.nbytes < size else small.matrix()

    def mapped(
        self, function: Callable[[np.ndarray], np.ndarray], columns: np.ndarray | slice
    ) -> Factored:
        """A linear function of the outgoing weights is the same function of the factors."""
        rows = function(np.asarray(self.f).T)
        return Factored(jnp.asarray(rows.T), self.g[:, columns], self.s)

    def placed(self, put: Put) -> Factored:
        n, n_out = self.shape
        return Factored(put(self.f, ALONG, n), put(self.g, ALONG, n_out), put(self.s, WHOLE, n))

    def is_finite(self) -> bool:
        return all(map(all_finite, self._parts()))

    @property
    def rank(self) -> Int[Array, ""]:
        """Rows in use: those of scale 0 are room for more."""
        return jnp.sum(self.s != 0)

    def with_room(self, rows: int) -> Factored:
        """The same kernel in that many rows: zeros behind, or rows of scale 0 dropped."""
        more = rows - len(self.s)
        if more <= 0:
            return Factored(self.f[:rows], self.g[:rows], self.s[:rows])
        return Factored(*(jnp.pad(a, ((0, more), *[(0, 0)] * (a.ndim - 1))) for a in self._parts()))

    def plus(self, other: Factored, share: Array | float = 1.0) -> Factored:
        """The kernel and `share` times another, in the rows of both."""
        more = Factored(other.f, other.g, share * other.s)
        return Factored(
            *(jnp.concatenate(p) for p in zip(self._parts(), more._parts(), strict=True))
        )

    def put(
        self,
        f: Float[Array, "m n"],
        g: Float[Array, "m n_out"],
        place: Int[Array, ""],
        scale: float | None = None,
    ) -> Factored:
        """The factors in rows `place` to `place + m - 1` replaced; their scales too, if one is given."""
        put = jax.lax.dynamic_update_slice_in_dim
        s = self.s if scale is None else put(self.s, jnp.full(len(f), scale, self.dtype), place, 0)
        return Factored(put(self.f, f, place, 0), put(self.g, g, place, 0), s)

    def _parts(self) -> tuple[Array, Array, Array]:
        return self.f, self.g, self.s


@jax.jit
def _matrix(f: Array, g: Array, s: Array) -> Float[Array, "n n_out"]:
    return (f.T * s) @ g


def factored(u: ArrayLike, v: ArrayLike) -> Factored:
    r"""The kernel $U V^\top$ of `u (n, r)` and `v (n_out, r)`."""
    return Factored(*_across(on_device(u), on_device(v)))


@jax.jit
def _across(u: Array, v: Array) -> tuple[Array, Array, Array]:
    return u.T, v.T, jnp.ones(u.shape[1], u.dtype)


def _through(
    near: Float[Array, "r n"], s: Float[Array, "r"], far: Float[Array, "r n_out"], f: Array
) -> Float[Array, "m n_out"]:
    if f.shape[0] == 1:
        return jnp.dot(s * jnp.dot(near, f[0]), far)[None]
    # near @ f.T, not f @ near.T: with few samples that is three times as fast.
    return (s[:, None] * (near @ f.T)).T @ far

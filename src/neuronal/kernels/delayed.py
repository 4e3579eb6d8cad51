r"""A kernel $c\,w + \sum_r f_r \otimes g_r$: a dense matrix and the updates not yet in it.

Online SGD is bound by memory: a step reads each matrix for either pass and would read and
write it again for its rank-one update. Held back, the updates cost thin products only, and are
applied many at once as one matrix product. The weights are the same up to rounding.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from . import dense
from .base import Kernel
from .factors import Factored


class Delayed(Kernel):
    """A matrix and the rank-one updates held back from it.

    Attributes:
        base: the matrix w.
        held: the updates, 0 in rows where there is none.
        scale: c, where weights decay; None is 1.
    """

    base: Float[Array, "n n_out"]
    held: Factored
    scale: Float[Array, ""] | None = None

    @staticmethod
    def empty(base: Float[Array, "n n_out"], room: int, decays: bool = False) -> Delayed:
        """A matrix with room for that many rank-one updates."""
        n, n_out = base.shape
        rows = lambda size: jnp.zeros((room, size), base.dtype)
        held = Factored(rows(n), rows(n_out), jnp.ones(room, base.dtype))
        return Delayed(base, held, jnp.ones((), base.dtype) if decays else None)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.base.shape

    @property
    def dtype(self) -> jnp.dtype:
        return self.base.dtype

    def hold(
        self, f: Float[Array, "m n"], g: Float[Array, "m n_out"], place: Int[Array, ""]
    ) -> Delayed:
        """The update by `outer(f, g)`, held back in rows `place` to `place + m - 1`."""
        held = self.held.put(f, g, place, None if self.scale is None else 1.0)
        return Delayed(self.base, held, self.scale)

    def average_incoming(self, measure: Array, f: Array) -> Array:
        kept = self._scaled(dense.average_incoming(self.base, measure, f))
        return kept + self.held.average_incoming(measure, f)

    def average_outgoing(self, measure: Array, g: Array) -> Array:
        kept = self._scaled(dense.average_outgoing(self.base, measure, g))
        return kept + self.held.average_outgoing(measure, g)

    def scaled(self, factor: Array | float) -> Delayed:
        scale = jnp.asarray(factor, self.dtype) if self.scale is None else factor * self.scale
        return Delayed(self.base, self.held.scaled(factor), scale)

    def matrix(self) -> Float[Array, "n n_out"]:
        """The matrix with all updates in it."""
        return self._scaled(self.base) + self.held.matrix()

    def _scaled(self, a: Array) -> Array:
        return a if self.scale is None else self.scale * a

r"""A kernel $w + \sum_r f_r \otimes g_r$: a dense matrix and the rank-one updates not yet in it.

Online SGD is bound by memory: a step reads each matrix for either pass and would read and
write it again for its rank-one update. Held back, the updates cost thin products only, and are
applied many at once as one matrix product. The weights are the same up to rounding.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from . import dense
from .factored import Factored


class Delayed(eqx.Module):
    """Attributes: the matrix, and the updates held back, 0 where there is none."""

    base: Float[Array, "n n_out"]
    held: Factored

    @staticmethod
    def empty(base: Float[Array, "n n_out"], room: int) -> Delayed:
        """A matrix with room for so many rank-one updates."""
        n, n_out = base.shape
        rows = lambda size: jnp.zeros((room, size), base.dtype)
        return Delayed(base, Factored(rows(n), rows(n_out), jnp.ones(room, base.dtype)))

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
        return Delayed(self.base, self.held.put(f, g, place))

    def apply(self) -> Float[Array, "n n_out"]:
        """The matrix with all updates in it."""
        return self.base + self.held.matrix()


@dense.average_incoming.register
def _(w: Delayed, measure: Array, f: Array) -> Array:
    return dense.average_incoming(w.base, measure, f) + dense.average_incoming(w.held, measure, f)


@dense.average_outgoing.register
def _(w: Delayed, measure: Array, g: Array) -> Array:
    return dense.average_outgoing(w.base, measure, g) + dense.average_outgoing(w.held, measure, g)

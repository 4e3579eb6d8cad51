r"""What a weight's velocity is made of: an outer product, and a share of the weight itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..kernels import added, outer_as, scaled


class Change(NamedTuple):
    r"""$\partial_t w = \sum_x f(x, \cdot) \otimes g(x, \cdot) - \text{decay}\; w$.

    Attributes:
        f, g: `(m, n)` and `(m, n_out)`, of incoming and outgoing neurons.
        decay: a rate; None is 0.
    """

    f: Float[Array, "m n"]
    g: Float[Array, "m n_out"]
    decay: Float[Array, ""] | None = None

    @property
    def kept(self) -> Float[Array, ""] | None:
        """The share of w that one step of length 1 keeps; None is all of it."""
        return None if self.decay is None else 1 - self.decay

    def decayed(self, values: Array) -> Array:
        """The part of a velocity that decay is, of weights or of their scales."""
        return jnp.zeros_like(values) if self.decay is None else -self.decay * values

    def velocity(self, w: Any) -> Any:
        """The velocity of the weight, a kernel of its kind."""
        if self.decay is None:
            return outer_as(w, self.f, self.g)
        return added(scaled(w, -self.decay), self.f, self.g)

    def moved(self, w: Any, dt: Array | float = 1.0) -> Any:
        """The weight, however it is kept, a time `dt` later at this velocity."""
        if self.decay is not None:
            w = scaled(w, 1 - dt * self.decay)
        return added(w, self.f, self.g, dt)

r"""The paper's first layer, $H_1 = \langle w_1, x \rangle$."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..kernels import average_incoming, average_outgoing
from .base import Seen, Unit


@dataclass(frozen=True)
class Linear(Unit):
    r"""$h(w, x) = \langle w, x \rangle$.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.units.Linear().inputs(3)
        3

        ```
    """

    def parameters(self, d: int) -> int:
        return d

    def inputs(self, p: int) -> int:
        return p

    def value(self, theta: Float[Array, "n d"], x: Float[Array, "m d"]) -> Float[Array, "m n"]:
        return average_incoming(theta.T, _coordinates(theta), x)

    def gradient(
        self, theta: Float[Array, "n d"], x: Float[Array, "m d"], delta: Float[Array, "m n"]
    ) -> Float[Array, "n d"]:
        return delta.T @ x

    def seen(self, theta: Float[Array, "n d"], x: Float[Array, "m d"]) -> Float[Array, "m n"]:
        return average_outgoing(theta, _coordinates(theta), x)

    def factors(
        self, theta: Float[Array, "n d"], x: Float[Array, "m d"], delta: Float[Array, "m n"]
    ) -> tuple[Float[Array, "m n"], Float[Array, "m d"]]:
        """Delta^w_1 = Delta^H_1 x: the samples themselves."""
        return delta, x

    def tangent(
        self, theta: Float[Array, "n d"], measure: Float[Array, "n"], one: Seen, other: Seen
    ) -> Float[Array, "m k m2 k"]:
        (x, delta), (x2, delta2) = one, other
        sensitivities = jnp.tensordot(delta * measure, delta2, axes=(2, 2))
        return (x @ x2.T)[:, None, :, None] * sensitivities


def _coordinates(theta: Float[Array, "n d"]) -> Float[Array, "d"]:
    """The measure of a sum over the coordinates of the input, which is no average."""
    return jnp.ones(theta.shape[1], theta.dtype)


LINEAR = Linear()

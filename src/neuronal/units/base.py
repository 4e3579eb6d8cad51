r"""What a unit is: $H_1(x, c) = h(w_1(c), x)$, and how it pulls a sensitivity back to its parameters.

Layer 1 then moves by $\partial_t w_1(c) = -\xi_1 M\,\mathbb{E}_Z[\Delta^H_1(Z, c)\,\partial_1 h(w_1(c), X)]$,
with M the inverse of the metric in which the parameters flow, the identity unless a unit says otherwise.
As a pair of factors this is `outer(v.T, I)` of the velocity `v (n_1, p)`, so that everything that moves
weights takes it as it takes equation (2).
"""

from __future__ import annotations

import abc

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..checks import require, shown
from ..kernels.shards import ALONG, ROWS, WHOLE, on_each

Seen = tuple[Float[Array, "m d"], Float[Array, "m k n"]]
"""Inputs, and sensitivities there of each output."""


class Unit(abc.ABC):
    r"""A function $h(\theta, x)$ of p parameters and an input. It is compared and hashed by value.

    A subclass states `parameters`, `inputs` and `value`; the others have defaults. `theta (n, p)` are the
    parameters of n neurons, `x (m, d)` inputs.
    """

    @abc.abstractmethod
    def parameters(self, d: int) -> int:
        """p, for inputs of d coordinates."""

    @abc.abstractmethod
    def inputs(self, p: int) -> int:
        """d, for p parameters; below 1 where there is none."""

    @abc.abstractmethod
    def value(self, theta: Float[Array, "n p"], x: Float[Array, "m d"]) -> Float[Array, "m n"]:
        r"""$h(\theta_j, x)$ of every neuron and input."""

    def gradient(
        self, theta: Float[Array, "n p"], x: Float[Array, "m d"], delta: Float[Array, "m n"]
    ) -> Float[Array, "n p"]:
        r"""$\sum_x \delta(x, j)\, \partial_\theta h(\theta_j, x)$."""
        return jax.vjp(lambda theta: self.value(theta, x), theta)[1](delta)[0]

    def speeds(self, p: int) -> tuple[float, ...] | None:
        """The diagonal of M: how fast each parameter flows; None is 1 each."""
        return None

    def pull(
        self, theta: Float[Array, "n p"], x: Float[Array, "m d"], delta: Float[Array, "m n"]
    ) -> Float[Array, "n p"]:
        """M times the gradient."""
        gradient = self.gradient(theta, x, delta)
        speeds = self.speeds(theta.shape[1])
        return gradient if speeds is None else gradient * jnp.asarray(speeds, theta.dtype)

    def wrap(self, theta: Float[Array, "n p"]) -> Float[Array, "n p"]:
        """The same neurons by parameters of the chart, where others are equal to them (a torus)."""
        return theta

    def seen(self, theta: Float[Array, "n p"], x: Float[Array, "m d"]) -> Float[Array, "m n"]:
        """`value`, of the neurons that each device has."""
        return on_each(theta.shape[0], self.value, (ROWS, WHOLE), ALONG)(theta, x)

    def factors(
        self, theta: Float[Array, "n p"], x: Float[Array, "m d"], delta: Float[Array, "m n"]
    ) -> tuple[Float[Array, "r n"], Float[Array, "r p"]]:
        """`pull` as two factors, whose `outer` product it is."""
        pulled = on_each(theta.shape[0], self.pull, (ROWS, WHOLE, ALONG), ROWS)(theta, x, delta)
        return pulled.T, jnp.eye(theta.shape[1], dtype=theta.dtype)

    def tangent(
        self, theta: Float[Array, "n p"], measure: Float[Array, "n"], one: Seen, other: Seen
    ) -> Float[Array, "m k m2 k"]:
        r"""The first layer's part of the tangent kernel at $\xi_1 = 1$, from sensitivities of each output."""

        def slopes(of, x: Array) -> Float[Array, "m n p"]:
            ones = jnp.ones((1, theta.shape[0]), theta.dtype)
            return jax.lax.map(lambda point: of(theta, point[None], ones), x)

        (x, delta), (x2, delta2) = one, other
        left = delta[..., None] * slopes(self.gradient, x)[:, None] * measure[:, None]
        right = delta2[..., None] * slopes(self.pull, x2)[:, None]
        return jnp.tensordot(left, right, axes=((2, 3), (2, 3)))


def checked(unit: Unit) -> Unit:
    """`unit`, else `InvalidInput`."""
    require(isinstance(unit, Unit), f"unit: takes one of neuronal.units, got {shown(unit)}")
    return unit

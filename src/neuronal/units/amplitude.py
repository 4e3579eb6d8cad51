r"""Units that carry their own amplitude, so that one particle is the whole neuron and $w_2$ may rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import activations
from ..activations import Activation
from ..checks import one_or_several, require, shown
from .base import Unit


@dataclass(frozen=True)
class Amplitude(Unit):
    r"""$h(\theta, x) = a\,\varphi(\langle w, x \rangle + b)$ with $\theta = (a, w_1, \dots, w_d, b)$.

    The $\sigma_*(x; \theta)$ of Mei, Montanari and Nguyen (2018), and of mean-field Langevin dynamics: with
    $w_2 = 1$ at rest and $\varphi_1$ the identity, the network is an average of h over neurons.

    Args:
        activation: $\varphi$.
        bias: whether there is b.

    Raises:
        InvalidInput: what is no activation.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.units.Amplitude(nr.activations.tanh).parameters(2)  # a, b and two of w
        4

        ```
    """

    activation: Activation
    bias: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", activations.get(self.activation))
        object.__setattr__(self, "bias", bool(self.bias))

    def parameters(self, d: int) -> int:
        return d + 1 + self.bias

    def inputs(self, p: int) -> int:
        return p - 1 - self.bias

    def value(self, theta: Float[Array, "n p"], x: Float[Array, "m d"]) -> Float[Array, "m n"]:
        return theta[:, 0] * self.activation(self._inner(theta, x))

    def gradient(
        self, theta: Float[Array, "n p"], x: Float[Array, "m d"], delta: Float[Array, "m n"]
    ) -> Float[Array, "n p"]:
        value, slope = self.activation.value_and_derivative(self._inner(theta, x))
        inner = delta * theta[:, 0] * slope
        parts = [jnp.sum(delta * value, axis=0)[:, None], inner.T @ x]
        if self.bias:
            parts.append(jnp.sum(inner, axis=0)[:, None])
        return jnp.concatenate(parts, axis=1)

    def _inner(self, theta: Float[Array, "n p"], x: Float[Array, "m d"]) -> Float[Array, "m n"]:
        if not self.bias:
            return x @ theta[:, 1:].T
        return x @ theta[:, 1:-1].T + theta[:, -1]


@dataclass(frozen=True)
class Homogeneous(Unit):
    r"""$h(\theta, x) = r^2 k(u, x)$ with $\theta = (r, u)$: a particle of mass $r^2$ at u.

    A measure on places, as in Chizat and Bach (2018) and Chizat (2019, arXiv 1907.10300): a signed one has
    $w_2 = \pm 1$ at rest.

    Args:
        kernel: k, a unit in u.
        rates: how fast r and u flow, two numbers.
        cone: whether u flows in the metric of the cone, $dr^2 + r^2 du^2$, in which its velocity
            does not fall with the mass.

    Raises:
        InvalidInput: a kernel that is no unit; not two rates > 0.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.units.Homogeneous(nr.units.Gaussian(0.2)).parameters(2)  # r and a place
        3

        ```
    """

    kernel: Unit
    rates: tuple[float, ...] = (1.0, 1.0)
    cone: bool = False

    def __post_init__(self) -> None:
        require(isinstance(self.kernel, Unit), f"kernel: takes a unit, got {shown(self.kernel)}")
        numbers = one_or_several("rates", self.rates, 2)
        require(
            len(numbers) == 2 and 0 < min(numbers) <= max(numbers) < math.inf,
            f"rates: takes two numbers > 0, of r and of u, got {shown(self.rates)}",
        )
        object.__setattr__(self, "rates", numbers)
        object.__setattr__(self, "cone", bool(self.cone))

    def parameters(self, d: int) -> int:
        return 1 + self.kernel.parameters(d)

    def inputs(self, p: int) -> int:
        return self.kernel.inputs(p - 1)

    def value(self, theta: Float[Array, "n p"], x: Float[Array, "m d"]) -> Float[Array, "m n"]:
        return theta[:, 0] ** 2 * self.kernel.value(theta[:, 1:], x)

    def gradient(
        self, theta: Float[Array, "n p"], x: Float[Array, "m d"], delta: Float[Array, "m n"]
    ) -> Float[Array, "n p"]:
        r, u = theta[:, :1], theta[:, 1:]
        return self._joined(r, u, x, delta, r**2 * self.kernel.gradient(u, x, delta))

    def pull(
        self, theta: Float[Array, "n p"], x: Float[Array, "m d"], delta: Float[Array, "m n"]
    ) -> Float[Array, "n p"]:
        r, u = theta[:, :1], theta[:, 1:]
        # M = (1, 1/r^2) of the cone takes the factor r^2 out again, also where r = 0.
        moved = self.kernel.pull(u, x, delta) * (1 if self.cone else r**2)
        of_r, of_u = self.rates
        speeds = jnp.asarray([of_r] + [of_u] * u.shape[1], theta.dtype)
        return self._joined(r, u, x, delta, moved) * speeds

    def wrap(self, theta: Float[Array, "n p"]) -> Float[Array, "n p"]:
        return jnp.concatenate([theta[:, :1], self.kernel.wrap(theta[:, 1:])], axis=1)

    def _joined(self, r: Array, u: Array, x: Array, delta: Array, of_u: Array) -> Array:
        of_r = 2 * r * jnp.sum(delta * self.kernel.value(u, x), axis=0)[:, None]
        return jnp.concatenate([of_r, of_u], axis=1)

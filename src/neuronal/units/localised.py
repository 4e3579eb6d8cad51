r"""Units of a place: $h(\theta, x)$ is a function of $x - \theta$, in as many dimensions as x has."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..checks import positive, whole
from .base import Unit


class _Place(Unit):
    def parameters(self, d: int) -> int:
        return d

    def inputs(self, p: int) -> int:
        return p


@dataclass(frozen=True)
class Gaussian(_Place):
    r"""$h(\theta, x) = \exp(-|x - \theta|^2 / 2 s^2)$.

    The radial unit of Rotskoff and Vanden-Eijnden (2018).

    Args:
        width: s.

    Raises:
        InvalidInput: a width that is not positive.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> unit = nr.units.Gaussian(width=0.3)
        >>> nr.embeddings.IID(2, 2, activation="identity", unit=unit).sample(8, key=0).unit == unit
        True

        ```
    """

    width: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", positive("width", self.width))

    def value(self, theta: Float[Array, "n d"], x: Float[Array, "m d"]) -> Float[Array, "m n"]:
        # Differences, not |x|^2 - 2 <x, theta> + |theta|^2: nothing cancels.
        square = jnp.sum((x[:, None] - theta) ** 2, axis=2)
        return jnp.exp(-square / (2 * self.width**2))

    def gradient(
        self, theta: Float[Array, "n d"], x: Float[Array, "m d"], delta: Float[Array, "m n"]
    ) -> Float[Array, "n d"]:
        # sum_x delta h (x - theta) / s^2
        share = delta * self.value(theta, x)
        return (share.T @ x - jnp.sum(share, axis=0)[:, None] * theta) / self.width**2


@dataclass(frozen=True)
class Dirichlet(_Place):
    r"""$h(\theta, x) = \prod_j D_N(x_j - \theta_j)$ on the torus $(\mathbb{R} / 2\pi)^d$.

    $D_N(u) = 1 + 2 \sum_{k=1}^N \cos k u$: what a filter that passes frequencies up to N leaves of a
    point, as in the sparse deconvolution of Chizat and Bach (2018).

    Args:
        order: N.

    Raises:
        InvalidInput: an order below 1.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.units.Dirichlet(order=3).parameters(2)
        2

        ```
    """

    order: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", whole("order", self.order, 1))

    def value(self, theta: Float[Array, "n d"], x: Float[Array, "m d"]) -> Float[Array, "m n"]:
        # cos k(x - theta) = cos kx cos k theta + sin kx sin k theta: one product of matrices per coordinate
        found = jnp.ones((), theta.dtype)
        for j in range(theta.shape[1]):
            found = found * (1 + 2 * self._waves(x[:, j]) @ self._waves(theta[:, j]).T)
        return found

    def wrap(self, theta: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """Angles in [0, 2 pi)."""
        return theta - 2 * math.pi * jnp.floor(theta / (2 * math.pi))

    def _waves(self, angle: Float[Array, "n"]) -> Float[Array, "n 2N"]:
        phases = angle[:, None] * jnp.arange(1, self.order + 1, dtype=angle.dtype)
        return jnp.concatenate([jnp.cos(phases), jnp.sin(phases)], axis=1)

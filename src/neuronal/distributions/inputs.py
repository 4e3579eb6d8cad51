"""Laws of the input X: samples, and quadrature by Gauss rules in one dimension, Sobol beyond."""

from __future__ import annotations

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy import special

from .. import quadrature
from ..checks import require


class Inputs(eqx.Module):
    """A law of `x (m, d)`."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """d."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, m: int) -> Float[Array, "m d"]:
        """Independent inputs; traceable."""

    @abc.abstractmethod
    def quadrature(self, m: int) -> tuple[Float[Array, "n d"], Float[Array, "n"]]:
        """Nodes and weights of sum 1, about `m` of them."""


class Uniform(Inputs):
    """Uniform on the cube `[low, high]^dim`."""

    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)
    dimension: int = eqx.field(static=True)

    def __init__(self, low: float = -1.0, high: float = 1.0, dim: int = 1):
        require(
            -math.inf < low < high < math.inf, f"low, high: takes low < high, got {low}, {high}"
        )
        require(dim >= 1, f"dim: takes 1 or more, got {dim}")
        self.low, self.high, self.dimension = float(low), float(high), int(dim)

    @property
    def dim(self) -> int:
        return self.dimension

    def sample(self, key: PRNGKeyArray, m: int) -> Array:
        return jax.random.uniform(key, (m, self.dim), minval=self.low, maxval=self.high)

    def quadrature(self, m: int) -> tuple[Array, Array]:
        if self.dim == 1:
            nodes, weights = special.roots_legendre(m)
            unit, weights = (nodes[:, None] + 1) / 2, weights / 2
        else:
            unit = quadrature.sobol(m, self.dim, jax.random.key(0))
            weights = np.full(m, 1 / m)
        return jnp.asarray(self.low + (self.high - self.low) * unit), jnp.asarray(weights)


class Gaussian(Inputs):
    r"""$N(\mu, \sigma^2 I)$, the same mean and deviation in each of `dim` coordinates.

    Unbounded: Assumption 1.1 asks for $|X| \le K$.
    """

    dimension: int = eqx.field(static=True)
    mean: float = eqx.field(static=True)
    std: float = eqx.field(static=True)

    def __init__(self, dim: int = 1, mean: float = 0.0, std: float = 1.0):
        require(dim >= 1, f"dim: takes 1 or more, got {dim}")
        require(
            math.isfinite(mean) and 0 < std < math.inf,
            f"mean, std: take finite numbers, std > 0, got {mean}, {std}",
        )
        self.dimension, self.mean, self.std = int(dim), float(mean), float(std)

    @property
    def dim(self) -> int:
        return self.dimension

    def sample(self, key: PRNGKeyArray, m: int) -> Array:
        return self.mean + self.std * jax.random.normal(key, (m, self.dim))

    def quadrature(self, m: int) -> tuple[Array, Array]:
        rule = "gauss-hermite" if self.dim == 1 else "sobol"
        nodes, weights = quadrature.gaussian(rule, m, self.dim, jax.random.key(0))
        return self.mean + self.std * nodes, weights


class Sphere(Inputs):
    """Uniform on the sphere of the given radius in `dim` >= 2 dimensions."""

    dimension: int = eqx.field(static=True)
    radius: float = eqx.field(static=True)

    def __init__(self, dim: int, radius: float = 1.0):
        require(dim >= 2, f"dim: takes 2 or more, got {dim}")
        require(radius > 0, f"radius: takes a positive number, got {radius}")
        self.dimension, self.radius = int(dim), float(radius)

    @property
    def dim(self) -> int:
        return self.dimension

    def _project(self, z: Array) -> Array:
        return self.radius * z / jnp.linalg.norm(z, axis=1, keepdims=True)

    def sample(self, key: PRNGKeyArray, m: int) -> Array:
        return self._project(jax.random.normal(key, (m, self.dim)))

    def quadrature(self, m: int) -> tuple[Array, Array]:
        if self.dim == 2:  # equal angles: spectrally accurate on the circle
            angle = 2 * np.pi * (np.arange(m) + 0.5) / m
            circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
            return jnp.asarray(self.radius * circle), jnp.full(m, 1 / m)
        z, weights = quadrature.gaussian("sobol", m, self.dim, jax.random.key(0))
        return self._project(z), weights


class Biased(Inputs):
    """Another law with a constant coordinate 1 appended: the paper's layers have no biases."""

    inputs: Inputs

    @property
    def dim(self) -> int:
        return self.inputs.dim + 1

    def sample(self, key: PRNGKeyArray, m: int) -> Array:
        return with_bias(self.inputs.sample(key, m))

    def quadrature(self, m: int) -> tuple[Array, Array]:
        x, weights = self.inputs.quadrature(m)
        return with_bias(x), weights


@jax.jit
def with_bias(x: Float[Array, "m d"]) -> Float[Array, "m d1"]:
    """`x` with a column of ones appended."""
    return jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)

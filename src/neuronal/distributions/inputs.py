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
from ..bounds.finding import PROVED, Finding
from ..bounds.proofs import proof
from ..checks import is_number, positive, require, whole
from .facts import UNBOUNDED, FactsOfX

Line = tuple[Float[np.ndarray, "g"], Float[np.ndarray, "g d"]]


class Inputs(FactsOfX):
    """A law of `x (m, d)`; a subclass states the first three methods."""

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

    def _inputs(self, key: PRNGKeyArray, m: int) -> Array:
        return self.sample(key, m)

    def line(self, count: int) -> Line | None:
        """Values of the one coordinate that varies, over the range to plot, and x there."""
        return None


class Uniform(Inputs):
    """Uniform on the cube `[low, high]^dim`.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> law = nr.distributions.Uniform(-1, 1)
        >>> x, weights = law.quadrature(3)
        >>> x.shape, round(float(weights @ x[:, 0] ** 2), 6)
        ((3, 1), 0.333333)

        ```
    """

    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)
    dimension: int = eqx.field(static=True)

    def __init__(self, low: float = -1.0, high: float = 1.0, dim: int = 1):
        require(
            is_number(low) and is_number(high) and low < high,
            f"low, high: takes low < high, got {low}, {high}",
        )
        self.low, self.high, self.dimension = float(low), float(high), whole("dim", dim, 1)

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

    @proof
    def norm_bound(self) -> Finding:
        most = max(abs(self.low), abs(self.high)) * math.sqrt(self.dim)
        return Finding(
            PROVED, most, f"a corner of the cube [{self.low:g}, {self.high:g}]^{self.dim}"
        )

    @proof
    def reflected_pairs(self) -> float:
        return math.inf if self.low < 0 < self.high else 0

    def line(self, count: int) -> Line | None:
        return _line(self.low, self.high, count) if self.dim == 1 else None


class Gaussian(Inputs):
    r"""$N(\mu, \sigma^2 I)$, the same mean and deviation in each of `dim` coordinates.

    Unbounded: Assumption 1.1 asks for $|X| \le K$.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> x, weights = nr.distributions.Gaussian(1, std=2.0).quadrature(8)
        >>> round(float(weights @ x[:, 0] ** 2), 4)
        4.0

        ```
    """

    dimension: int = eqx.field(static=True)
    mean: float = eqx.field(static=True)
    std: float = eqx.field(static=True)

    def __init__(self, dim: int = 1, mean: float = 0.0, std: float = 1.0):
        require(
            is_number(mean) and is_number(std) and std > 0,
            f"mean, std: take finite numbers, std > 0, got {mean}, {std}",
        )
        self.dimension, self.mean, self.std = whole("dim", dim, 1), float(mean), float(std)

    @property
    def dim(self) -> int:
        return self.dimension

    def sample(self, key: PRNGKeyArray, m: int) -> Array:
        return self.mean + self.std * jax.random.normal(key, (m, self.dim))

    def quadrature(self, m: int) -> tuple[Array, Array]:
        rule = "gauss-hermite" if self.dim == 1 else "sobol"
        nodes, weights = quadrature.gaussian(rule, m, self.dim, jax.random.key(0))
        return self.mean + self.std * nodes, weights

    @proof
    def norm_bound(self) -> Finding:
        return UNBOUNDED

    @proof
    def reflected_pairs(self) -> float:
        return math.inf

    def line(self, count: int) -> Line | None:
        low, high = self.mean - 3 * self.std, self.mean + 3 * self.std
        return _line(low, high, count) if self.dim == 1 else None


class Sphere(Inputs):
    """Uniform on the sphere of the given radius in `dim` >= 2 dimensions.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> x, _ = nr.distributions.Sphere(2, radius=3.0).quadrature(8)
        >>> round(float((x[0] ** 2).sum()), 4)
        9.0

        ```
    """

    dimension: int = eqx.field(static=True)
    radius: float = eqx.field(static=True)

    def __init__(self, dim: int, radius: float = 1.0):
        self.dimension, self.radius = whole("dim", dim, 2), positive("radius", radius)

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

    @proof
    def norm_bound(self) -> Finding:
        return Finding(PROVED, self.radius, "the radius of the sphere")

    @proof
    def reflected_pairs(self) -> float:
        return math.inf


class Biased(Inputs):
    """Another law with a constant coordinate 1 appended: the paper's layers have no biases.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> x, _ = nr.distributions.Biased(nr.distributions.Uniform()).quadrature(4)
        >>> x.shape, x[:, 1].tolist()
        ((4, 2), [1.0, 1.0, 1.0, 1.0])

        ```
    """

    inputs: Inputs

    def __repr__(self) -> str:
        return f"Biased({self.inputs!r})"

    @property
    def dim(self) -> int:
        return self.inputs.dim + 1

    def sample(self, key: PRNGKeyArray, m: int) -> Array:
        return with_bias(self.inputs.sample(key, m))

    def quadrature(self, m: int) -> tuple[Array, Array]:
        x, weights = self.inputs.quadrature(m)
        return with_bias(x), weights

    @proof
    def norm_bound(self) -> Finding:
        status, figure, how = self.inputs.norm_bound()
        assert not isinstance(figure, str)
        return Finding(status, math.hypot(figure, 1.0), f"{how}; a constant coordinate 1 appended")

    @proof
    def has_constant(self) -> bool:
        return True

    @proof
    def reflected_pairs(self) -> float:
        return 0

    def line(self, count: int) -> Line | None:
        found = self.inputs.line(count)
        if found is None:
            return None
        values, x = found
        return values, np.concatenate([x, np.ones((count, 1))], axis=1)


def _line(low: float, high: float, count: int) -> Line:
    values = np.linspace(low, high, count)
    return values, values[:, None]


@jax.jit
def with_bias(x: Float[Array, "m d"]) -> Float[Array, "m d1"]:
    """`x` with a column of ones appended.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> nr.distributions.with_bias(np.zeros((2, 3))).shape
        (2, 4)

        ```
    """
    return jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)

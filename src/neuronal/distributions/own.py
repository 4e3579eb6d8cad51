"""Laws of the input X of the user's own: those of `scipy.stats`, and samplers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy import special

from .. import quadrature
from ..bounds.finding import PROVED, Finding
from ..checks import of_shape, require, results, shown
from ..errors import InvalidInput
from .facts import UNBOUNDED
from .inputs import Inputs, Line

_CELLS = 4096
_FARTHEST = 36.0
"""The largest logit of a probability: beyond it double precision knows 0 and 1 alone."""
_TAKES = (
    "takes a law of neuronal.distributions, a continuous law of scipy.stats such as stats.beta(2, 3) or "
    "several, one per coordinate, or a function of a random key to one input (d,)"
)


def inputs_of(given: Any, name: str = "inputs") -> Inputs:
    """A law of X from what stands for one; `name` begins an error.

    Raises:
        InvalidInput: something else.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> from scipy import stats
        >>> nr.distributions.inputs_of([stats.norm(), stats.beta(2, 3)])
        Coordinates(norm, beta)

        ```
    """
    if isinstance(given, Inputs):
        return given
    laws = list(given) if isinstance(given, Sequence) else [given]
    if laws and all(hasattr(law, "ppf") and hasattr(law, "dist") for law in laws):
        return Coordinates(laws, name)
    require(callable(given) and not hasattr(given, "rvs"), f"{name}: {_TAKES}, got {shown(given)}")
    sampler: Any = given
    return Drawn(sampler, name)


class Coordinates(Inputs):
    r"""Independent coordinates, each of a continuous law of `scipy.stats`.

    With $u = 1/(1 + e^{-s})$ the quantile at u is a smooth function of s. It is kept as cubic pieces between
    4096 values of s, with the slopes that the density gives; samples take it at logistic s, and in one
    dimension the nodes of $\mathbb{E}_X$ are equally spaced in s: a rule whose error falls exponentially in
    the root of their number.

    Args:
        laws: frozen, as `scipy.stats.beta(2, 3)` is.
    """

    laws: tuple[Any, ...] = eqx.field(static=True)
    quantiles: Float[Array, "d c"]
    slopes: Float[Array, "d c"]

    def __init__(self, laws: Sequence[Any], name: str = "inputs"):
        self.laws = tuple(laws)
        tables = [_table(law, name) for law in self.laws]
        values, slopes = zip(*tables, strict=True)
        self.quantiles = jnp.asarray(np.stack(values), float)
        self.slopes = jnp.asarray(np.stack(slopes), float)

    def __repr__(self) -> str:
        return f"Coordinates({', '.join(law.dist.name for law in self.laws)})"

    @property
    def dim(self) -> int:
        return len(self.laws)

    def sample(self, key: PRNGKeyArray, m: int) -> Array:
        return self.at_logits(jax.random.logistic(key, (m, self.dim), self.quantiles.dtype))

    def quadrature(self, m: int) -> tuple[Array, Array]:
        if self.dim > 1:
            u = quadrature.sobol(m, self.dim, jax.random.key(0))
            return self.at_logits(special.logit(np.asarray(u, float))), jnp.full(m, 1 / m)
        most = min(math.pi * math.sqrt(m), _FARTHEST - 1)
        s = np.linspace(-most, most, m) if m > 1 else np.zeros(1)
        weights = special.expit(s) * special.expit(-s)
        return self.at_logits(s[:, None]), jnp.asarray(weights / weights.sum())

    def at_logits(self, s: Any) -> Float[Array, "m d"]:
        """The quantiles at probabilities of these logits `(m, d)`."""
        width = 2 * _FARTHEST / (_CELLS - 1)
        place = (
            jnp.clip(jnp.asarray(s, self.quantiles.dtype), -_FARTHEST, _FARTHEST) + _FARTHEST
        ) / width
        cell = jnp.clip(jnp.floor(place), 0, _CELLS - 2).astype(int)
        t, d = place - cell, jnp.arange(self.dim)
        left, right = self.quantiles[d, cell], self.quantiles[d, cell + 1]
        rise, fall = width * self.slopes[d, cell], width * self.slopes[d, cell + 1]
        bend = (1 - t) * (rise - (right - left)) - t * (fall - (right - left))
        return left + t * (right - left) + t * (1 - t) * bend

    def norm_bound(self) -> Finding:
        ends = np.asarray([np.max(np.abs(law.support())) for law in self.laws], float)
        if not np.isfinite(ends).all():
            return UNBOUNDED
        return Finding(PROVED, float(np.linalg.norm(ends)), "the supports that scipy.stats states")

    def line(self, count: int) -> Line | None:
        if self.dim > 1:
            return None
        low, high = self.laws[0].ppf([1e-3, 1 - 1e-3])
        values = np.linspace(low, high, count)
        return values, values[:, None]


class Drawn(Inputs):
    """The law of what a sampler draws; expectations are means over independent draws.

    Args:
        sampler: a random key to one input `(d,)`, or to a number; by operations of JAX.
    """

    sampler: Callable[[PRNGKeyArray], Array] = eqx.field(static=True)
    dimension: int = eqx.field(static=True)

    def __init__(self, sampler: Callable[[PRNGKeyArray], Array], name: str = "inputs"):
        given = results(name, _TAKES, sampler, jax.random.key(0))
        shape = getattr(given, "shape", None)
        require(
            shape is not None and len(shape) < 2 and 0 not in shape and given.dtype.kind in "fiu",
            f"{name}: {_TAKES}, got shape {shape}",
        )
        self.sampler, self.dimension = sampler, shape[0] if shape else 1

    def __repr__(self) -> str:
        name = getattr(self.sampler, "__name__", type(self.sampler).__name__)
        return f"Drawn({name}, dim={self.dim})"

    @property
    def dim(self) -> int:
        return self.dimension

    def sample(self, key: PRNGKeyArray, m: int) -> Array:
        drawn = jax.vmap(self.sampler)(jax.random.split(key, m))
        return drawn.reshape(m, self.dim).astype(of_shape().dtype)

    def quadrature(self, m: int) -> tuple[Array, Array]:
        """Independent draws, of the same key each time: the error is of order $m^{-1/2}$."""
        return self.sample(jax.random.key(0), m), jnp.full(m, 1 / m)


def _table(law: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles at equally spaced logits, and their slopes in the logit."""
    if not hasattr(law.dist, "pdf"):
        raise InvalidInput(f"{name}: {_TAKES}; {shown(law.dist.name)} is not continuous")
    s = np.linspace(-_FARTHEST, _FARTHEST, _CELLS)
    u, above = special.expit(s), special.expit(-s)
    with np.errstate(all="ignore"):
        values = np.where(s < 0, law.ppf(u), law.isf(above))
        slopes = u * above / law.pdf(values)
    require(
        values.shape == s.shape and bool(np.isfinite(values).all()),
        f"{name}: {_TAKES}; the quantiles of {shown(law.dist.name)} are no finite numbers",
    )
    chords = np.diff(values)
    ends = np.concatenate([[chords[0]], (chords[1:] + chords[:-1]) / 2, [chords[-1]]])
    rough = ends * (_CELLS - 1) / (2 * _FARTHEST)
    steep = (
        ~np.isfinite(slopes) | (slopes > 3 * rough) | (slopes < 0)
    )  # where the density is 0 or rounded
    return values, np.where(steep, rough, slopes)

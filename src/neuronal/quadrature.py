r"""Nodes and weights for standard normal laws, by which an expectation becomes a sum.

A rule turns `(nodes, dim, key)` into nodes `(n, dim)` and weights `(n,)` of sum 1:

- ``monte-carlo``: independent draws; error of order $n^{-1/2}$ in any dimension;
- ``sobol``: a scrambled Sobol sequence through the normal quantile; error near
  $n^{-1}$ for smooth integrands, and random, so that a second key estimates it; the
  number of nodes is best a power of two;
- ``lattice``: a rank-1 lattice (Korobov's, the best of some generators), shifted at random,
  through the normal quantile; its error is near $n^{-1}$ too, and the rule cheaper to make;
- ``antithetic``: independent draws in pairs z, -z: exact for odd integrands;
- ``gauss-hermite``: the product of one-dimensional Gauss rules; exponentially accurate for
  analytic integrands in one to three dimensions, useless beyond.
"""

from __future__ import annotations

import math
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy import special, stats

from .checks import choice, key_of, on_device, require, whole
from .vocabulary import RULES

_MAX_SOBOL_DIM = 21201


def gaussian(
    rule: str, nodes: int, dim: int, key: PRNGKeyArray
) -> tuple[Float[Array, "n dim"], Float[Array, "n"]]:
    """Nodes and weights for $N(0, I_{dim})$.

    Args:
        nodes: how many; ``gauss-hermite`` takes the largest product grid that fits.

    Raises:
        InvalidInput: an unknown rule, or a rule that does not reach that dimension.
    """
    nodes, dim, key = whole("nodes", nodes, 1), whole("dim", dim, 1), key_of(key)
    choice("rule", rule, RULES)
    if rule == "monte-carlo":
        return jax.random.normal(key, (nodes, dim)), _equal(nodes)
    if rule == "sobol":
        points = on_device(special.ndtri(sobol(nodes, dim, key)))
        return points, _equal(nodes)
    if rule == "lattice":
        points = on_device(special.ndtri(lattice(nodes, dim, key)))
        return points, _equal(nodes)
    if rule == "antithetic":
        half = jax.random.normal(key, (-(-nodes // 2), dim))
        pairs = jnp.stack([half, -half], axis=1).reshape(-1, dim)
        return pairs[:nodes], _equal(nodes)
    return _gauss_hermite(nodes, dim)


def _equal(nodes: int) -> Float[Array, "n"]:
    return on_device(np.full(nodes, 1 / nodes))


def sobol(nodes: int, dim: int, key: PRNGKeyArray) -> Float[np.ndarray, "n dim"]:
    """A scrambled Sobol sequence in the open unit cube."""
    require(dim <= _MAX_SOBOL_DIM, f"rule: sobol reaches dimension {_MAX_SOBOL_DIM}, not {dim}")
    seed = int(_bits(key))
    # The whole power of two that holds the nodes: the balance SciPy warns of losing is
    # lost only by the cut, and a cut sequence is still a valid rule.
    exponent = max(nodes - 1, 0).bit_length()
    engine = stats.qmc.Sobol(dim, scramble=True, rng=np.random.default_rng(seed), bits=52)
    points = engine.random_base2(exponent)[:nodes]
    return np.clip(points, 2.0**-53, 1 - 2.0**-53)


def lattice(nodes: int, dim: int, key: PRNGKeyArray) -> Float[np.ndarray, "n dim"]:
    """A randomly shifted rank-1 lattice in the open unit cube, folded (the tent transform)."""
    shift = np.asarray(jax.random.uniform(key, (dim,)), float)
    steps = _korobov(nodes, dim)
    points = (np.arange(nodes)[:, None] * steps[None, :] % nodes / nodes + shift) % 1.0
    return np.clip(1 - np.abs(2 * points - 1), 2.0**-53, 1 - 2.0**-53)


@jax.jit
def _bits(key: PRNGKeyArray) -> Array:
    return jax.random.bits(key, dtype=jnp.uint32)


@lru_cache(maxsize=64)
def _korobov(nodes: int, dim: int) -> Float[np.ndarray, "dim"]:
    r"""The generating vector $(1, a, a^2, \dots)$ mod n with the least worst-case error.

    The error is that of the weighted Korobov space of smoothness 1, with weights $j^{-2}$ of the
    coordinates (Sloan and Joe, Lattice Methods for Multiple Integration, 1994).
    """
    rng = np.random.default_rng([nodes, dim])
    coprime = [a for a in rng.integers(1, max(nodes, 2), 200) if math.gcd(int(a), nodes) == 1]
    candidates = coprime[: int(np.clip(2**24 // (nodes * dim), 2, 64))] or [1]
    k = np.arange(nodes)

    def vector(a: int) -> np.ndarray:
        return np.asarray([pow(int(a), j, nodes) for j in range(dim)])

    def error(a: int) -> float:
        product = np.ones(nodes)
        for j, step in enumerate(vector(a), start=1):
            u = k * step % nodes / nodes
            product *= 1 + 2 * np.pi**2 * (u * u - u + 1 / 6) / j**2
        return float(product.mean())

    return vector(min(candidates, key=error))


def _gauss_hermite(nodes: int, dim: int) -> tuple[Array, Array]:
    side = int(np.floor(nodes ** (1 / dim) * (1 + 1e-12)))
    require(
        side >= 2 or nodes == 1,
        f"rule: gauss-hermite in dimension {dim} takes at least 2**{dim} nodes, got {nodes}; "
        "use sobol",
    )
    points, weights = special.roots_hermitenorm(min(side, 256))
    weights = weights / weights.sum()
    grid = np.stack(np.meshgrid(*[points] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    product = np.prod(np.stack(np.meshgrid(*[weights] * dim, indexing="ij"), -1), axis=-1)
    return on_device(grid), on_device(product.reshape(-1))

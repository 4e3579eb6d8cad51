"""A finite data set as a law: $E_Z$ and the infimum of the risk are exact."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from ..bounds.finding import PROVED, Finding
from ..bounds.proofs import proof
from ..checks import columns, finite, on_device, require, shares
from ..losses import Loss
from .base import Distribution, Samples

_FEW = 2**16
"""Samples up to which numbers in [0, 1) of 23 bits draw each by its weight to 1 %."""


class Empirical(Distribution):
    r"""The law that puts weight $w_j$ (default $1/m$) on sample j.

    Args:
        x: `(m, d)`.
        y: `(m,)` or `(m, k)`; class numbers are numbers.
        weights: `(m,)`, not negative, of any sum: their ratios alone count.

    Raises:
        InvalidInput: NaN, shapes that do not fit, no samples, negative weights.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> law = nr.distributions.Empirical([[0.0], [0.0], [1.0]], [0.0, 2.0, 5.0])
        >>> round(law.bayes_risk(nr.losses.Squared()), 6)  # of the two targets at one x
        0.333333

        ```
    """

    x: Float[Array, "m d"]
    y: Float[Array, "m k"]
    weights: Float[Array, "m"]

    def __init__(self, x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None):
        self.x, self.y = finite("x", x, 2), columns("y", y)
        m, d = self.x.shape
        require(m > 0 and d > 0, f"x: is empty, shape {self.x.shape}")
        require(m == len(self.y), f"y: {len(self.y)} targets for {m} inputs")
        if weights is None:
            self.weights = on_device(np.full(m, 1 / m))
        else:
            w = shares("weights", weights, m)
            w = w.astype(jax.dtypes.canonicalize_dtype(float))
            self.weights = jnp.asarray(w / float(w.sum()))

    @property
    def input_dim(self) -> int:
        return self.x.shape[1]

    def sample(self, key: PRNGKeyArray, m: int) -> tuple[Array, Array]:
        draws = _draws if len(self.x) <= _FEW else _draws_of_many
        index = draws(self.weights, key, m)
        return self.x[index], self.y[index]

    def quadrature(self, m: int) -> tuple[Array, Array, Array]:
        return self.x, self.y, self.weights

    def parted(self, share: float, key: PRNGKeyArray) -> tuple[Empirical, Samples | None]:
        """A share of the samples apart, at least one; none if there are not two to part."""
        m = len(self.x)
        apart = max(1, round(share * m)) if share else 0
        if not 0 < apart < m:
            return self, None
        order = np.asarray(jax.random.permutation(key, m))
        kept, held = np.sort(order[apart:]), np.sort(order[:apart])
        x, y, weights = map(np.asarray, (self.x, self.y, self.weights))
        if not (weights[kept].any() and weights[held].any()):
            return self, None
        of_held = Empirical(x[held], y[held], weights[held])
        return Empirical(x[kept], y[kept], weights[kept]), Samples(*of_held.quadrature(apart))

    @proof
    def support(self) -> Float[np.ndarray, "n d"]:
        return np.asarray(self.x, float)[np.asarray(self.weights) > 0]

    @proof
    def target_bound(self) -> Finding:
        return Finding(PROVED, float(jnp.max(jnp.abs(self.y))), "largest of the targets")

    def bayes_risk(self, loss: Loss) -> float:
        """The exact infimum: only samples that share their x have a risk that no function avoids."""
        x, y, w = map(np.asarray, (self.x, self.y, self.weights))
        _, group, counts = np.unique(x, axis=0, return_inverse=True, return_counts=True)
        group = group.reshape(-1)
        single = counts[group] == 1
        total = 0.0
        if single.any():
            alone = loss.infimum(jnp.asarray(y[single][:, None]), jnp.ones((single.sum(), 1)))
            total += float(w[single] @ np.asarray(alone))
        for g in np.flatnonzero(counts > 1):
            members = group == g
            mass = w[members].sum()
            if mass > 0:
                conditional = jnp.asarray(w[members] / mass)[None]
                total += float(mass * loss.infimum(jnp.asarray(y[members])[None], conditional)[0])
        return total


def _draws(weights: Float[Array, "n"], key: PRNGKeyArray, m: int) -> Int[Array, "m"]:
    """Samples by the inverse of the cumulative weights: m numbers, whatever the size of the data."""
    index = jnp.searchsorted(jnp.cumsum(weights), jax.random.uniform(key, (m,)))
    return jnp.clip(index, 0, len(weights) - 1)


@partial(jax.jit, static_argnums=2)
def _draws_of_many(weights: Float[Array, "n"], key: PRNGKeyArray, m: int) -> Int[Array, "m"]:
    """A block by its weight, then a sample in the block, each by the inverse of cumulative weights.

    Blocks are about as many as samples in each, so that the numbers that tell either apart keep
    their precision: those of all samples would differ by less than single precision holds.
    """
    bits = (len(weights).bit_length() + 1) // 2
    blocks = -(-len(weights) // 2**bits)
    padded = jnp.pad(weights, (0, blocks * 2**bits - len(weights)))
    within = jnp.cumsum(padded.reshape(blocks, 2**bits), axis=1)
    of_block, of_sample = jax.random.split(key)
    up_to = jnp.cumsum(within[:, -1])
    at = jax.random.uniform(of_block, (m,)) * up_to[-1]
    block = jnp.searchsorted(up_to, at, side="right")
    at = jax.random.uniform(of_sample, (m,)) * within[block, -1]
    flat, index = within.reshape(-1), block * 2**bits
    for bit in reversed(range(bits)):  # how many cumulative weights of the block are at most `at`
        further = index + 2**bit
        index = jnp.where(flat[further - 1] <= at, further, index)
    return jnp.minimum(index, len(weights) - 1)

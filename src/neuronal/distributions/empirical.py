"""A finite data set as a law: $E_Z$ and the infimum of the risk are exact."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from ..bounds.finding import PROVED, Finding
from ..bounds.proofs import proof
from ..checks import as_numpy_if_free, columns, numbers, require
from ..losses import Loss
from .base import Distribution


class Empirical(Distribution):
    r"""The law that puts weight $w_j$ (default $1/m$) on sample j.

    Args:
        x: `(m, d)`.
        y: `(m,)` or `(m, k)`; class numbers are numbers.
        weights: `(m,)`, not negative; normalised to sum 1.

    Raises:
        InvalidInput: NaN, shapes that do not fit, no samples, negative weights.
    """

    x: Float[Array, "m d"]
    y: Float[Array, "m k"]
    weights: Float[Array, "m"]

    def __init__(self, x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None):
        x, y = numbers("x", x), numbers("y", y)
        require(x.ndim == 2, f"x: takes shape (m, d), got {x.shape}")
        require(len(x) > 0 and x.shape[1] > 0, f"x: is empty, shape {x.shape}")
        self.x = columns("x", x)
        self.y = columns("y", y)
        require(len(x) == len(y), f"y: {len(y)} targets for {len(x)} inputs")
        if weights is None:
            self.weights = jnp.asarray(np.full(len(x), 1 / len(x)), float)
        else:
            w = as_numpy_if_free(columns("weights", weights))[:, 0]
            require(w.shape == (len(x),), f"weights: takes shape ({len(x)},), got {w.shape}")
            total = float(w.sum())
            require(float(w.min()) >= 0 and total > 0, "weights: takes numbers >= 0, not all 0")
            self.weights = jnp.asarray(w / total)

    @property
    def input_dim(self) -> int:
        return self.x.shape[1]

    def sample(self, key: PRNGKeyArray, m: int) -> tuple[Array, Array]:
        # Inverse of the cumulative weights: m numbers per draw, whatever the size of the data.
        index = jnp.searchsorted(jnp.cumsum(self.weights), jax.random.uniform(key, (m,)))
        index = jnp.clip(index, 0, len(self.x) - 1)
        return self.x[index], self.y[index]

    def quadrature(self, m: int) -> tuple[Array, Array, Array]:
        return self.x, self.y, self.weights

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

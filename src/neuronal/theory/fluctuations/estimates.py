r"""From derivatives along directions to moments of the prediction and of the risk.

Along a direction $\delta$ the prediction is $\hat y + a f' + \frac{a^2}{2} f''$. Averages over
directions, $E$, give

- the variance of the prediction $E[f'^2]$ and its bias $\frac12 E[f'']$;
- of the risk the variance $E[(E_X \mathcal{L}' f')^2]$ and the shift of its mean
  $\frac12 E[E_X(\mathcal{L}'' f'^2 + \mathcal{L}' f'')]$, with $\mathcal{L}'$ and $\mathcal{L}''$
  at the limit's prediction;
- the variance of the risk's part of second degree, $\frac12 \mathrm{tr}(\Sigma \mathcal{L}'')^2$ for a
  Gaussian $f'$ of covariance $\Sigma$ over inputs: next to nothing until $\mathcal{L}'$ vanishes, where it is
  all that is left.

The fluctuation is to first order a Gaussian process in time, $\sum_j z_j f'_j$: what depends on its whole
course, as its largest value does, is read from draws of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...distributions import Samples
from ...losses import Loss


class Source(NamedTuple):
    """Derivatives of the prediction along directions of one source of randomness.

    Attributes:
        first, second: in double precision.
        fixed: directions, the first, that count in full; of the others the mean counts.
    """

    first: Float[np.ndarray, "S K m k"]
    second: Float[np.ndarray, "S K m k"]
    fixed: int

    @property
    def random(self) -> int:
        """Directions drawn at random."""
        return len(self.first) - self.fixed

    def mean(self, values: Float[np.ndarray, "S *rest"]) -> tuple[np.ndarray, np.ndarray]:
        """The mean over the source's law of a quadratic form, and its standard error."""
        known, drawn = values[: self.fixed].sum(axis=0), values[self.fixed :]
        if not self.random:
            return known, np.zeros_like(known)
        spread = drawn.std(axis=0, ddof=1) if self.random > 1 else np.full_like(known, np.nan)
        return known + drawn.mean(axis=0), spread / np.sqrt(self.random)


class LossAlong(NamedTuple):
    r"""$\mathcal{L}'$ and $\mathcal{L}''$ at the limit's prediction, and the law of the samples.

    Attributes:
        slope: `(K, m, k)`.
        curvature: `(K, m, k, k)`.
        weights: `(m,)`.
    """

    slope: Float[np.ndarray, "K m k"]
    curvature: Float[np.ndarray, "K m k k"]
    weights: Float[np.ndarray, "m"]

    def at(self, steps: Int[np.ndarray, "_"]) -> LossAlong:
        """At some of the ends of steps."""
        return LossAlong(self.slope[steps], self.curvature[steps], self.weights)

    def on(self, rows: slice) -> LossAlong:
        """On some of the samples."""
        return LossAlong(self.slope[:, rows], self.curvature[:, rows], self.weights[rows])

    def linear(self, first: Float[np.ndarray, "S K m k"]) -> Float[np.ndarray, "S K"]:
        r"""$E_X[\mathcal{L}' f']$."""
        return np.einsum("m,Kmk,SKmk->SK", self.weights, self.slope, first, optimize=True)

    def bilinear(
        self, f: Float[np.ndarray, "S K m k"], g: Float[np.ndarray, "R K m k"]
    ) -> Float[np.ndarray, "S R K"]:
        r"""$E_X[f \mathcal{L}'' g]$ of all pairs."""
        bent = np.einsum("m,Kmkl,RKml->KRmk", self.weights, self.curvature, g, optimize=True)
        rows = np.moveaxis(f, 1, 0).reshape(f.shape[1], len(f), -1)
        product = rows @ bent.reshape(*bent.shape[:2], -1).transpose(0, 2, 1)
        return product.transpose(1, 2, 0)

    def square(self, f: Float[np.ndarray, "S K m k"]) -> Float[np.ndarray, "S K"]:
        r"""$E_X[f \mathcal{L}'' f]$."""
        return np.einsum("m,Kmkl,SKmk,SKml->SK", self.weights, self.curvature, f, f, optimize=True)


@eqx.filter_jit
def _loss_along(
    loss: Loss, data: Samples, predictions: Float[Array, "K m k"]
) -> tuple[Array, Array]:
    def one(prediction: Float[Array, "m k"]) -> tuple[Array, Array]:
        gradient = lambda a: loss.gradient(data.y, a)
        along = lambda unit: jax.jvp(
            gradient, (prediction,), (jnp.broadcast_to(unit, prediction.shape),)
        )[1]
        units = jnp.eye(prediction.shape[1], dtype=prediction.dtype)
        return gradient(prediction), jax.vmap(along, out_axes=2)(units)

    return jax.lax.map(one, predictions)


def loss_along(loss: Loss, data: Samples, predictions: Float[Array, "K m k"]) -> LossAlong:
    """The loss's first two derivatives along the limit."""
    slope, curvature = _loss_along(loss, data, predictions)
    return LossAlong(*(np.asarray(a, np.float64) for a in (slope, curvature, data.weights)))


def moments(source: Source, loss: LossAlong) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What one source contributes, per unit of its scale, with standard errors."""
    first, second = source.first, source.second
    shift = (loss.square(first) + loss.linear(second)) / 2
    return {
        "prediction_variance": source.mean(first**2),
        "prediction_bias": source.mean(second / 2),
        "risk_variance": source.mean(loss.linear(first) ** 2),
        "risk_shift": source.mean(shift),
    }


def covariance(
    source: Source,
) -> tuple[Float[np.ndarray, "K m k m k"], Float[np.ndarray, "K m k m k"]]:
    """The covariance of predictions at pairs of inputs, per unit of the source's scale, and its error."""
    return source.mean(np.einsum("SKmk,SKnl->SKmknl", source.first, source.first))


def largest_distance(
    draws: Float[np.ndarray, "T draws sources sources"], scales: Float[np.ndarray, "sources"]
) -> float:
    """Of root mean squares over inputs the largest over times; of that the root mean square over draws."""
    roots = np.sqrt(scales)
    squares = np.einsum("s,r,tdsr->td", roots, roots, draws, optimize=True)
    return float(np.sqrt(np.mean(np.maximum(squares.max(axis=0), 0))))


def quadratic_variance(a: Source, b: Source, loss: LossAlong, same: bool) -> Float[np.ndarray, "K"]:
    r"""$\frac12 \mathrm{tr}(\Sigma_a \mathcal{L}'' \Sigma_b \mathcal{L}'')$, without bias.

    Args:
        same: whether the two are one source, so that no random direction is paired with itself.
    """
    if not len(a.first) or not len(b.first):
        return np.zeros(len(loss.slope))
    products = loss.bilinear(a.first, b.first) ** 2
    shares = np.outer(_shares(a), _shares(b))
    if same and a.random:
        drawn = np.s_[a.fixed :, a.fixed :]
        pairs = a.random * (a.random - 1)
        shares[drawn] = (1 - np.eye(a.random)) / pairs if pairs else 0.0
    return np.einsum("SR,SRK->K", shares, products) / 2


def square_draws(
    sources: Sequence[Source],
    weights: Float[np.ndarray, "m"],
    count: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "K count sources sources"]:
    r"""$E_X[f_s \cdot f_r]$ of pairs of sources, f drawn as $\sum_j z_j f'_j$ with independent normal z."""
    roots = np.sqrt(weights)[:, None]
    by_time = [np.moveaxis(s.first * roots, 1, 0) for s in sources]
    # The size in words: a layer whose neurons are all alike has no directions.
    rows = [f.reshape(*f.shape[:2], math.prod(f.shape[2:])) for f in by_time]
    normal = [rng.standard_normal((count, len(s.first))) * np.sqrt(_shares(s)) for s in sources]
    found = np.zeros((len(rows[0]), count, len(sources), len(sources)))
    for a, b in itertools.combinations_with_replacement(range(len(sources)), 2):
        product = normal[a] @ (rows[a] @ rows[b].transpose(0, 2, 1))
        found[..., a, b] = found[..., b, a] = np.sum(product * normal[b], axis=2)
    return found


def _shares(source: Source) -> Float[np.ndarray, "S"]:
    return np.concatenate(
        [np.ones(source.fixed), np.full(source.random, 1 / max(source.random, 1))]
    )

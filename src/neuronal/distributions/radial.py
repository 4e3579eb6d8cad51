"""Distances from the origin of labelled, centred Gaussians: the one input of [MMN18]'s radial system."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy import linalg, special

from ..bounds.finding import Finding
from ..bounds.proofs import proof
from ..checks import require, shown
from ..losses import Loss
from .base import Distribution
from .conditional import Conditional
from .facts import UNBOUNDED
from .mixture import GaussianMixture

MOST = 256
"""Nodes per class."""
_RISK_NODES = 256


class Radial(Distribution):
    r"""$(|X|, Y)$ of a mixture of centred Gaussians: $|X| \sim \sigma_c \chi_d$ given class c.

    The quadrature is spectrally accurate for smooth functions of $|X|^2$, as those of
    `activations.radial` are.

    Args:
        mixture: with all means 0 and without a bias.

    Raises:
        InvalidInput: a mixture with other means.

    !!! example
        ```python
        >>> import numpy as np, neuronal as nr
        >>> two = nr.distributions.GaussianMixture(np.zeros((2, 40)), [1.8, 0.2], [1.0, -1.0])
        >>> nr.distributions.Radial(two).input_dim
        1

        ```
    """

    mixture: GaussianMixture

    def __init__(self, mixture: GaussianMixture):
        require(
            isinstance(mixture, GaussianMixture),
            f"mixture: takes a GaussianMixture, got {shown(mixture)}",
        )
        centred = not mixture.bias and not bool(jnp.any(mixture.means))
        require(centred, "mixture: takes one with all means 0 and no bias")
        self.mixture = mixture

    @property
    def input_dim(self) -> int:
        return 1

    @property
    def dim(self) -> int:
        """d, of the vectors whose lengths these are."""
        return self.mixture.means.shape[1]

    def sample(self, key: PRNGKeyArray, m: int) -> tuple[Array, Array]:
        """The lengths of the mixture's own samples."""
        x, y = self.mixture.sample(key, m)
        return jnp.linalg.norm(x, axis=1, keepdims=True), y

    def quadrature(self, m: int) -> tuple[Array, Array, Array]:
        """About m / c nodes per class, of Gauss's rule for the law of the square."""
        r, label, weights = self._nodes(max(m // len(self.mixture.stds), 1))
        return jnp.asarray(r[:, None]), self.mixture.labels[label], jnp.asarray(weights)

    def bayes_risk(self, loss: Loss) -> float:
        """The conditional risk's infimum given |x|, by Gauss's rule."""
        r, _, weights = self._nodes(_RISK_NODES)
        labels = jnp.broadcast_to(self.mixture.labels, (len(r), *self.mixture.labels.shape))
        return float(weights @ np.asarray(loss.infimum(labels, jnp.asarray(self._posterior(r)))))

    @proof
    def norm_bound(self) -> Finding:
        return UNBOUNDED

    @proof
    def has_constant(self) -> bool:
        return False

    @proof
    def reflected_pairs(self) -> float:
        return 0

    @proof
    def target_bound(self) -> Finding:
        return self.mixture.target_bound()

    @proof
    def conditional(self, nodes: int, outputs_apart: bool = True) -> Conditional:
        """Every class is possible at every length."""
        r, _, mass = self._nodes(max(nodes // len(self.mixture.stds), 1))
        labels = np.asarray(self.mixture.labels, float)
        y = np.broadcast_to(labels, (len(r), *labels.shape))
        return Conditional(r[:, None], mass / mass.sum(), y, self._posterior(r))

    def _nodes(self, m: int) -> tuple[Float[np.ndarray, "n"], np.ndarray, Float[np.ndarray, "n"]]:
        """Lengths, classes and weights."""
        s, p = gamma_rule(self.dim / 2, min(m, MOST))
        stds, prior = (
            np.asarray(a, float) for a in (self.mixture.stds, self.mixture.probabilities)
        )
        r = stds[:, None] * np.sqrt(2 * s)
        return r.ravel(), np.repeat(np.arange(len(stds)), len(s)), (prior[:, None] * p).ravel()

    def _posterior(self, r: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n c"]:
        """Probabilities of the classes given the length."""
        stds, prior = (
            np.asarray(a, float) for a in (self.mixture.stds, self.mixture.probabilities)
        )
        logits = np.log(prior) - (r[:, None] / stds) ** 2 / 2 - self.dim * np.log(stds)
        return special.softmax(logits, axis=1)


def gamma_rule(shape: float, nodes: int) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Gauss's rule for the gamma law of that shape and scale 1, exact for polynomials up to 2n - 1.

    By Golub and Welsch's eigenvalue problem: weights of a large shape do not overflow.
    """
    k = np.arange(nodes)
    diagonal, beside = 2 * k + shape, np.sqrt(k[1:] * (k[1:] + shape - 1))
    s, vectors = linalg.eigh_tridiagonal(diagonal, beside)
    return np.maximum(s, 0.0), vectors[0] ** 2

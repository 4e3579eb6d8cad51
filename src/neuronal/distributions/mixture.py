"""Labelled classes, each a Gaussian: the two isotropic Gaussians of [MMN18] and their like."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from .. import quadrature
from ..bounds.finding import PROVED, Finding
from ..bounds.proofs import proof
from ..checks import columns, numbers, require
from ..losses import Loss
from .base import Distribution
from .conditional import Conditional
from .facts import UNBOUNDED
from .inputs import with_bias

_RISK_NODES = 2**14


class GaussianMixture(Distribution):
    r"""Class c with probability $\pi_c$, then $X \sim N(\mu_c, \sigma_c^2 I)$ and $Y$ its label.

    Args:
        means: `(c, d)`.
        stds: `(c,)`, or one for all.
        labels: `(c,)` or `(c, k)`; 0..c-1 if left out. [MMN18] has `means` zero, `stds`
            $1 \pm \Delta$ and `labels` +1, -1.
        probabilities: `(c,)`; equal if left out.
        bias: append a constant coordinate 1 to X.

    Raises:
        InvalidInput: shapes that do not fit, deviations or probabilities that are no such.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> law = nr.distributions.GaussianMixture([[0.0, 0.0], [3.0, 0.0]], 1.0)
        >>> law.input_dim
        2

        ```
    """

    means: Float[Array, "c d"]
    stds: Float[Array, "c"]
    labels: Float[Array, "c k"]
    probabilities: Float[Array, "c"]
    bias: bool = eqx.field(static=True)

    def __init__(
        self,
        means: ArrayLike,
        stds: ArrayLike = 1.0,
        labels: ArrayLike | None = None,
        probabilities: ArrayLike | None = None,
        bias: bool = False,
    ):
        self.means = columns("means", means)
        classes = len(self.means)
        require(self.means.size > 0, f"means: takes one or more, got shape {self.means.shape}")
        stds = numbers("stds", stds)
        require(
            stds.shape in ((), (1,), (classes,)),
            f"stds: takes one number, or one a class ({classes}), got shape {stds.shape}",
        )
        self.stds = jnp.broadcast_to(stds, (classes,))
        require(
            bool(jnp.all((self.stds > 0) & jnp.isfinite(self.stds))), "stds: takes positive numbers"
        )
        self.labels = columns("labels", jnp.arange(classes) if labels is None else labels)
        require(len(self.labels) == classes, f"labels: takes one a class ({classes})")
        p = numbers("probabilities", np.full(classes, 1 / classes))
        if probabilities is not None:
            p = numbers("probabilities", probabilities)
        require(
            p.shape == (classes,) and bool(jnp.all(p > 0)) and abs(float(p.sum()) - 1) < 1e-4,
            f"probabilities: takes {classes} positive numbers of sum 1",
        )
        self.probabilities = p / p.sum()
        self.bias = bool(bias)

    @property
    def input_dim(self) -> int:
        return self.means.shape[1] + self.bias

    def _with_bias(self, x: Array) -> Array:
        return with_bias(x) if self.bias else x

    def sample(self, key: PRNGKeyArray, m: int) -> tuple[Array, Array]:
        for_class, for_x = jax.random.split(key)
        c = jax.random.choice(for_class, len(self.means), (m,), p=self.probabilities)
        z = jax.random.normal(for_x, (m, self.means.shape[1]))
        return self._with_bias(self.means[c] + self.stds[c, None] * z), self.labels[c]

    def quadrature(self, m: int) -> tuple[Array, Array, Array]:
        """About m / c nodes per class, Gauss-Hermite in one dimension, Sobol beyond."""
        x, label, weights = self._class_nodes(max(m // len(self.means), 1))
        return self._with_bias(x), self.labels[label], weights

    def bayes_risk(self, loss: Loss) -> float:
        """The conditional risk's infimum given x, averaged on 2^14 nodes per class."""
        x, _, weights = self._class_nodes(_RISK_NODES)
        square = jnp.sum((x[:, None] - self.means) ** 2, axis=2) / self.stds**2
        logits = jnp.log(self.probabilities) - square / 2 - x.shape[1] * jnp.log(self.stds)
        posterior = jax.nn.softmax(logits, axis=1)
        labels = jnp.broadcast_to(self.labels, (len(x), *self.labels.shape))
        return float(weights @ loss.infimum(labels, posterior))

    @proof
    def norm_bound(self) -> Finding:
        return UNBOUNDED

    @proof
    def has_constant(self) -> bool:
        return self.bias

    @proof
    def reflected_pairs(self) -> float:
        return 0 if self.bias else math.inf

    @proof
    def target_bound(self) -> Finding:
        return Finding(PROVED, float(jnp.max(jnp.abs(self.labels))), "largest of the labels")

    @proof
    def conditional(self, nodes: int, outputs_apart: bool = True) -> Conditional:
        """Every class is possible at every x: probabilities of the classes given x."""
        with jax.enable_x64(True):
            x, _, mass = (np.asarray(a, float) for a in self.quadrature(nodes))
        means, stds, prior, labels = (
            np.asarray(a, float) for a in (self.means, self.stds, self.probabilities, self.labels)
        )
        free = x[:, : means.shape[1]]
        square = np.sum((free[:, None] - means) ** 2, axis=2) / stds**2
        logits = np.log(prior) - square / 2 - means.shape[1] * np.log(stds)
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        y = np.broadcast_to(labels, (len(x), *labels.shape))
        return Conditional(x, mass / mass.sum(), y, p / p.sum(axis=1, keepdims=True))

    def _class_nodes(self, m: int) -> tuple[Array, np.ndarray, Array]:
        dim = self.means.shape[1]
        rule = "gauss-hermite" if dim == 1 else "sobol"
        z, p = quadrature.gaussian(rule, min(m, 256) if dim == 1 else m, dim, jax.random.key(0))
        x = self.means[:, None] + self.stds[:, None, None] * z
        weights = self.probabilities[:, None] * p
        return (
            x.reshape(-1, dim),
            np.repeat(np.arange(len(self.means)), len(z)),
            weights.reshape(-1),
        )

"""Losses of classes: logistic for two, cross-entropy for any number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..bounds import intervals as iv
from ..bounds.forms import LossForm
from ..bounds.intervals import Interval
from ..bounds.proofs import proof
from ..checks import require
from .base import Loss


@dataclass(frozen=True)
class Logistic(Loss):
    r"""$\log(1 + e^{-s\hat y})$ for one output; a label is $s = +1$ if positive, else $-1$.

    So labels may be coded -1/+1 or 0/1.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> loss = nr.losses.Logistic()
        >>> round(float(loss(np.ones((1, 1)), np.zeros((1, 1)))[0]), 4)  # log 2
        0.6931

        ```
    """

    gradient_bound = 1.0
    gradient_lipschitz = 0.25
    takes_classes: ClassVar[bool] = True
    two_classes: ClassVar[bool] = True
    sums_over_outputs: ClassVar[bool] = True

    def __call__(self, y: Array, prediction: Array) -> Array:
        return jnp.sum(jax.nn.softplus(-_sign(y) * prediction), axis=-1)

    def gradient(self, y: Array, prediction: Array) -> Array:
        sign = _sign(y)
        return -sign * jax.nn.sigmoid(-sign * prediction)

    def infimum(self, y: Array, weights: Array) -> Array:
        p = jnp.sum(weights[..., None] * (y > 0), axis=1)
        return jnp.sum(_entropy(p) + _entropy(1 - p), axis=-1)

    def scores(self, prediction: Array) -> Array | None:
        """Of label -1 (or 0) and label +1; of one output."""
        if prediction.shape[-1] > 1:
            return None
        return jnp.concatenate([jnp.zeros_like(prediction), prediction], axis=-1)

    def labels(self, y: Array) -> Array:
        return (y[:, 0] > 0).astype(int)

    def check(self, y: Array, outputs: int) -> None:
        super().check(y, outputs)
        values = set(map(float, jnp.unique(y)))
        require(
            values <= {-1.0, 1.0} or values <= {0.0, 1.0},
            f"y: the logistic loss takes labels -1/+1 or 0/1, got {sorted(values)[:5]}",
        )

    @proof
    def interval_form(self) -> LossForm:
        return LossForm(iv.sigmoid, _sigmoid_slope, "minus the margin")


@dataclass(frozen=True)
class CrossEntropy(Loss):
    r"""Softmax cross-entropy for $k \ge 2$ outputs.

    Targets are class numbers `(m, 1)` in 0..k-1, or probabilities `(m, k)`.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> loss = nr.losses.CrossEntropy()
        >>> round(float(loss(np.array([[2.0]]), np.zeros((1, 4)))[0]), 4)  # log 4
        1.3863

        ```
    """

    gradient_bound = 1.0
    gradient_lipschitz = 0.5
    takes_classes: ClassVar[bool] = True

    def __call__(self, y: Array, prediction: Array) -> Array:
        p = _one_hot(y, prediction)
        # 0 log 0 = 0. The choice also keeps XLA from fusing all of it for YNNPACK, which JAX 0.10 does
        # wrongly in single precision for many predictions of shared labels.
        terms = jnp.where(p > 0, p * jax.nn.log_softmax(prediction, axis=-1), 0)
        return -jnp.sum(terms, axis=-1)

    def gradient(self, y: Array, prediction: Array) -> Array:
        return jax.nn.softmax(prediction, axis=-1) - _one_hot(y, prediction)

    def infimum(self, y: Array, weights: Array) -> Array:
        if y.shape[-1] == 1:
            y = jax.nn.one_hot(y[..., 0].astype(int), int(jnp.max(y)) + 1, dtype=weights.dtype)
        return jnp.sum(_entropy(jnp.sum(weights[..., None] * y, axis=1)), axis=-1)

    def scores(self, prediction: Array) -> Array:
        return prediction

    def outputs(self, y: Array) -> int:
        return y.shape[1] if y.shape[1] > 1 else int(jnp.max(y)) + 1

    def check(self, y: Array, outputs: int) -> None:
        require(outputs >= 2, "output_dim: cross-entropy takes one output a class, at least 2")
        if y.shape[1] == 1:
            classes = np.asarray(y)
            whole = bool(
                np.all((classes == np.round(classes)) & (classes >= 0) & (classes < outputs))
            )
            require(whole, f"y: cross-entropy takes class numbers 0..{outputs - 1} (output_dim)")
        else:
            super().check(y, outputs)
            simplex = bool(jnp.all(y >= 0) & jnp.all(jnp.abs(jnp.sum(y, axis=1) - 1) < 1e-4))
            require(simplex, "y: rows of several columns must be probabilities of sum 1")

    @proof
    def interval_form(self) -> LossForm:
        return LossForm(iv.sigmoid, _hessian_row_sum, "the log-odds of a class")

    @proof
    def convexity(self) -> str:
        return "cross-entropy: log-sum-exp is convex"

    @proof
    def proven_infimum(self, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
        # E[L(Y, a)] >= entropy of Y: Gibbs' inequality
        with jax.enable_x64(True):
            return np.asarray(self.infimum(jnp.asarray(y), jnp.asarray(weights)))


def _sign(y: Array) -> Array:
    return jnp.where(y > 0, 1, -1).astype(y.dtype)


def _one_hot(y: Array, prediction: Array) -> Array:
    if y.shape[-1] == prediction.shape[-1]:
        return y
    return jax.nn.one_hot(y[..., 0].astype(int), prediction.shape[-1], dtype=prediction.dtype)


def _entropy(p: Array) -> Array:
    return jax.scipy.special.entr(p)


def _sigmoid_slope(h: Interval) -> Interval:
    # v (1 - v) = 1/4 - (v - 1/2)^2, without the dependency of v on itself.
    return (0.25 - (iv.sigmoid(h) - 0.5).square()).within(0.0, 0.25)


def _hessian_row_sum(z: Interval) -> Interval:
    """Largest absolute row sum p (1 - p) + p sum of the others of diag(p) - p p^T: 2 p (1 - p)."""
    return 2 * (0.25 - (iv.sigmoid(z).within(0, 1) - 0.5).square())

r"""Losses $\mathcal{L}(y, \hat y)$ with what Assumption 1.1 and Theorem 2 ask of them.

Every loss maps targets `y (m, k)` and predictions `(m, k)` to values `(m,)`, a sum over
outputs, and gives $\partial_2 \mathcal{L}$ in closed form. `infimum` is
$\min_a \sum_j p_j \mathcal{L}(y_j, a)$, the least conditional risk: averaged over
$x$ it is the infimum of Theorem 2, Case 1.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .checks import positive, require
from .errors import InvalidInput


@dataclass(frozen=True)
class Loss(abc.ABC):
    r"""A loss; a subclass states value, gradient, infimum and constants.

    `gradient_bound` and `gradient_lipschitz` are those of $\partial_2\mathcal{L}$
    (``inf`` where there is none); `zero_gradient_is_zero_loss` is Case 2's condition.
    """

    @property
    def name(self) -> str:
        return "".join("_" + c.lower() if c.isupper() else c for c in type(self).__name__)[1:]

    gradient_bound = math.inf
    gradient_lipschitz = math.inf
    convex = True
    zero_gradient_is_zero_loss = False

    @abc.abstractmethod
    def __call__(
        self, y: Float[Array, "m k"], prediction: Float[Array, "m k"]
    ) -> Float[Array, "m"]:
        """The loss of each sample."""

    @abc.abstractmethod
    def gradient(
        self, y: Float[Array, "m k"], prediction: Float[Array, "m k"]
    ) -> Float[Array, "m k"]:
        r"""$\partial_2 \mathcal{L}(y, \hat y)$ of each sample."""

    @abc.abstractmethod
    def infimum(self, y: Float[Array, "m c k"], weights: Float[Array, "m c"]) -> Float[Array, "m"]:
        """Least conditional risk of each of m laws, each on c targets with weights of sum 1."""

    def outputs(self, y: Float[Array, "m k"]) -> int:
        """Outputs a network needs for these targets."""
        return y.shape[1]

    def check(self, y: Float[Array, "m k"], outputs: int) -> None:
        """Raise `InvalidInput` if a network of that many outputs cannot learn targets `y`."""
        require(
            y.shape[1] == outputs,
            f"y: the network has {outputs} outputs, the targets {y.shape[1]} columns; "
            f"build the embedding with output_dim={y.shape[1]}",
        )


class ResidualLoss(Loss):
    """An even function of each residual ``prediction - y``."""

    zero_gradient_is_zero_loss = True

    @abc.abstractmethod
    def _value(self, r: Array) -> Array: ...

    @abc.abstractmethod
    def _slope(self, r: Array) -> Array: ...

    def __call__(self, y: Array, prediction: Array) -> Array:
        return jnp.sum(self._value(prediction - y), axis=-1)

    def gradient(self, y: Array, prediction: Array) -> Array:
        return self._slope(prediction - y)

    def infimum(self, y: Array, weights: Array) -> Array:
        # The minimiser of a sum of even convex functions of residuals lies between the
        # targets; there the slope is monotone, so halving the interval finds it.
        return self._minimum_in((y.min(axis=1), y.max(axis=1)), y, weights)

    def _minimum_in(self, bracket: tuple[Array, Array], y: Array, weights: Array) -> Array:
        """The least conditional risk over an interval in which its slope changes sign once."""

        def halve(_, bracket):
            low, high = bracket
            middle = (low + high) / 2
            slope = jnp.sum(weights[..., None] * self._slope(middle[:, None] - y), axis=1)
            return jnp.where(slope < 0, middle, low), jnp.where(slope < 0, high, middle)

        low, high = jax.lax.fori_loop(0, 60, halve, bracket)
        values = self._value((low + high)[:, None] / 2 - y)
        return jnp.sum(weights * jnp.sum(values, axis=-1), axis=1)


@dataclass(frozen=True)
class Squared(ResidualLoss):
    r"""$\frac12 |\hat y - y|^2$. Its gradient is unbounded, so Assumption 1.1 fails."""

    gradient_lipschitz = 1.0

    def _value(self, r: Array) -> Array:
        return 0.5 * r * r

    def _slope(self, r: Array) -> Array:
        return r


@dataclass(frozen=True)
class PseudoHuber(ResidualLoss):
    r"""$\delta^2 (\sqrt{1 + (r/\delta)^2} - 1)$, near $\frac12 r^2$ for small residuals."""

    delta: float = 1.0
    gradient_lipschitz = 1.0

    def __post_init__(self):
        positive("delta", self.delta)

    @property
    def gradient_bound(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.delta

    def _value(self, r: Array) -> Array:
        s = (r / self.delta) ** 2
        # s / (sqrt(1 + s) + 1) is sqrt(1 + s) - 1 without its cancellation.
        return self.delta**2 * s / (jnp.sqrt(1 + s) + 1)

    def _slope(self, r: Array) -> Array:
        return r / jnp.sqrt(1 + (r / self.delta) ** 2)


@dataclass(frozen=True)
class LogCosh(ResidualLoss):
    r"""$\log\cosh r$, with gradient $\tanh r$."""

    gradient_bound = 1.0
    gradient_lipschitz = 1.0

    def _value(self, r: Array) -> Array:
        # cosh r = 1 + 2 sinh^2(r/2): exact near 0, where log cosh r as it stands cancels.
        near = jnp.log1p(2 * jnp.sinh(jnp.clip(r, -1, 1) / 2) ** 2)
        return jnp.where(jnp.abs(r) < 1, near, jnp.logaddexp(r, -r) - math.log(2))

    def _slope(self, r: Array) -> Array:
        return jnp.tanh(r)


@dataclass(frozen=True)
class Cauchy(ResidualLoss):
    r"""$\frac{\delta^2}{2} \log(1 + (r/\delta)^2)$: not convex, yet stationary only at $r = 0$.

    The example of Theorem 2, Case 2.
    """

    delta: float = 1.0
    convex = False
    gradient_lipschitz = 1.0

    def __post_init__(self):
        positive("delta", self.delta)

    @property
    def gradient_bound(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.delta / 2

    def _value(self, r: Array) -> Array:
        return 0.5 * self.delta**2 * jnp.log1p((r / self.delta) ** 2)

    def _slope(self, r: Array) -> Array:
        return r / (1 + (r / self.delta) ** 2)

    def infimum(self, y: Array, weights: Array) -> Array:
        # Several minima are possible, all between the targets: a grid finds the basin of the
        # lowest for each output, halving its slope's sign change finds the minimum.
        low, high = y.min(axis=1), y.max(axis=1)
        grid = low[:, None] + (high - low)[:, None] * jnp.linspace(0, 1, 1001)[:, None]
        p = weights[:, :, None, None]
        values = jnp.sum(p * self._value(grid[:, None] - y[:, :, None]), axis=1)
        best = jnp.argmin(values, axis=1)[:, None]
        spacing = (high - low) / 1000
        centre = jnp.take_along_axis(grid, best, axis=1)[:, 0]
        bracket = (jnp.maximum(centre - spacing, low), jnp.minimum(centre + spacing, high))
        return self._minimum_in(bracket, y, weights)


@dataclass(frozen=True)
class Logistic(Loss):
    r"""$\log(1 + e^{-s\hat y})$ for one output; a label is $s = +1$ if positive, else $-1$.

    So labels may be coded -1/+1 or 0/1.
    """

    gradient_bound = 1.0
    gradient_lipschitz = 0.25

    def __call__(self, y: Array, prediction: Array) -> Array:
        return jnp.sum(jax.nn.softplus(-_sign(y) * prediction), axis=-1)

    def gradient(self, y: Array, prediction: Array) -> Array:
        sign = _sign(y)
        return -sign * jax.nn.sigmoid(-sign * prediction)

    def infimum(self, y: Array, weights: Array) -> Array:
        p = jnp.sum(weights[..., None] * (y > 0), axis=1)
        return jnp.sum(_entropy(p) + _entropy(1 - p), axis=-1)

    def check(self, y: Array, outputs: int) -> None:
        super().check(y, outputs)
        values = set(map(float, jnp.unique(y)))
        require(
            values <= {-1.0, 1.0} or values <= {0.0, 1.0},
            f"y: the logistic loss takes labels -1/+1 or 0/1, got {sorted(values)[:5]}",
        )


@dataclass(frozen=True)
class CrossEntropy(Loss):
    r"""Softmax cross-entropy for $k \ge 2$ outputs.

    Targets are class numbers `(m, 1)` in 0..k-1, or probabilities `(m, k)`.
    """

    gradient_bound = 1.0
    gradient_lipschitz = 0.5

    def __call__(self, y: Array, prediction: Array) -> Array:
        return -jnp.sum(_one_hot(y, prediction) * jax.nn.log_softmax(prediction, axis=-1), axis=-1)

    def gradient(self, y: Array, prediction: Array) -> Array:
        return jax.nn.softmax(prediction, axis=-1) - _one_hot(y, prediction)

    def infimum(self, y: Array, weights: Array) -> Array:
        if y.shape[-1] == 1:
            y = jax.nn.one_hot(y[..., 0].astype(int), int(jnp.max(y)) + 1, dtype=weights.dtype)
        return jnp.sum(_entropy(jnp.sum(weights[..., None] * y, axis=1)), axis=-1)

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


def _sign(y: Array) -> Array:
    return jnp.where(y > 0, 1, -1).astype(y.dtype)


def _one_hot(y: Array, prediction: Array) -> Array:
    if y.shape[-1] == prediction.shape[-1]:
        return y
    return jax.nn.one_hot(y[..., 0].astype(int), prediction.shape[-1], dtype=prediction.dtype)


def _entropy(p: Array) -> Array:
    return jax.scipy.special.entr(p)


LOSSES: dict[str, type[Loss]] = {
    "squared": Squared,
    "pseudo_huber": PseudoHuber,
    "log_cosh": LogCosh,
    "cauchy": Cauchy,
    "logistic": Logistic,
    "cross_entropy": CrossEntropy,
}


def get(name: str, **parameters: float) -> Loss:
    """The loss of that name, as a configuration file names it.

    Raises:
        InvalidInput: no loss has that name, or it has no such parameter.
    """
    require(name in LOSSES, f"loss: {name!r} is none of {', '.join(LOSSES)}")
    try:
        return LOSSES[name](**parameters)
    except TypeError as error:
        raise InvalidInput(f"loss: {name} does not take {sorted(parameters)}") from error

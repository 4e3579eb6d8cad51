"""Losses of the residual ``prediction - y``, for targets that are numbers."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..bounds import intervals as iv
from ..bounds.forms import LossForm, constant
from ..bounds.intervals import Interval
from ..bounds.proofs import proof
from ..checks import positive
from .base import Loss


class ResidualLoss(Loss):
    """An even function of each residual ``prediction - y``."""

    zero_gradient_is_zero_loss = True
    sums_over_outputs: ClassVar[bool] = True
    of_residual: ClassVar[bool] = True

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
    r"""$\frac12 |\hat y - y|^2$. Its gradient is unbounded, so Assumption 1.1 fails.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> float(nr.losses.Squared()(np.zeros((1, 1)), np.full((1, 1), 2.0))[0])
        2.0

        ```
    """

    gradient_lipschitz = 1.0

    def _value(self, r: Array) -> Array:
        return 0.5 * r * r

    def _slope(self, r: Array) -> Array:
        return r

    @proof
    def interval_form(self) -> LossForm:
        return LossForm(None, lambda u: constant(u, 1.0), "the residual", is_residual=True)

    @proof
    def normal_infimum(self, std: float) -> float:
        return 0.5 * std**2


@dataclass(frozen=True)
class PseudoHuber(ResidualLoss):
    r"""$\delta^2 (\sqrt{1 + (r/\delta)^2} - 1)$, near $\frac12 r^2$ for small residuals.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.losses.PseudoHuber(0.5).gradient_bound
        0.5

        ```
    """

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

    @proof
    def interval_form(self) -> LossForm:
        def root(u: Interval) -> Interval:
            return iv.sqrt(1 + u.square())

        return LossForm(
            # |u|/sqrt(1+u^2) as [0, inf]/... on an infinite box; its values are below 1.
            lambda u: (abs(u) * root(u).reciprocal()).within(0.0, 1.0),
            lambda u: (1 + u.square()).reciprocal() * root(u).reciprocal(),
            "the residual over delta",
            self.delta,
        )


@dataclass(frozen=True)
class Huber(ResidualLoss):
    r"""$\frac12 r^2$ where $|r| \le \delta$, and $\delta\,(|r| - \frac{\delta}{2})$ beyond.

    Its gradient is r, cut at $\pm\delta$: bounded and Lipschitz, as Assumption 1.1 asks. Its second
    derivative jumps there, which expansions to second order (`neuronal.fluctuations`) do not see.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.losses.Huber(0.5).gradient_bound
        0.5

        ```
    """

    delta: float = 1.0
    gradient_lipschitz = 1.0

    def __post_init__(self):
        positive("delta", self.delta)

    @property
    def gradient_bound(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.delta

    def _value(self, r: Array) -> Array:
        within = jnp.minimum(jnp.abs(r), self.delta)
        return within * (jnp.abs(r) - within / 2)

    def _slope(self, r: Array) -> Array:
        return jnp.clip(r, -self.delta, self.delta)

    @proof
    def interval_form(self) -> LossForm:
        return LossForm(_cut, _slope_of_cut, "the residual over delta", self.delta)


@dataclass(frozen=True)
class LogCosh(ResidualLoss):
    r"""$\log\cosh r$, with gradient $\tanh r$.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.losses.LogCosh().gradient_bound
        1.0

        ```
    """

    gradient_bound = 1.0
    gradient_lipschitz = 1.0

    def _value(self, r: Array) -> Array:
        # cosh r = 1 + 2 sinh^2(r/2): exact near 0, where log cosh r as it stands cancels.
        near = jnp.log1p(2 * jnp.sinh(jnp.clip(r, -1, 1) / 2) ** 2)
        return jnp.where(jnp.abs(r) < 1, near, jnp.logaddexp(r, -r) - math.log(2))

    def _slope(self, r: Array) -> Array:
        return jnp.tanh(r)

    @proof
    def interval_form(self) -> LossForm:
        return LossForm(
            iv.tanh, lambda u: (1 - iv.tanh(u).square()).within(0.0, 1.0), "the residual"
        )


@dataclass(frozen=True)
class Cauchy(ResidualLoss):
    r"""$\frac{\delta^2}{2} \log(1 + (r/\delta)^2)$: not convex, yet stationary only at $r = 0$.

    The example of Theorem 2, Case 2.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.losses.Cauchy().convex
        False

        ```
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

    @proof
    def interval_form(self) -> LossForm:
        return LossForm(_cauchy_gradient, _cauchy_slope, "the residual over delta", self.delta)


def _cut(u: Interval) -> Interval:
    size = abs(u)
    return Interval(np.minimum(size.low, 1.0), np.minimum(size.high, 1.0))


def _slope_of_cut(u: Interval) -> Interval:
    """1 within (-1, 1), 0 outside; both at the ends."""
    size = abs(u)
    return Interval(np.where(size.high < 1, 1.0, 0.0), np.where(size.low <= 1, 1.0, 0.0))


def _cauchy_gradient(u: Interval) -> Interval:
    # |u| / (1 + u^2): directly, and at most 1/|u|, which an infinite box needs.
    direct = abs(u) * (1 + u.square()).reciprocal()
    with np.errstate(divide="ignore"):
        tail = np.nextafter(1 / abs(u).low, np.inf)
    return direct.within(0.0, np.inf).within(-np.inf, tail)


def _cauchy_slope(u: Interval) -> Interval:
    # (1 - s) / (1 + s)^2 with s = u^2 is q (2 q - 1), q = 1/(1 + s)
    q = (1 + u.square()).reciprocal()
    return q * (2 * q - 1)

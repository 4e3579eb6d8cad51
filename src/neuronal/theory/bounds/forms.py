r"""Closed forms of the built-in functions on intervals: value, derivative, second derivative.

A form is recognised by the function that computes the activation, not by its name or its
declared constants: those are what is checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ... import activations as act
from ... import losses
from ...activations import Activation
from ...losses import Loss
from . import intervals as iv
from .intervals import Interval

Extension = Callable[[Interval], Interval]


@dataclass(frozen=True)
class Form:
    r"""Interval extensions of $\varphi$, $\varphi'$ and of an a.e. $\varphi''$.

    Attributes:
        value, first, second: None where no finite bound exists. A Lipschitz constant of
            $\varphi'$ is $\sup|\varphi''|$: $\varphi'$ is absolutely continuous wherever
            `second` is given.
        nonzero: why $\varphi'$ vanishes nowhere, or None.
        odd: $\varphi$ is odd, or odd up to a constant.
        taylor: $\varphi$ is analytic at 0 and all odd Taylor coefficients are nonzero.
        why_not: the reason where something is unbounded or not Lipschitz or zero.
    """

    value: Extension | None
    first: Extension
    second: Extension | None
    nonzero: str | None
    odd: bool
    taylor: bool = False
    why_not: str = ""


def _tanh_first(h: Interval) -> Interval:
    return (1 - iv.tanh(h).square()).within(0.0, 1.0)


def _sigmoid_first(h: Interval) -> Interval:
    # v (1 - v) = 1/4 - (v - 1/2)^2, without the dependency of v on itself.
    return (0.25 - (iv.sigmoid(h) - 0.5).square()).within(0.0, 0.25)


def _softsign_scale(h: Interval) -> Interval:
    return (1 + abs(h)).reciprocal()


def _gauss_first(h: Interval) -> Interval:
    return _TWO_OVER_ROOT_PI * iv.exp(-h.square())


def _gauss_second(h: Interval) -> Interval:
    # |h| e^{-h^2} <= e^{-1/2} e^{-h^2/2}, since |h| e^{-h^2/2} <= e^{-1/2}: this tail bound holds
    # everywhere, the product is sharper where h is finite; both hold, so their meet does.
    direct = 2 * abs(h) * _gauss_first(h)
    tail = 2 * _TWO_OVER_ROOT_PI * iv.exp(-0.5 * h.square() - 0.5)
    return direct.within(0.0, np.inf).within(-np.inf, tail.high)


def _constant(value: float) -> Extension:
    return lambda h: Interval(np.full_like(h.low, value), np.full_like(h.high, value))


_TWO_OVER_ROOT_PI = Interval(
    np.asarray(2 / math.sqrt(math.pi) * (1 - 4e-16)),
    np.asarray(2 / math.sqrt(math.pi) * (1 + 4e-16)),
)

_FORMS = {
    act.tanh.value_and_derivative: Form(
        iv.tanh, _tanh_first, lambda h: -2 * iv.tanh(h) * _tanh_first(h),
        "tanh' = 1/cosh^2 > 0", True, True,
    ),
    act.erf.value_and_derivative: Form(
        iv.erf, _gauss_first, _gauss_second, "erf' = (2/sqrt pi) exp(-h^2) > 0", True, True
    ),
    act.sigmoid.value_and_derivative: Form(
        iv.sigmoid, _sigmoid_first, lambda h: _sigmoid_first(h) * (1 - 2 * iv.sigmoid(h)),
        "sigmoid' = sigmoid (1 - sigmoid) > 0", True, True,
    ),
    act.softsign.value_and_derivative: Form(
        lambda h: 1 - _softsign_scale(h),  # of |phi|
        lambda h: _softsign_scale(h).square(),
        lambda h: 2 * _softsign_scale(h) * _softsign_scale(h).square(),  # of |phi''|
        "softsign' = (1 + |h|)^-2 > 0", True,
    ),
    act.sin.value_and_derivative: Form(
        iv.sin, iv.cos, iv.sin, None, True, True, "cos(pi/2) = 0"
    ),
    act.identity.value_and_derivative: Form(
        None, _constant(1.0), _constant(0.0), "the derivative is 1", True, False,
        "no bound",
    ),
    act.relu.value_and_derivative: Form(
        None, lambda h: Interval(np.zeros_like(h.low), np.ones_like(h.high)), None, None, False,
        False, "no bound for h > 0; relu' is 0 for h < 0 and jumps by 1 at h = 0",
    ),
}  # fmt: skip


def activation_form(activation: Activation) -> Form | None:
    """The form of a built-in activation, None for a user's own."""
    return _FORMS.get(activation.value_and_derivative)


@dataclass(frozen=True)
class LossForm:
    r"""$\partial_2\mathcal{L}$ and its derivative, as a function of one real number, on intervals.

    Attributes:
        gradient: None where it has no bound.
        slope: its derivative.
        scale: factor of the gradient (losses with a `delta` are taken in units of it).
        of: what the number is.
    """

    gradient: Extension | None
    slope: Extension
    scale: float
    of: str


def _pseudo_huber(u: Interval) -> Interval:
    return abs(u) * iv.sqrt(1 + u.square()).reciprocal()


def _cauchy_slope(u: Interval) -> Interval:
    # (1 - s) / (1 + s)^2 with s = u^2 is q (2 q - 1), q = 1/(1 + s)
    q = (1 + u.square()).reciprocal()
    return q * (2 * q - 1)


def _softmax_hessian(p: Interval) -> Interval:
    """Largest absolute row sum p (1 - p) + p sum of the others of diag(p) - p p^T: 2 p (1 - p)."""
    return 2 * (0.25 - (p.within(0, 1) - 0.5).square())


def loss_form(loss: Loss) -> LossForm | None:
    """The form of a built-in loss, None for a user's own (subclasses included)."""
    kind = type(loss)
    if isinstance(loss, losses.PseudoHuber) and kind is losses.PseudoHuber:
        return LossForm(
            # |u|/sqrt(1+u^2) as [0, inf]/... on an infinite box; its values are below 1.
            lambda u: _pseudo_huber(u).within(0.0, 1.0),
            lambda u: (1 + u.square()).reciprocal() * iv.sqrt(1 + u.square()).reciprocal(),
            loss.delta, "the residual over delta",
        )  # fmt: skip
    if isinstance(loss, losses.Cauchy) and kind is losses.Cauchy:
        return LossForm(_cauchy_gradient, _cauchy_slope, loss.delta, "the residual over delta")
    if kind is losses.LogCosh:
        return LossForm(iv.tanh, _tanh_first, 1.0, "the residual")
    if kind is losses.Logistic:
        return LossForm(iv.sigmoid, _sigmoid_first, 1.0, "minus the margin")
    if kind is losses.CrossEntropy:
        return LossForm(iv.sigmoid, lambda z: _softmax_hessian(iv.sigmoid(z)), 1.0,
                        "the log-odds of a class")  # fmt: skip
    if kind is losses.Squared:
        return LossForm(None, _constant(1.0), 1.0, "the residual")
    return None


def _cauchy_gradient(u: Interval) -> Interval:
    # |u| / (1 + u^2): directly, and at most 1/|u|, which an infinite box needs.
    direct = abs(u) * (1 + u.square()).reciprocal()
    with np.errstate(divide="ignore"):
        tail = np.nextafter(1 / abs(u).low, np.inf)
    return direct.within(0.0, np.inf).within(-np.inf, tail)

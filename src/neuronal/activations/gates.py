r"""$h\,F(h)$ with a distribution function F: GELU, of the normal law, and SiLU, of the logistic.

$F(h) + F(-h) = 1$, so that $\varphi(h) - \varphi(-h) = h$. Their derivatives are 0 at one place, left of 0.
"""

from __future__ import annotations

import math

import jax
import numpy as np
from jaxtyping import Array

from ..bounds import intervals as iv
from ..bounds.forms import ActivationForm
from ..bounds.intervals import Interval
from .base import Activation


def _gelu(h: Array) -> tuple[Array, Array]:
    below = jax.scipy.stats.norm.cdf(h)
    return h * below, below + h * jax.scipy.stats.norm.pdf(h)


def _silu(h: Array) -> tuple[Array, Array]:
    below = jax.nn.sigmoid(h)
    return h * below, below * (1 + h * (1 - below))


def _near(value: float) -> Interval:
    return Interval(np.asarray(value * (1 - 4e-16)), np.asarray(value * (1 + 4e-16)))


_OVER_ROOT_TWO, _OVER_ROOT_TWO_PI = _near(1 / math.sqrt(2)), _near(1 / math.sqrt(2 * math.pi))


def _density(h: Interval) -> Interval:
    return _OVER_ROOT_TWO_PI * iv.exp(-0.5 * h.square())


def _product(size: Interval, density: Interval, tail: Interval) -> Interval:
    """A growing size times a density, at most a tail: the product is sharper where both are finite."""
    return (size * density).within(0.0, np.inf).within(-np.inf, tail.high)


def _signed(h: Interval, product: Interval) -> Interval:
    """An even product with the sign of h."""
    low = np.where(h.low >= 0, product.low, -product.high)
    return Interval(low, np.where(h.high <= 0, -product.low, product.high))


def _gelu_first(h: Interval) -> Interval:
    # |h| e^{-h^2/4} <= sqrt(2) e^{-1/2}
    tail = (
        math.sqrt(2) * math.exp(-0.5) * (1 + 1e-15) * _OVER_ROOT_TWO_PI * iv.exp(-0.25 * h.square())
    )
    below = 0.5 * (1 + iv.erf(h * _OVER_ROOT_TWO))
    return below + _signed(h, _product(abs(h), _density(h), tail))


def _gelu_second(h: Interval) -> Interval:
    # (2 - h^2) times the density; h^2 e^{-h^2/4} <= 4/e
    tail = 4 / math.e * (1 + 1e-15) * _OVER_ROOT_TWO_PI * iv.exp(-0.25 * h.square())
    return 2 * _density(h) - _product(h.square(), _density(h), tail)


def _logistic(h: Interval) -> Interval:
    return (0.25 - (iv.sigmoid(h) - 0.5).square()).within(0.0, 0.25)


def _silu_first(h: Interval) -> Interval:
    # sigmoid' <= e^{-|h|}, and |h| e^{-|h|/2} <= 2/e
    tail = 2 / math.e * (1 + 1e-15) * iv.exp(-0.5 * abs(h))
    return iv.sigmoid(h) + _signed(h, _product(abs(h), _logistic(h), tail))


def _silu_second(h: Interval) -> Interval:
    # sigmoid' (2 - h tanh(h/2))
    tail = 2 / math.e * (1 + 1e-15) * iv.exp(-0.5 * abs(h))
    falling = _product(abs(h), _logistic(h), tail) * iv.tanh(0.5 * abs(h))
    return 2 * _logistic(h) - falling


_WHY_NOT = "no bound for h > 0, and the derivative is 0 once for h < 0"
_DENSE = "no polynomial: Leshno et al. 1993"

gelu = Activation(
    "gelu", _gelu, math.inf, 0.5 * (1 + math.erf(1)) + math.exp(-1) / math.sqrt(math.pi),
    math.sqrt(2 / math.pi), False,
    form=ActivationForm(
        _gelu, None, _gelu_first, _gelu_second, None, dense=_DENSE, spans="f = gelu(f) - gelu(-f)",
        why_not=_WHY_NOT,
    ),
)  # fmt: skip
# silu'' = 0 where h tanh(h/2) = 2, and there sigmoid' = (h^2 - 4) / (4 h^2).
_STEEPEST = 2.3993572805154676
silu = Activation(
    "silu", _silu, math.inf,
    1 / (1 + math.exp(-_STEEPEST)) + (_STEEPEST**2 - 4) / (4 * _STEEPEST), 0.5, False,
    form=ActivationForm(
        _silu, None, _silu_first, _silu_second, None, dense=_DENSE, spans="f = silu(f) - silu(-f)",
        why_not=_WHY_NOT,
    ),
)  # fmt: skip

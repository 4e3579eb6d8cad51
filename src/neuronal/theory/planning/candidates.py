r"""What networks of one depth cost, and what their limit and its fluctuations say of their risk.

One `Fluctuations` serves all widths, rates and batches: a network of width n, trained by $\epsilon$ for k
steps, has the mean risk $R(t) + \sum_i \frac{1}{n_i}(\dots) + \frac{\epsilon}{B}(\dots)$ at $t = k \epsilon$.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.stats import gamma

from ...errors import InaccuracyWarning
from ..fluctuations import Fluctuations

PER_WEIGHT = 6
"""Floating-point operations per weight and sample: two for each of forward pass, backward pass, velocity."""
_MOST_RATIO = 0.5
"""Of the expansion's second term to its first, where it is still trusted."""
_OF_STABLE = 0.5
"""The largest learning rate that is considered, of the one at which SGD departs from the limit."""


class Shape(NamedTuple):
    """A network's numbers of layers, of inputs and of outputs."""

    depth: int
    input_dim: int
    output_dim: int

    def weights(self, width: int) -> int:
        """How many there are with hidden layers of that width."""
        ends = (self.input_dim + self.output_dim) * width
        return ends + (self.depth - 2) * width**2

    def steps(self, width: int, batch_size: int, budget: float) -> int:
        """How many a budget of floating-point operations pays for."""
        return int(min(budget / (PER_WEIGHT * batch_size * self.weights(width)), 2**53))


class Choice(NamedTuple):
    """One width and rate, with the number of steps that serves them best.

    Attributes:
        risk: its expectation; NaN where nothing is expected, with all that follows.
        sd: of networks' risks around it, with what is not known of the expectation.
        flops: what training costs.
        end: what keeps it from more steps; empty where more would not serve.
        why: the reason for NaN.
    """

    steps: int
    risk: float
    sd: float
    flops: float
    end: str
    why: str


def choices(
    law: Fluctuations,
    shape: Shape,
    widths: Sequence[int],
    rates: Sequence[float],
    batch_size: int,
    budget: float,
) -> xr.Dataset:
    """The best number of steps of each width and rate, as variables along `width` and `learning_rate`."""
    found = [[_best(law, shape, n, eps, batch_size, budget) for eps in rates] for n in widths]
    dims = ("width", "learning_rate")
    return xr.Dataset(
        {
            name: (dims, [[choice[i] for choice in row] for row in found])
            for i, name in enumerate(Choice._fields)
        },
        {"width": list(widths), "learning_rate": list(rates)},
    )


def interval(risk: float, sd: float, level: float) -> tuple[float, float]:
    """Between which the risk lies with that probability, by the gamma law of its mean and deviation.

    The risk of a prediction that fluctuates is a quadratic form in normal variables, which has about that
    law (Satterthwaite 1946); where the deviation is small it is the normal one.
    """
    if sd == 0:
        return risk, risk
    shape, scale = (risk / sd) ** 2, sd**2 / risk
    low, high = gamma.ppf([(1 - level) / 2, (1 + level) / 2], shape, scale=scale)
    return float(low), float(high)


def _best(
    law: Fluctuations, shape: Shape, width: int, rate: float, batch_size: int, budget: float
) -> Choice:
    none = lambda why: Choice(0, np.nan, np.nan, np.nan, "", why)
    affordable = shape.steps(width, batch_size, budget)
    if affordable == 0:
        return none("budget")
    most = min(affordable, int(law.times[-1] / rate * (1 + 1e-6)))
    counts = np.unique((law.times / rate).round().clip(1, max(most, 1)))
    at = lambda of: np.interp(counts * rate, law.times, of)
    stable = (rate <= at(largest_rates(law, batch_size))) & (most > 0)
    if not stable[0]:
        return none("learning rate")
    mean, sd, ratio = map(at, _figures(law, width, rate, batch_size))
    fine = stable & (np.maximum.accumulate(ratio) <= _MOST_RATIO) & (mean > 0)
    if not fine[0]:
        return none("first order")
    best = int(np.argmin(np.where(fine, mean, np.inf)))
    flops = PER_WEIGHT * counts[best] * batch_size * shape.weights(width)
    if best + 1 == len(counts):
        end = "budget" if most == affordable else "until"
    elif fine[best + 1]:
        end = ""
    else:
        end = "first order" if stable[best + 1] else "learning rate"
    return Choice(int(counts[best]), float(mean[best]), float(sd[best]), float(flops), end, "")


def largest_rates(law: Fluctuations, batch_size: int) -> Float[np.ndarray, "T"]:
    """The largest learning rate that is considered, up to each time."""
    return _OF_STABLE * law.stable_rate(batch_size)


def _figures(
    law: Fluctuations, width: int, rate: float, batch_size: int
) -> tuple[Float[np.ndarray, "T"], Float[np.ndarray, "T"], Float[np.ndarray, "T"]]:
    """The mean risk, its deviation with what is not known of the mean, and the ratio of terms."""
    at = (width, rate, batch_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InaccuracyWarning)  # the error is in the deviation
        mean = law.risk_mean(*at)
    unknown = np.hypot(law.risk_mean_error(*at), law.risk_mean_remainder(*at))
    return mean, np.hypot(law.risk_sd(*at), unknown), law.term_ratio(*at)

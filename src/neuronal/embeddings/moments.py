r"""Sub-Gaussian size of random weights: $\|w\|_G = \sup_{m \ge 1} m^{-1/2}\,\mathbb{E}[|w|^m]^{1/m}$.

It is a norm. Of a standard normal z in d dimensions it is $\mathbb{E}|z|$, its value at m = 1: by
Minkowski $\mathbb{E}[|z|^m]^{1/m} \le \sqrt{d}\,\mathbb{E}[|z_1|^m]^{1/m}$ for $m \ge 2$, by
Stirling $m^{-1/2}\mathbb{E}[|z_1|^m]^{1/m} \le 2^{-1/2}$ there, and $\mathbb{E}|z| \ge \sqrt{d/2}$.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Array, Float
from scipy import special

from ..bounds.finding import MEASURED, UNKNOWN, Finding

_WIDTHS = (128, 512)
_MOMENTS = 16


def gaussian(dim: int) -> float:
    r"""$\|z\|_G = \mathbb{E}|z| = \sqrt 2\,\Gamma((d+1)/2) / \Gamma(d/2)$ for z ~ N(0, I_d)."""
    return math.sqrt(2) * math.exp(special.gammaln((dim + 1) / 2) - special.gammaln(dim / 2))


def sampled(values: Float[np.ndarray, "n"]) -> float:
    """The supremum over m = 1..16 of a sample's own moments."""
    size = np.abs(np.asarray(values, float))
    top = float(size.max())
    if top == 0 or not math.isfinite(top):
        return top
    m = np.arange(1, _MOMENTS + 1)
    powers = np.mean((size / top) ** m[:, None], axis=1)
    return float(np.max(top * powers ** (1 / m) / np.sqrt(m)))


def measured(weights_at: Callable[[int], Sequence[Array]]) -> list[Finding]:
    """Per layer the figure of a network of width 512, unknown if it grows with the width.

    Args:
        weights_at: the initial weights of a network of that width.
    """
    small, large = (_sizes(weights_at(n)) for n in _WIDTHS)
    findings = []
    for few, many in zip(small, large, strict=True):
        before, figure = sampled(few), sampled(many)
        how = f"of a network of width {_WIDTHS[1]}, m up to {_MOMENTS}"
        if not math.isfinite(figure) or figure > 1.5 * before:
            how += f"; it grows with the sample ({before:.3g} at width {_WIDTHS[0]})"
            findings.append(Finding(UNKNOWN, figure, how))
        else:
            findings.append(Finding(MEASURED, figure, how))
    return findings


def _sizes(weights: Sequence[Array]) -> list[Float[np.ndarray, "_"]]:
    """|w_i^0| over neurons: Euclidean over inputs and over outputs."""
    arrays = [np.asarray(w, float) for w in weights]
    first, *middle, last = arrays
    return [
        np.linalg.norm(first, axis=1),
        *(w.reshape(-1) for w in middle),
        np.linalg.norm(last, axis=1),
    ]

"""What an embedding of independent weights states of their laws, for the theorem on three layers."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..bounds.finding import PROVED, VIOLATED, Finding


class Independence(NamedTuple):
    r"""Laws $\rho^1, \rho^2, \rho^3$ of independent initial weights.

    Attributes:
        support: whether $\mathrm{supp}\,\rho^1 = \mathbb{R}^d$.
        bounded: whether $w_2^0$ and $w_3^0$ are bounded, as far as the limit sees them.
        last_nonzero: whether $w_3^0 \ne 0$ with a positive probability.
        last_mean: $\mathbb{E}[w_3^0]$.
    """

    support: Finding
    bounded: Finding
    last_nonzero: Finding
    last_mean: float


def of_normals(means: tuple[float, ...], stds: tuple[float, ...]) -> Independence:
    r"""Of $w_i^0 \sim N(\mu_i, \sigma_i^2)$.

    $w_2$ stands in averages over either of its neurons alone, which see $\mu_2$: the limit is that of
    $\rho^2 = \delta_{\mu_2}$, of which the theorem may be taken.
    """
    if stds[0] > 0:
        support = Finding(PROVED, "", f"N({means[0]:g}, {stds[0]:g}^2 I) has a density > 0")
    else:
        support = Finding(VIOLATED, "", "std = 0: one value alone")
    if stds[2] == 0:
        how = "w_3 is one number, and the limit sees the mean alone of w_2"
        bounded = Finding(PROVED, max(abs(means[1]), abs(means[2])), how)
    else:
        how = (
            "w_3 is normal: existence and coupling of the limit ask for its moments (1.1), the theorem, as "
            "stated, for a bound"
        )
        bounded = Finding(VIOLATED, math.inf, how)
    if stds[2] > 0 or means[2] != 0:
        nonzero = Finding(PROVED, 1.0, f"N({means[2]:g}, {stds[2]:g}^2) has no mass at 0")
    else:
        nonzero = Finding(VIOLATED, 0.0, "w_3 is 0")
    return Independence(support, bounded, nonzero, means[2])

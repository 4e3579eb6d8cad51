"""Singular values over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from .drawings import TIME, told
from .style import current, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def spectra(ax: Axes, times: Float[np.ndarray, "T"], values: Float[np.ndarray, "T r"]) -> Axes:
    """A line per singular value, the largest the darkest; those that are 0 are left out."""
    shown = np.where(values > 0, values, np.nan)
    count = values.shape[1]
    for r in range(count):
        label = f"$\\sigma_{{{r + 1}}}$" if r in (0, count - 1) else None
        ax.plot(
            times, shown[:, r], lw=1.5, color=shade(current(), count - 1 - r, count), label=label
        )
    ax.set(xlabel=TIME, ylabel="singular value", yscale="log")
    return told(ax)

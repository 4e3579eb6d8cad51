"""Points that move in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.collections import LineCollection

from .style import current, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def moving(ax: Axes, paths: Float[np.ndarray, "T n 2"], weights: Float[np.ndarray, "n"]) -> Axes:
    """Ways through the plane, hollow at the start and filled at the end, the larger the more weight."""
    sizes = 14.0 * weights / np.mean(weights)
    ways = LineCollection(list(np.swapaxes(paths, 0, 1)), colors=current().faint, lw=0.6, alpha=0.6)
    ax.add_collection(ways)
    begin, end = paths[0].T, paths[-1].T
    ax.scatter(
        *begin,
        s=sizes,
        facecolors="none",
        edgecolors=[shade(current(), 0, 2)],
        lw=0.7,
        label="start",
    )
    ax.scatter(*end, s=sizes, color=current().series[1], lw=0, label="end", zorder=3)
    ax.legend()
    return ax

"""Laws at some times, one above the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from .drawings import TIME
from .style import current, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HIGHEST = 1.7
"""Of a ridge, in distances between two."""


def ridges(
    ax: Axes,
    times: Float[np.ndarray, "T"],
    values: Float[np.ndarray, "T n"],
    weights: Float[np.ndarray, "T n"],
    bins: int = 64,
    name: str = "",
) -> Axes:
    """Weighted histograms of one scale, the first time at the bottom; each has the same area."""
    low, high = float(np.min(values)), float(np.max(values))
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    of_times = zip(values, weights, strict=True)
    density = [np.histogram(v, edges, weights=p, density=True)[0] for v, p in of_times]
    unit = _HIGHEST / max(float(np.max(density)), np.finfo(float).tiny)
    for place in reversed(range(len(times))):  # lower ones stand before higher ones
        heights = np.append(density[place], density[place][-1]) * unit
        color = shade(current(), place, len(times))
        depth = 2.0 + len(times) - place
        ax.fill_between(
            edges, place, place + heights, step="post", color=color, alpha=0.55, lw=0, zorder=depth
        )
        ax.step(edges, place + heights, where="post", color=color, lw=1.2, zorder=depth)
    ax.set_yticks(range(len(times)), [f"{t:.3g}" for t in times])
    ax.grid(False, axis="y")
    ax.set(xlabel=name, ylabel=TIME)
    return ax

"""Exponents with their intervals, a row per part of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = "osD^v"


def by_part(
    ax: Axes,
    names: Sequence[str],
    kinds: Mapping[str, Sequence[tuple[float, float, float]]],
    band: float,
) -> Axes:
    """Exponents of each part, of several kinds, about 0.

    Args:
        names: of the parts, from the top.
        kinds: per kind an exponent and its interval for each part; NaN where there is none.
        band: half the width of the band in which an exponent is taken for 0.
    """
    rows = np.arange(len(names))
    ax.axvspan(-band, band, color=LIGHT.faint, alpha=0.15, lw=0)
    ax.axvline(0, color=LIGHT.faint, lw=0.8)
    for i, (kind, rates) in enumerate(kinds.items()):
        slope, low, high = np.array(rates, float).T
        there = np.isfinite(slope)
        if not there.any():
            continue
        # One seed has no interval.
        lengths = np.nan_to_num(np.abs([slope - low, high - slope]), posinf=0.0)[:, there]
        at = rows[there] + 0.14 * (i - (len(kinds) - 1) / 2)
        ax.errorbar(
            slope[there], at, xerr=lengths, fmt=_MARKERS[i % len(_MARKERS)], ms=4.5, lw=1.2,
            color=LIGHT.series[i % len(LIGHT.series)], label=kind,
        )  # fmt: skip
    ax.set(xlabel="exponent in the width", yticks=rows, yticklabels=list(names))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.legend(fontsize=8)
    return ax

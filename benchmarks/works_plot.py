"""Claims of the works: how far each figure is from what is stated, in units of its tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from neuronal.pictures.style import Theme


def deviations(works: Mapping[str, Sequence[dict[str, Any]]], theme: Theme) -> Figure:
    """A line per work, a point per claim that states a value; inequalities are not drawn.

    Args:
        works: rows with `stated`, `figure`, `tolerance`, `relation` and `status`, by name.
    """
    figure = Figure(figsize=(7.0, 0.34 * len(works) + 1.0))
    axis = figure.subplots()
    axis.axvspan(-1, 1, color=theme.grid, lw=0)
    axis.axvline(0, color=theme.faint, lw=0.8)
    for place, rows in enumerate(works.values()):
        equal = [row for row in rows if row["relation"] == "=" and row["tolerance"] > 0]
        for row in equal:
            off = (row["figure"] - row["stated"]) / row["tolerance"]
            color = theme.series[0 if row["status"] == "measured" else 1]
            axis.plot(off, place, "o", color=color, ms=6, mec="white", mew=0.7)
    axis.set_yticks(range(len(works)), list(works))
    axis.invert_yaxis()
    axis.set_xlim(-1.6, 1.6)
    axis.grid(False)
    axis.set_xlabel("(figure - stated) / tolerance")
    return figure

"""Risk against learning rate at many widths and depths: where the best rate stays, and where it moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from neuronal.pictures.style import Theme, shade

TITLES = {"ours": "mean-field", "standard": "standard parametrisation", "mup": "µP"}


def risks_by_rate(points: Sequence[dict[str, Any]], theme: Theme, width: int) -> Figure:
    """A panel per kind of network, the upper row over widths, the lower over depths.

    Args:
        points: with `kind`, `width`, `depth`, `rates (R,)`, `risks (R, seeds)` and `best`; those of
            `width` are the scan over depths.
    """
    kinds = list(dict.fromkeys(point["kind"] for point in points))
    figure = Figure(figsize=(3.1 * len(kinds) + 1.1, 5.6))
    axes = figure.subplots(2, len(kinds), sharex="col", sharey="row", squeeze=False)
    for i, varied in enumerate(("width", "depth")):
        scanned = [p for p in points if (p["width"] == width) == (varied == "depth")]
        sizes = sorted({point[varied] for point in scanned})
        lines = {}
        for j, kind in enumerate(kinds):
            axis = axes[i][j]
            for point in (p for p in scanned if p["kind"] == kind):
                order = np.argsort(point["rates"])
                rates = np.asarray(point["rates"])[order]
                logs = np.log([point["risks"][o] for o in order])
                risks = np.exp(logs.mean(axis=1))
                shown = np.isfinite(risks)
                color = shade(theme, sizes.index(point[varied]), len(sizes))
                (line,) = axis.plot(rates[shown], risks[shown], color=color, lw=1.8)
                lines[f"${'n' if varied == 'width' else 'L'} = {point[varied]}$"] = line
                axis.plot(
                    point["best"], point["risk"], "o", color=color, ms=6, mec="white", mew=0.8
                )
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
            axis.grid(True, which="major", axis="both")
            if i == 0:
                axis.set_title(TITLES.get(kind, kind))
            else:
                axis.set_xlabel(r"learning rate $\epsilon$")
            if j == 0:
                axis.set_ylabel("excess risk")
        axes[i][-1].legend(
            list(lines.values()),
            list(lines),
            loc="center left",
            bbox_to_anchor=(1.02, 0.5),
            handlelength=1.4,
        )
    return figure

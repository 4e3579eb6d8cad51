"""Curves that stand behind a row, kept as numbers, and the one place that draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..pictures.style import Theme

LINE, DASHED, POINTS = "line", "dashed", "points"
_DIGITS = 5


@dataclass(frozen=True)
class Curve:
    """Some points of a panel, in order.

    Attributes:
        name: in the legend; none if empty.
        x, y: the points.
        look: ``line`` of what the package computed, ``dashed`` of what it is compared with, or ``points``.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    look: str = LINE


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: plain words above it; `across`, `up`: along its axes, formulas between dollars.
        curves: what it shows.
        logs: the axes that are logarithmic, of ``xy``.
    """

    title: str
    across: str
    up: str
    curves: tuple[Curve, ...]
    logs: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The panel as JSON holds it."""
        return asdict(self)

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> Panel:
        """The panel of `as_dict`, or of what JSON made of that."""
        curves = tuple(
            Curve(c["name"], tuple(c["x"]), tuple(c["y"]), c["look"]) for c in content["curves"]
        )
        return Panel(**{**content, "curves": curves})


def curve(name: str, x: ArrayLike, y: ArrayLike, look: str = LINE) -> Curve:
    """A curve of arrays, to five digits."""
    x, y = (np.asarray(values, float).ravel() for values in (x, y))
    kept = lambda values: tuple(float(f"{v:.{_DIGITS}g}") for v in values)
    return Curve(name, kept(x), kept(y), look)


def power_law(
    title: str,
    across: str,
    up: str,
    at: Sequence[float],
    distances: Mapping[str, ArrayLike],
    power: float,
) -> Panel:
    """Root mean squares over seeds of distances `(V, S)`, and beside each its power law, dashed."""
    curves = []
    for name, of in distances.items():
        middle = np.sqrt(np.mean(np.square(of), axis=-1))
        curves.append(curve(name, at, middle, POINTS))
        # Through the points' centre, so that no end is favoured.
        centre = np.exp(np.mean(np.log(middle) - power * np.log(at)))
        told = f"power {power:g}" if len(curves) == 1 else ""
        curves.append(curve(told, at, centre * np.asarray(at, float) ** power, DASHED))
    return Panel(title, across, up, tuple(curves), "xy")


def drawn(panels: Sequence[Panel], theme: Theme) -> Figure:
    """The panels side by side, three in a row at most."""
    from matplotlib.figure import Figure

    columns = min(2 if len(panels) in (2, 4) else 3, len(panels), theme.columns)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.9 * rows))
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        _on(axis, panel, theme)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    return figure


def _on(axis: Axes, panel: Panel, theme: Theme) -> None:
    place = 0
    for of in panel.curves:
        # What is dashed has the colour of what it stands beside, the one before it.
        color = theme.series[max(place - (of.look == DASHED), 0) % len(theme.series)]
        how: dict[str, Any] = {
            LINE: {"lw": 1.8},
            DASHED: {"lw": 1.3, "ls": "--"},
            POINTS: {"lw": 0, "marker": "o", "ms": 4.5},
        }[of.look]
        axis.plot(of.x, of.y, color=color, label=of.name or None, **how)
        place += of.look != DASHED
    if "x" in panel.logs:
        axis.set_xscale("log")
        run = [of for of in panel.curves if of.look == POINTS] or panel.curves
        ticks = sorted({x for of in run for x in of.x})
        if len(ticks) <= 6:  # widths or rates: those that were run
            axis.set_xticks(ticks, [f"{v:g}" for v in ticks])
            axis.set_xticks([], minor=True)
    if "y" in panel.logs:
        axis.set_yscale("log")
    axis.set(title=panel.title, xlabel=panel.across, ylabel=panel.up)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=8.5)

"""What the figures of a page share: panels per system, labels, a legend for all panels, the axis of time."""

from __future__ import annotations

import tomllib
from collections.abc import Collection

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..pictures.drawings import TIME, Range
from ..pictures.style import Theme, plain

WIDTHS = {1: 5.6, 2: 7.6, 3: 9.4}
"""Width of a figure in inches, by its columns."""
NARROW = 3.75
"""Of one for telephones."""
HEIGHT = 2.5
_ENTRY = 1.3
"""Width that an entry of a legend takes at least, in inches."""
_CHARACTER = 0.065
"""Width of a character of it."""

Panels = list[tuple[int, Axes]]


def panels(data: xr.Dataset, theme: Theme) -> tuple[Figure, Panels]:
    """A figure with one panel per system, named by it, axes shared."""
    count = data.sizes["system"]
    columns = min(count, theme.columns)
    rows = -(-count // columns)
    figure = Figure(figsize=(width(theme, columns), rows * HEIGHT + 0.4))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis in grid[count:]:
        axis.set_visible(False)
    axes = list(enumerate(grid[:count]))
    for i, axis in axes:
        axis.set_title(plain(data.system.values[i]))
    return figure, axes


def single(theme: Theme) -> tuple[Figure, Axes]:
    """A figure of one panel."""
    figure = Figure(figsize=(6.4 if theme.columns > 1 else NARROW, 3.5))
    return figure, figure.add_subplot()


def width(theme: Theme, columns: int) -> float:
    """Of a figure with so many panels side by side, in inches."""
    return WIDTHS[columns] if theme.columns > 1 else NARROW


def labels(axes: Panels, label: str, theme: Theme, below: str = TIME) -> None:
    """The label on the left of the left panels, `below` under the lowest, and nowhere else."""
    columns = min(len(axes), theme.columns)
    for i, axis in axes:
        axis.set_ylabel(label if i % columns == 0 else "")
        lowest = i + columns >= len(axes)
        axis.set_xlabel(below if lowest else "")
        axis.tick_params(labelbottom=lowest)


def legend(figure: Figure, title: str = "", first: Collection[str] = ("limit",)) -> None:
    """One legend above all panels, of all that has a name in any of them, in place of their own.

    Args:
        first: names that come before the others.
    """
    found: dict[str, Artist] = {}
    for axis in figure.axes:
        own = axis.get_legend()
        if own is not None:
            own.remove()
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    names = sorted(found, key=lambda name: name not in first)
    if not names:
        return
    entry = max(_ENTRY, _CHARACTER * max(map(len, names)) + 0.5)
    columns = min(len(names), max(1, int(figure.get_figwidth() / entry)))
    columns = -(-len(names) // -(-len(names) // columns))
    # Matplotlib fills a legend column by column; these are to be read row by row.
    order = [names[i] for c in range(columns) for i in range(c, len(names), columns)]
    figure.legend(
        handles=[found[name] for name in order], labels=order, loc="outside upper center",
        ncols=columns, handlelength=1.8, columnspacing=1.6, title=title or None, title_fontsize=10,
    )  # fmt: skip


def time_axis(axis: Axes, data: xr.Dataset) -> None:
    """MF time below, spaced as the run records it."""
    t = data.time.values
    if tomllib.loads(data.attrs["configuration"])["run"]["spacing"] == "log":
        axis.set_xscale("log")
        axis.set_xlim(t[1], t[-1])
    else:
        linear_time(axis, float(t[-1]))


def linear_time(axis: Axes, end: float) -> None:
    """MF time below, from 0, with few ticks."""
    axis.set_xlim(0, end)
    axis.xaxis.set_major_locator(MaxNLocator(5))


def over_seeds(runs: np.ndarray) -> Range:
    """The median and the range over seeds of `(seeds, T)`, of those that are there."""
    known = np.isfinite(runs).any(axis=0)
    found = np.full((3, runs.shape[1]), np.nan)
    if known.any():
        of = runs[:, known]
        found[:, known] = np.nanmedian(of, axis=0), np.nanmin(of, axis=0), np.nanmax(of, axis=0)
    return Range(*found)

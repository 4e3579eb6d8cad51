"""The figures of a run, each a function of its dataset (`results.nc`) and a theme."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..pictures.style import Theme, plain, shade

_COLUMNS = 3
_WIDTHS = {1: 5.6, 2: 7.6, 3: 9.4}
"""Width of a figure in inches, by its columns."""
_HEIGHT = 2.5
_ENTRY = 1.3
"""Width that an entry of a legend takes, in inches."""
_TIME = "mean-field time $t$"


def risk(data: xr.Dataset, theme: Theme) -> Figure:
    """Risk against MF time, a panel per system, with the infimum and the best constant."""
    figure, axes = panels(data)
    for i, axis in axes:
        _series(axis, data, theme, i, "risk")
        axis.axhline(float(data.constant_risk), color=theme.faint, lw=1.3, ls=":", zorder=1.5)
        if "infimum" in data:
            axis.axhline(float(data.infimum), color=theme.line, lw=1.4, ls="--", zorder=1.5)
    top = max(float(data.constant_risk), _starts(data))
    low = float(data.infimum) if "infimum" in data else 0.0
    for _, axis in axes:
        axis.set_ylim(low - 0.05 * (top - low), top * 1.12 - 0.12 * low)
    labels(axes, data, "risk")
    legend(figure, data, theme, lines=("infimum", "constant"))
    return figure


def excess(data: xr.Dataset, theme: Theme) -> Figure:
    """Risk above the infimum on a logarithmic axis, a panel per system."""
    figure, axes = panels(data)
    infimum = float(data.infimum)
    for i, axis in axes:
        _series(axis, data, theme, i, "risk", lambda v: np.where(v > infimum, v - infimum, np.nan))
        axis.set_yscale("log")
        axis.axhline(
            float(data.constant_risk) - infimum, color=theme.faint, lw=1.3, ls=":", zorder=1.5
        )
    labels(axes, data, "risk above the infimum")
    legend(figure, data, theme, lines=("constant",))
    return figure


def limits(data: xr.Dataset, theme: Theme) -> Figure:
    """The limits of all systems on one axis."""
    figure = Figure(figsize=(6.4, 3.3))
    axis = figure.add_subplot()
    infimum = float(data.infimum) if "infimum" in data else 0.0
    for i, label in enumerate(data.system.values):
        t, values = _finite(data.time.values, data.limit_risk.values[i] - infimum)
        color = theme.series[i % len(theme.series)]
        axis.plot(t, np.where(values > 0, values, np.nan), color=color, lw=2, label=plain(label))
    axis.set_yscale("log")
    time_axis(axis, data)
    axis.set_xlabel(_TIME)
    axis.set_ylabel("risk above the infimum" if infimum or "infimum" in data else "risk")
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=1.6)
    return figure


def accuracy(data: xr.Dataset, theme: Theme) -> Figure:
    """Test accuracy against MF time, a panel per system."""
    figure, axes = panels(data)
    for i, axis in axes:
        _series(axis, data, theme, i, "test_accuracy", lambda v: 100 * v)
    labels(axes, data, "test accuracy (%)")
    legend(figure, data, theme)
    return figure


def test_risk(data: xr.Dataset, theme: Theme) -> Figure:
    """Loss on the held-out part against MF time, a panel per system."""
    figure, axes = panels(data)
    for i, axis in axes:
        _series(axis, data, theme, i, "test_risk")
    labels(axes, data, "test risk")
    legend(figure, data, theme)
    return figure


def predictions(data: xr.Dataset, theme: Theme) -> Figure:
    """What limit and networks predict at the end, over the inputs of a 1-D problem."""
    figure, axes = panels(data)
    x = data.x.values
    for i, axis in axes:
        if "prediction" in data:
            for j in range(data.sizes["width"]):
                color = shade(theme, j, data.sizes["width"])
                for values in data.prediction.values[i, j]:
                    axis.plot(x, values, color=color, lw=1.1, alpha=0.9, zorder=2)
        if "limit_prediction" in data:
            axis.plot(x, data.limit_prediction.values[i], color=theme.limit, lw=2.2, zorder=3)
        axis.plot(x, data.target.values, color=theme.line, lw=1.4, ls="--", zorder=4)
        axis.set_xlabel("$x$")
        axis.set_title(plain(data.system.values[i]))
    axes[0][1].set_ylabel("prediction at the end")
    legend(figure, data, theme, lines=("target",))
    return figure


def escape(data: xr.Dataset, theme: Theme) -> Figure:
    """MF time at which the excess risk has halved, against width; a cross where it never did."""
    figure = Figure(figsize=(6.4, 3.3))
    axis = figure.add_subplot()
    widths = data.width.values
    times = half_times(data)
    for i, label in enumerate(data.system.values):
        color = theme.series[i % len(theme.series)]
        middle = np.median(times[i], axis=1)
        axis.plot(widths, middle, color=color, lw=1.8, marker="o", ms=5, label=plain(label))
        for seeds, width in zip(times[i], widths, strict=True):
            axis.plot([width] * len(seeds), seeds, ls="", marker="o", ms=3, color=color, alpha=0.5)
        never = widths[~np.isfinite(middle)]
        top = float(data.time.values[-1]) * 1.12
        axis.plot(never, [top] * len(never), ls="", marker="x", ms=6, mew=1.6, color=color)
    axis.axhline(float(data.time.values[-1]), color=theme.faint, lw=1.3, ls=":")
    axis.annotate(
        "end of the run", (1, float(data.time.values[-1])), xycoords=("axes fraction", "data"),
        xytext=(0, -3), textcoords="offset points", ha="right", va="top", fontsize=9, color=theme.faint,
    )  # fmt: skip
    axis.set_xscale("log", base=2)
    axis.set_xticks(widths, [str(n) for n in widths])
    axis.set_yscale("log")
    axis.minorticks_off()
    axis.set_xlabel("width $n$")
    axis.set_ylabel("MF time to half the excess risk")
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=1.6)
    return figure


def half_times(data: xr.Dataset, variable: str = "risk") -> Float[np.ndarray, "..."]:
    """MF time at which the risk first is half-way from its start to the infimum, inf if never.

    Interpolated between records; the infimum is taken as 0 where it is not known.
    """
    values, t = data[variable].values, data.time.values
    infimum = float(data.infimum) if "infimum" in data else 0.0
    result = np.full(values.shape[:-1], np.inf)
    for place in np.ndindex(result.shape):
        curve = values[place] - infimum
        below = np.flatnonzero(curve <= curve[0] / 2)
        if below.size and below[0] > 0:
            k = below[0]
            share = (curve[k - 1] - curve[0] / 2) / (curve[k - 1] - curve[k])
            result[place] = t[k - 1] + share * (t[k] - t[k - 1])
    return result


def _series(
    axis: Axes,
    data: xr.Dataset,
    theme: Theme,
    system: int,
    name: str,
    view: Callable[[np.ndarray], np.ndarray] = lambda v: v,
) -> None:
    """Median over seeds and the range between them, for each width; the limit on top."""
    if name in data:
        count = data.sizes["width"]
        for j in range(count):
            color = shade(theme, j, count)
            runs = view(data[name].values[system, j])
            if len(runs) > 1:
                low, high = np.nanmin(runs, axis=0), np.nanmax(runs, axis=0)
                axis.fill_between(
                    data.time.values, low, high, color=color, alpha=0.22, lw=0, zorder=2
                )
            middle = np.nanmedian(runs, axis=0)
            axis.plot(data.time.values, middle, color=color, lw=1.4, zorder=2.5)
    if f"limit_{name}" in data:
        t, values = _finite(data.time.values, view(data[f"limit_{name}"].values[system]))
        axis.plot(t, values, color=theme.limit, lw=2.3, zorder=3)
    axis.set_title(plain(data.system.values[system]))
    time_axis(axis, data)


def panels(data: xr.Dataset) -> tuple[Figure, list[tuple[int, Axes]]]:
    """A figure with one panel per system, axes shared."""
    count = data.sizes["system"]
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(_WIDTHS[columns], rows * _HEIGHT + 0.4))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis in grid[count:]:
        axis.set_visible(False)
    return figure, list(enumerate(grid[:count]))


def labels(axes: list[tuple[int, Axes]], data: xr.Dataset, label: str, below: str = _TIME) -> None:
    """The label on the left of the left panels, `below` under the lowest."""
    columns = min(data.sizes["system"], _COLUMNS)
    for i, axis in axes:
        if i % columns == 0:
            axis.set_ylabel(label)
        if i + columns >= len(axes):
            axis.set_xlabel(below)
            axis.tick_params(labelbottom=True)


def legend(
    figure: Figure,
    data: xr.Dataset,
    theme: Theme,
    lines: tuple[str, ...] = (),
    limit: bool | None = None,
) -> None:
    """Entries for the limit (where the data have one, unless told), the widths and the lines named."""
    if limit is None:
        limit = any(str(name).startswith("limit_") for name in data.data_vars)

    def entry(label: str, **style: Any) -> Line2D:
        return Line2D([], [], label=label, **style)

    handles = []
    if limit:
        handles.append(entry("limit", color=theme.limit, lw=2.3))
    if "width" in data.sizes:
        for j, width in enumerate(data.width.values):
            handles.append(
                entry(f"$n = {width}$", color=shade(theme, j, data.sizes["width"]), lw=1.6)
            )
    if "infimum" in lines and "infimum" in data:
        handles.append(entry("infimum of the risk", color=theme.line, lw=1.4, ls="--"))
    if "constant" in lines:
        handles.append(entry("best constant", color=theme.faint, lw=1.3, ls=":"))
    if "target" in lines:
        handles.append(entry("target", color=theme.line, lw=1.4, ls="--"))
    rows = -(-len(handles) // int(figure.get_figwidth() / _ENTRY))
    columns = -(-len(handles) // rows)
    # Matplotlib fills a legend column by column; these are to be read row by row.
    order = [i for c in range(columns) for i in range(c, len(handles), columns)]
    figure.legend(
        handles=[handles[i] for i in order], loc="outside upper center", ncols=columns,
        handlelength=1.8, columnspacing=1.6,
    )  # fmt: skip


def time_axis(axis: Axes, data: xr.Dataset) -> None:
    """MF time below, spaced as the run records it."""
    t = data.time.values
    if tomllib.loads(data.attrs["configuration"])["run"]["spacing"] == "log":
        axis.set_xscale("log")
        axis.set_xlim(t[1], t[-1])
    else:
        axis.set_xlim(0, t[-1])
        axis.xaxis.set_major_locator(MaxNLocator(5))


def _finite(t: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without what the run did not reach."""
    reached = np.isfinite(values)
    return t[reached], values[reached]


def _starts(data: xr.Dataset) -> float:
    """The largest risk at t = 0."""
    starts = [data[n].values[..., 0].max() for n in ("risk", "limit_risk") if n in data]
    return float(max(starts))

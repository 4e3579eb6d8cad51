"""The figures of a run, each a function of its dataset (`results.nc`) and a theme."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..pictures import drawings
from ..pictures.style import Theme, plain, shade
from .sheets import HEIGHT, labels, legend, over_seeds, panels, single, time_axis, width

_LEFT = 10.0
"""Times the largest risk at the start, above which a run has left what a linear axis shows."""
View = Callable[[np.ndarray], np.ndarray]


def risk(data: xr.Dataset, theme: Theme) -> Figure:
    """Risk against MF time, a panel per system, with the infimum and the best constant."""
    figure, axes = panels(data, theme)
    for i, axis in axes:
        _series(axis, data, theme, i, "risk")
        if "constant_risk" in data:
            constant = float(data.constant_risk)
            drawings.level(axis, constant, "best constant", theme.faint, ":")
        if "infimum" in data:
            drawings.level(axis, float(data.infimum), "infimum of the risk", theme.line)
    risks = [data[name].values for name in ("risk", "limit_risk") if name in data]
    top = float(max(np.nanmax(of[..., 0]) for of in risks))
    if "constant_risk" in data:
        top = max(top, float(data.constant_risk))
    low = float(data.infimum) if "infimum" in data else 0.0
    leaves = max(np.nanmax(of) for of in risks) > _LEFT * top
    for _, axis in axes:
        if leaves:
            axis.set_yscale("log")
        else:
            axis.set_ylim(low - 0.05 * (top - low), top * 1.12 - 0.12 * low)
    labels(axes, "risk", theme)
    legend(figure)
    return figure


def excess(data: xr.Dataset, theme: Theme) -> Figure:
    """Risk above the infimum on a logarithmic axis, a panel per system."""
    figure, axes = panels(data, theme)
    infimum = float(data.infimum)
    for i, axis in axes:
        _series(axis, data, theme, i, "risk", lambda v: np.where(v > infimum, v - infimum, np.nan))
        axis.set_yscale("log")
        constant = float(data.constant_risk) - infimum
        drawings.level(axis, constant, "best constant", theme.faint, ":")
    labels(axes, "risk above the infimum", theme)
    legend(figure)
    return figure


def limits(data: xr.Dataset, theme: Theme) -> Figure:
    """The limits of all systems on one axis."""
    figure, axis = single(theme)
    infimum = float(data.infimum) if "infimum" in data else 0.0
    for i, label in enumerate(data.system.values):
        above = data.limit_risk.values[i] - infimum
        color = theme.series[i % len(theme.series)]
        values = np.where(above > 0, above, np.nan)
        drawings.risk(axis, data.time.values, values, color=color, lw=2, label=plain(label))
    axis.set_yscale("log")
    time_axis(axis, data)
    axis.set_ylabel("risk above the infimum" if "infimum" in data else "risk")
    legend(figure)
    return figure


def difference(data: xr.Dataset, theme: Theme) -> Figure:
    """Risk of networks less that of their limit over time; below, its largest size against the width."""
    sizes = data.sizes["width"] > 1
    count = data.sizes["system"]
    columns = min(count, theme.columns)
    blocks, each = -(-count // columns), 1 + sizes
    figure = Figure(figsize=(width(theme, columns), blocks * each * HEIGHT + 0.4))
    grid = figure.add_gridspec(blocks * each, columns)
    over_time: list[Axes] = []
    by_width: list[Axes] = []
    off = differences(data)
    for i in range(count):
        block, column = divmod(i, columns)
        top = figure.add_subplot(
            grid[block * each, column], sharey=over_time[0] if over_time else None
        )
        of_widths = {int(n): over_seeds(off[i, j]) for j, n in enumerate(data.width.values)}
        drawings.bands(top, data.time.values, None, of_widths, "")
        top.axhline(0.0, color=theme.limit, lw=1.2, label="limit", zorder=1.5)
        top.set_title(plain(data.system.values[i]))
        time_axis(top, data)
        over_time.append(top)
        if not sizes:
            continue
        below = figure.add_subplot(
            grid[block * each + 1, column], sharey=by_width[0] if by_width else None
        )
        largest = _largest(off[i])
        known = np.isfinite(largest).all(axis=1) & (largest > 0).any(axis=1)
        if known.any():
            color, words = theme.series[1], "largest difference"
            at, of = data.width.values[known], largest[known]
            drawings.powers(below, at, of, -0.5, words, color)
        below.set_visible(bool(known.any()))
        below.set_xlabel("width $n$")
        by_width.append(below)
    for axes, label in ((over_time, "risk less the limit's"), (by_width, "largest size")):
        for i, axis in enumerate(axes):
            axis.set_ylabel(label if i % columns == 0 else "")
    legend(figure)
    return figure


def differences(data: xr.Dataset) -> Float[np.ndarray, "systems widths seeds T"]:
    """Risks of networks less those of their limits; NaN where either is not known."""
    return data.risk.values - data.limit_risk.values[:, None, None, :]


def accuracy(data: xr.Dataset, theme: Theme) -> Figure:
    """Test accuracy against MF time, a panel per system."""
    figure, axes = panels(data, theme)
    for i, axis in axes:
        _series(axis, data, theme, i, "test_accuracy", lambda v: 100 * v)
    labels(axes, "test accuracy (%)", theme)
    legend(figure)
    return figure


def test_risk(data: xr.Dataset, theme: Theme) -> Figure:
    """Loss on the held-out part against MF time, a panel per system."""
    figure, axes = panels(data, theme)
    for i, axis in axes:
        _series(axis, data, theme, i, "test_risk")
    labels(axes, "test risk", theme)
    legend(figure)
    return figure


def predictions(data: xr.Dataset, theme: Theme) -> Figure:
    """What limit and networks predict at the end, over the inputs of a 1-D problem."""
    figure, axes = panels(data, theme)
    x = data.x.values
    for i, axis in axes:
        if "prediction" in data:
            for j, n in enumerate(data.width.values):
                how = {"color": shade(theme, j, data.sizes["width"]), "lw": 1.1, "zorder": 2}
                of = data.prediction.values[i, j].T
                drawings.curve(axis, x, of, label=f"$n = {n}$", **how)
        if "limit_prediction" in data:
            of = data.limit_prediction.values[i][:, None]
            drawings.curve(axis, x, of, label="limit", color=theme.limit, lw=2.2, zorder=3)
        of = data.target.values[:, None]
        how = {"color": theme.line, "lw": 1.4, "ls": "--", "zorder": 4}
        drawings.curve(axis, x, of, label="target", **how)
    labels(axes, "prediction at the end", theme, "$x$")
    legend(figure)
    return figure


def escape(data: xr.Dataset, theme: Theme) -> Figure:
    """MF time at which the excess risk has halved, against width; a cross where it never did."""
    figure, axis = single(theme)
    widths = data.width.values
    times = half_times(data)
    end = float(data.time.values[-1])
    for i, label in enumerate(data.system.values):
        color = theme.series[i % len(theme.series)]
        middle = np.median(times[i], axis=1)
        axis.plot(widths, middle, color=color, lw=1.8, marker="o", ms=5, label=plain(label))
        axis.plot(widths, times[i], ls="", marker="o", ms=2.5, color=color)
        never = widths[~np.isfinite(middle)]
        axis.plot(never, [end * 1.12] * len(never), ls="", marker="x", ms=6, mew=1.6, color=color)
    axis.axhline(end, color=theme.faint, lw=1.3, ls=":")
    axis.annotate(
        "end of the run", (1, end), xycoords=("axes fraction", "data"), xytext=(0, -3),
        textcoords="offset points", ha="right", va="top", fontsize=9, color=theme.faint,
    )  # fmt: skip
    axis.set_xscale("log", base=2)
    axis.set_xticks(widths, [str(n) for n in widths])
    axis.set_yscale("log")
    axis.minorticks_off()
    axis.set_xlabel("width $n$")
    axis.set_ylabel("MF time to half the excess risk")
    legend(figure)
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
    axis: Axes, data: xr.Dataset, theme: Theme, system: int, name: str, view: View = lambda v: v
) -> None:
    """Median over seeds and the range between them, for each width; the limit on top."""
    of_widths = {}
    if name in data:
        runs = view(data[name].values[system])
        of_widths = {int(n): over_seeds(runs[j]) for j, n in enumerate(data.width.values)}
    limit = None
    if f"limit_{name}" in data:
        limit = view(data[f"limit_{name}"].values[system])
    drawings.bands(axis, data.time.values, limit, of_widths)
    time_axis(axis, data)


def _largest(off: Float[np.ndarray, "widths seeds T"]) -> Float[np.ndarray, "widths seeds"]:
    """The largest size over times; NaN where nothing is known."""
    sizes = np.where(np.isfinite(off), np.abs(off), -np.inf).max(axis=-1)
    return np.where(np.isfinite(sizes), sizes, np.nan)

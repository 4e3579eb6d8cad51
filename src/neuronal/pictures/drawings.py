"""Drawings on Matplotlib's axes, of plain arrays; the things that have a `plot` hand them over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from matplotlib import rcParams

from .style import LIGHT, current, plain, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TIME = "mean-field time $t$"
STATUS = {"proved": "#0b7a4b", "measured": "#2f6fb0", "unknown": "#6b7280", "violated": "#c2410c"}
_ON_DARK = {"proved": "#4ade9b", "measured": "#7db4f0", "unknown": "#9aa1ae", "violated": "#fb923c"}
_QUANTILES = ((0.05, 0.95), (0.25, 0.75))


def on(ax: Axes | None, figsize: tuple[float, float] = (5.0, 3.1)) -> Axes:
    """The axes given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=figsize, layout="constrained")[1]


def risk(
    ax: Axes, times: Float[np.ndarray, "T"], values: Float[np.ndarray, "T"], **line: Any
) -> Axes:
    """Risk against MF time, on a logarithmic axis where it is positive."""
    how: dict[str, Any] = {"lw": 1.8, **line}
    ax.plot(times, values, **how)
    if np.all(np.asarray(values) > 0) and ax.get_yscale() == "linear":
        ax.set_yscale("log")
    ax.set(xlabel=TIME, ylabel="risk")
    return told(ax)


def curve(
    ax: Axes, x: Float[np.ndarray, "m"], values: Float[np.ndarray, "m k"], **line: Any
) -> Axes:
    """Predictions over one coordinate."""
    order = np.argsort(x)
    for j in range(values.shape[1]):
        how: dict[str, Any] = {"lw": 1.8, **line, "label": line.get("label") if j == 0 else None}
        ax.plot(x[order], values[order, j], **how)
    ax.set(xlabel="$x$", ylabel=r"$\hat y(x)$")
    return told(ax)


def laws(
    ax: Axes, times: Float[np.ndarray, "T"], values: Float[np.ndarray, "T n"],
    weights: Float[np.ndarray, "n"] | Float[np.ndarray, "T n"], color: str | None = None, name: str = "",
) -> Axes:  # fmt: skip
    """A law over time: its median, and the ranges that hold a half and nine tenths of it."""
    color = color or current().series[0]
    order = np.argsort(values, axis=1)
    ranked = np.take_along_axis(values, order, axis=1)
    of_ranked = np.take_along_axis(np.broadcast_to(weights, values.shape), order, axis=1)
    mass = np.cumsum(of_ranked, axis=1) - of_ranked / 2
    at = lambda q: np.array([np.interp(q, m, v) for m, v in zip(mass, ranked, strict=True)])
    for alpha, (low, high) in zip((0.18, 0.34), _QUANTILES, strict=True):
        ax.fill_between(times, at(low), at(high), color=color, alpha=alpha, lw=0)
    ax.plot(times, at(0.5), color=color, lw=1.8, label=name or None)
    ax.set(xlabel=TIME, ylabel=name)
    return ax


def powers(
    ax: Axes,
    at: Float[np.ndarray, "V"],
    distances: Float[np.ndarray, "V S"],
    power: float,
    label: str = "",
    color: str | None = None,
) -> Axes:
    """Distances of seeds against what they fall with, their root mean square, and a power beside it."""
    color = color or current().series[0]
    middle = np.sqrt(np.mean(np.square(distances), axis=1))
    ax.loglog(at, distances, "o", ms=3, mew=0, color=color, alpha=0.35)
    ax.loglog(at, middle, "o-", lw=1.8, ms=4.5, color=color, label=label or "root mean square")
    ax.loglog(
        at,
        middle[0] * (at / at[0]) ** power,
        ":",
        lw=1.3,
        color=current().faint,
        label=f"power {power:g}",
    )
    ax.set_xticks(at, [f"{v:g}" for v in at])
    ax.set_xticks([], minor=True)
    return told(ax)


def proportional(
    ax: Axes,
    at: Float[np.ndarray, "V"],
    distances: Float[np.ndarray, "V S"],
    power: float,
    label: str = "",
    color: str | None = None,
) -> Axes:
    """Distances of seeds against a power of `at`, their root mean square, and its line through 0."""
    color = color or current().series[0]
    middle = np.sqrt(np.mean(np.square(distances), axis=1))
    x = np.asarray(at, float) ** power
    slope = float(x @ middle / (x @ x))
    ends = np.array([0.0, x.max()])
    ax.plot(x, distances, "o", ms=3, mew=0, color=color, alpha=0.35)
    ax.plot(x, middle, "o", ms=5, color=color, label=label or "root mean square")
    ax.plot(ends, slope * ends, ":", lw=1.5, color=current().faint, label=f"slope {slope:.3g}")
    ax.set(xlim=(0, None), ylim=(0, None))
    return told(ax)


def iterates(ax: Axes, distances: Float[np.ndarray, "M1"], floor: float) -> Axes:
    r"""Distances of Picard iterates; $(Ct)^m / m!$ through the third; what time's points leave."""
    m = np.arange(len(distances))
    ax.semilogy(m, distances, "o-", lw=1.8, ms=4.5, color=current().series[0], label="iterates")
    place = min(2, len(m) - 1)
    if place:
        factorial = np.cumprod(np.maximum(m, 1), dtype=float)
        growth = (distances[place] / distances[0] * factorial[place]) ** (1 / place)
        bound = distances[0] * growth**m / factorial
        ax.semilogy(
            m,
            np.maximum(bound, floor / 10 or 1e-16),
            "--",
            lw=1.3,
            color=current().line,
            label="$(Ct)^m/m!$",
        )
    ax.axhline(floor, color=current().faint, lw=1.2, ls=":", label="last two iterates")
    ax.set(xlabel="iteration $m$", ylabel="distance to the solution")
    return told(ax)


def bands(
    ax: Axes,
    times: Float[np.ndarray, "T"],
    limit: Float[np.ndarray, "T"],
    of_widths: Mapping[int, tuple[Float[np.ndarray, "T"], Float[np.ndarray, "T"]]],
) -> Axes:
    """The limit's risk, and of each width the mean and two standard deviations about it."""
    for i, (width, (mean, sd)) in enumerate(of_widths.items()):
        color = shade(current(), i, len(of_widths))
        ax.fill_between(times, mean - 2 * sd, mean + 2 * sd, color=color, alpha=0.25, lw=0)
        ax.plot(times, mean, color=color, lw=1.6, label=f"$n = {width}$")
    ax.plot(times, limit, color=current().limit, lw=2.2, label="limit")
    ax.set(xlabel=TIME, ylabel="risk")
    return told(ax)


def statuses(ax: Axes, rows: Sequence[tuple[str, str, str]]) -> Axes:
    """Conditions one below the other, each with its status and figure."""
    colors = STATUS if current() is LIGHT else _ON_DARK
    letters = [*rcParams["font.family"], "DejaVu Sans"]  # which has indices below the line
    for place, (condition, status, figure) in enumerate(rows):
        color, how = colors[status], {"va": "center", "fontsize": 9, "family": letters}
        ax.plot([0], [-place], "s", ms=7, color=color)
        ax.text(0.35, -place, plain(condition), color=current().ink, **how)
        words = f"{status} {figure}".strip()
        ax.text(6.2, -place, plain(words[:60]), color=color, **how)
    ax.set(xlim=(-0.4, 10.0), ylim=(-len(rows) + 0.4, 0.6))
    ax.axis("off")
    return ax


def told(ax: Axes) -> Axes:
    """With a legend, where something has a name."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend()
    return ax

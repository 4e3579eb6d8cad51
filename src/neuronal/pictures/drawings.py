"""Drawings on Matplotlib's axes, of plain arrays; the things that have a `plot` hand them over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

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
    power: float | None = None,
    label: str = "",
    color: str | tuple[float, ...] | None = None,
    *,
    predicted: Float[np.ndarray, "V"] | None = None,
    seeds: bool = True,
    lw: float = 1.8,
) -> Axes:
    """Distances of seeds against what they fall with, their root mean square, and a power beside it.

    Args:
        power: none is drawn if left out.
        predicted: drawn dashed, if there are any.
        seeds: whether each is a point of its own.
        lw: width of the line.
    """
    color = color or current().series[0]
    middle = np.sqrt(np.mean(np.square(distances), axis=1))
    if seeds:
        ax.loglog(at, distances, "o", ms=2.2, mew=0, color=color)
    label = label or "root mean square"
    ax.loglog(at, middle, "o-", lw=lw, ms=2.5 * lw, color=color, label=label, zorder=3)
    if predicted is not None:
        ax.loglog(at, predicted, "--", lw=1.5, color=color, zorder=3)
    if power is not None:
        law(ax, at, middle[0], power)
    ax.set_xticks(at, [f"{v:g}" for v in at])
    ax.set_xticks([], minor=True)
    return told(ax)


def law(ax: Axes, at: Float[np.ndarray, "V"], start: float, exponent: float) -> Axes:
    """A power of what distances fall with, from a first value."""
    how: dict[str, Any] = {"lw": 1.3, "color": current().faint, "zorder": 1.5}
    ax.plot(at, start * (at / at[0]) ** exponent, ":", label=f"power {exponent:g}", **how)
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


class Range(NamedTuple):
    """A curve and the range about it, each `(T,)`."""

    middle: Float[np.ndarray, "T"]
    low: Float[np.ndarray, "T"]
    high: Float[np.ndarray, "T"]

    @classmethod
    def about(cls, middle: Float[np.ndarray, "T"], half: Float[np.ndarray, "T"]) -> Range:
        """As far on either side."""
        return cls(middle, middle - half, middle + half)


def band(
    ax: Axes,
    times: Float[np.ndarray, "T"],
    of: Range,
    color: str | tuple[float, ...],
    label: str | None = None,
) -> Axes:
    """A curve over time and the range about it; none where both ends are the curve."""
    if not np.array_equal(of.low, of.high, equal_nan=True):
        ax.fill_between(times, of.low, of.high, color=color, alpha=0.22, lw=0, zorder=2)
    ax.plot(times, of.middle, color=color, lw=1.6, label=label, zorder=2.5)
    ax.set_xlabel(TIME)
    return ax


def bands(
    ax: Axes,
    times: Float[np.ndarray, "T"],
    limit: Float[np.ndarray, "T"] | None,
    of_widths: Mapping[int, Range],
    ylabel: str = "risk",
) -> Axes:
    """A series of networks, a curve and its range per width, and that of the limit on top of them."""
    for i, (width, of) in enumerate(of_widths.items()):
        band(ax, times, of, shade(current(), i, len(of_widths)), f"$n = {width}$")
    if limit is not None:
        ax.plot(times, limit, color=current().limit, lw=2.2, label="limit", zorder=3)
    ax.set_ylabel(ylabel)
    return told(ax)


def level(ax: Axes, value: float, label: str, color: str, dashes: str = "--") -> Axes:
    """A line at a value that does not change, such as the infimum of the risk."""
    ax.axhline(value, color=color, lw=1.4, ls=dashes, label=label, zorder=1.5)
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

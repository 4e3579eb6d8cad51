"""The page of a coupling: distances between SGD, the flow of its neurons, and the limit."""

from __future__ import annotations

import html
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..experiments.folder import COUPLING, COUPLING_PAGE
from ..files.writing import write_text
from ..pictures.style import Theme, plain, shade
from ..theory.fits import PAIRS, PARTED, POWERS, fitted, fitted_prefactor
from ..theory.rates import Prefactor, Rate, rms
from . import document, plots

_NAMES = {
    "sgd-flow": "SGD to its flow",
    "flow-limit": "flow to the limit",
    "sgd-limit": "SGD to the limit",
}
_AXES = {"width": "width $n$", "learning_rate": r"learning rate $\epsilon$"}


def write(data: xr.Dataset, folder: str | Path) -> Path:
    """Write the page of a coupling's dataset into `folder`; returns its path."""
    path = Path(folder) / COUPLING_PAGE
    write_text(path, page(data))
    return path


def page(data: xr.Dataset) -> str:
    """The page as HTML: fitted rates, figures, configuration."""
    dashed = ""
    if _predicted(data):
        dashed = " Dashed in the same colours: as the limit alone predicts."
    drawings = [
        (
            partial(distances, along="width"),
            (
                "Distance of predictions, in the root mean square over inputs and the largest value "
                "over times, against the width, at the smallest learning rate. Points: a seed; lines: "
                f"their root mean square; dotted: the power -1/2.{dashed}"
            ),
        ),
        (
            risks,
            (
                "Risk against mean-field time: the limit, and SGD of each width (median and range "
                "over seeds, smallest learning rate)."
            ),
        ),
    ]
    if data.sizes["learning_rate"] > 1:
        words = f"The same against the learning rate, at the largest width; dotted: the power 1/2.{dashed}"
        drawings.insert(1, (partial(distances, along="learning_rate"), words))
    if "weight_rms" in data:
        words = (
            "Distance of the weights between carried neurons, flow to the limit, layer by layer: root "
            "mean square over neurons (full lines) and maximum (thin lines); dotted: the power -1/2."
        )
        drawings.append((weights, words))
    figures = "".join(
        document.figure(place, partial(drawing, data), caption)
        for place, (drawing, caption) in enumerate(drawings, start=1)
    )
    facts = [
        ("MF time", document.number(float(data.time.values[-1]))),
        ("widths", ", ".join(map(str, data.width.values))),
        ("learning rates", ", ".join(f"{v:g}" for v in data.learning_rate.values)),
        ("seeds", str(data.sizes["seed"])),
    ]
    sections = {"Fitted rates": _rates(data), "Prefactors": _prefactors(data), "Figures": figures}
    return document.document(
        data, "report of a coupling", document.facts(facts), sections, COUPLING
    )


def rates(data: xr.Dataset, system: int) -> Iterator[tuple[str, Rate | None, Rate | None]]:
    """What is fitted for a system: a quantity, its exponent in the width (distance of the flow to
    the limit) and in the learning rate (distance of SGD to its flow); None where one value is."""
    own = data.isel(system=system)
    quantities: list[tuple[str, str, int | None]] = [
        ("prediction", "prediction", None), ("risk", "risk", None)
    ]  # fmt: skip
    if "weight_rms" in data:
        layers = range(1, int(own.depth) + 1)
        quantities += [(f"weights of layer {i}", "weight_rms", i) for i in layers]
    for name, of, layer in quantities:
        in_width = in_rate = None
        if data.sizes["width"] > 1:
            in_width = fitted(own, "width", "flow-limit", of, layer)
        if data.sizes["learning_rate"] > 1:
            in_rate = fitted(own, "learning_rate", "sgd-flow", of, layer)
        yield name, in_width, in_rate


def prefactors(data: xr.Dataset, system: int) -> dict[str, Prefactor]:
    """Prefactors of a system's distances of predictions, in the width and in the learning rate."""
    own = data.isel(system=system)
    return {along: fitted_prefactor(own, along) for along in POWERS}


def unpredicted(data: xr.Dataset) -> Iterator[tuple[str, str]]:
    """Systems of which the limit could not predict the distances, and why."""
    if "unpredicted" in data:
        for label, reason in zip(data.system.values, data.unpredicted.values, strict=True):
            if str(reason):
                yield str(label), str(reason)


def distances(data: xr.Dataset, theme: Theme, along: str) -> Figure:
    """Prediction distances of the three pairs against the width or the learning rate."""
    figure, axes = plots.panels(data)
    other = "learning_rate" if along == "width" else "width"
    fixed = data[other].min() if other == "learning_rate" else data[other].max()
    at = data[along].values
    for i, axis in axes:
        for pair, color in zip(PAIRS, theme.series, strict=False):
            chosen = data.prediction.isel(system=i).sel({"pair": pair, other: fixed})
            table = chosen.transpose(along, "seed").values
            middle = np.array([rms(row) for row in table])
            axis.plot(np.repeat(at, table.shape[1]), table.ravel(), ls="", marker="o", ms=2.4,
                      color=color, alpha=0.45)  # fmt: skip
            axis.plot(at, middle, color=color, lw=1.8, zorder=3)
            if pair in (PARTED[along], "sgd-limit"):
                law = middle[0] * (at / at[0]) ** POWERS[along]
                axis.plot(at, law, color=theme.faint, lw=1.1, ls=":", zorder=1.5)
            if "predicted" in data:
                foretold = data.predicted.isel(system=i).sel({"pair": pair, other: fixed})
                axis.plot(at, foretold.values, color=color, lw=1.5, ls="--", zorder=3)
        _logarithmic(axis, data, along)
        axis.set_title(plain(data.system.values[i]))
    plots.labels(axes, data, "prediction distance", _AXES[along])
    handles = [
        Line2D([], [], label=_NAMES[p], color=c, lw=1.8)
        for p, c in zip(PAIRS, theme.series, strict=False)
    ]
    if _predicted(data):
        handles.append(Line2D([], [], label="predicted", color=theme.faint, lw=1.5, ls="--"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4, handlelength=1.8)
    return figure


def weights(data: xr.Dataset, theme: Theme) -> Figure:
    """Weight distances of the flow to the limit, a line per layer."""
    figure, axes = plots.panels(data)
    rate = data.learning_rate.min()
    deepest = int(data.depth.max())
    for i, axis in axes:
        for layer in range(1, int(data.depth.values[i]) + 1):
            color = shade(theme, layer - 1, deepest)
            for name, width in (("weight_rms", 1.8), ("weight_max", 0.9)):
                chosen = (
                    data[name]
                    .isel(system=i)
                    .sel(pair="flow-limit", learning_rate=rate, layer=layer)
                )
                middle = [rms(row) for row in chosen.transpose("width", "seed").values]
                axis.plot(data.width.values, middle, color=color, lw=width)
        first = data.weight_max.isel(system=i, width=0).sel(pair="flow-limit", learning_rate=rate)
        law = float(first.max()) * (data.width.values / data.width.values[0]) ** -0.5
        axis.plot(data.width.values, law, color=theme.faint, lw=1.1, ls=":", zorder=1.5)
        _logarithmic(axis, data, "width")
        axis.set_title(plain(data.system.values[i]))
    plots.labels(axes, data, "weight distance", _AXES["width"])
    handles = [
        Line2D([], [], label=f"layer {k + 1}", color=shade(theme, k, deepest), lw=1.8)
        for k in range(deepest)
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(deepest, 8), handlelength=1.5
    )
    return figure


def risks(data: xr.Dataset, theme: Theme) -> Figure:
    """Risk against MF time of the limit and of SGD."""
    figure, axes = plots.panels(data)
    t = data.time.values
    for i, axis in axes:
        sgd = data.risk_sgd.isel(system=i).sel(learning_rate=data.learning_rate.min())
        for j, n in enumerate(data.width.values):
            color = shade(theme, j, data.sizes["width"])
            runs = sgd.sel(width=n).transpose("seed", "time").values
            axis.fill_between(t, runs.min(axis=0), runs.max(axis=0), color=color, alpha=0.2, lw=0)
            axis.plot(t, np.median(runs, axis=0), color=color, lw=1.4)
        axis.plot(t, data.risk_limit.values[i], color=theme.limit, lw=2.3, zorder=3)
        axis.set_title(plain(data.system.values[i]))
        axis.set_xlim(0, t[-1])
    plots.labels(axes, data, "risk")
    plots.legend(figure, data, theme, limit=True)
    return figure


def _logarithmic(axis: Axes, data: xr.Dataset, along: str) -> None:
    at = data[along].values
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(at, [f"{v:g}" for v in at])
    axis.xaxis.minorticks_off()


def _rates(data: xr.Dataset) -> str:
    groups = []
    for i, label in enumerate(data.system.values):
        rows = []
        for name, in_width, in_rate in rates(data, i):
            head = html.escape(str(label)) if not rows else ""
            rows.append([head, name, _rate(in_width), _rate(in_rate)])
        groups.append(rows)
    note = (
        "Exponents of the largest distance over times, in the root mean square over seeds; in "
        "brackets 95 % intervals over seeds. Sampling of neurons predicts -1/2 in the width, SGD's "
        "noise 1/2 in the learning rate."
    )
    heads = ["system", "distance", "flow to the limit, in n", "SGD to its flow, in ε"]
    return document.table(heads, groups, note)


def _prefactors(data: xr.Dataset) -> str:
    asked, rows = "predicted" in data, []
    for i, label in enumerate(data.system.values):
        cells = []
        for found in prefactors(data, i).values():
            cells.append(_interval(found))
            if asked:
                known = np.isfinite(found.predicted)
                cells.append(document.number(found.predicted) if known else "–")
        rows.append([html.escape(str(label)), *cells])
    note = (
        "C of the distance of predictions, C n<sup>−1/2</sup> from the flow to the limit and C "
        "ε<sup>1/2</sup> from SGD to its flow; in brackets 95 % intervals over seeds."
    )
    if asked:
        note += " Predicted: by the limit alone, to first order."
    for label, reason in unpredicted(data):
        note += f"<br>Not predicted, {html.escape(label)}: {html.escape(reason)}."
    second = ["predicted"] if asked else []
    heads = ["system", "flow to the limit, in n", *second, "SGD to its flow, in ε", *second]
    return document.table(heads, [[row] for row in rows], note)


def _predicted(data: xr.Dataset) -> bool:
    """Whether the limit has predicted a distance."""
    return "predicted" in data and bool(data.predicted.notnull().any())


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return "–"
    text = f'{rate.slope:.2f} <span class="range">[{rate.low:.2f}, {rate.high:.2f}]</span>'
    return text.replace("-", "−").replace("inf", "∞")


def _interval(found: Prefactor) -> str:
    low, high = (document.number(v) if np.isfinite(v) else "∞" for v in (found.low, found.high))
    return f'{document.number(found.value)} <span class="range">[{low}, {high}]</span>'

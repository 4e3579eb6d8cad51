"""The page of a coupling: distances between SGD, the flow of its neurons, and the limit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..experiments.folder import COUPLING, COUPLING_PAGE
from ..files.writing import write_text
from ..pictures import drawings
from ..pictures.style import Theme, shade
from ..theory.fits import PAIRS, PARTED, POWERS, fitted, fitted_prefactor
from ..theory.rates import Prefactor, Rate
from . import document, sheets
from .document import Cell, Section, Table, number
from .figures import Picture, rows, shown

_NAMES = {
    "sgd-flow": "SGD to its flow",
    "flow-limit": "flow to the limit",
    "sgd-limit": "SGD to the limit",
}
_AXES = {"width": "width $n$", "learning_rate": r"learning rate $\epsilon$"}


def write(data: xr.Dataset, folder: str | Path) -> Path:
    """Write the page of a coupling's dataset into `folder`, and its figures into files; returns its path."""
    path = Path(folder) / COUPLING_PAGE
    write_text(path, page(data, Path(folder)))
    return path


def page(data: xr.Dataset, folder: Path | None = None) -> str:
    """The page as HTML: fitted rates, figures, configuration.

    Args:
        folder: for the files of figures; none are written if left out.
    """
    facts = [
        ("MF time", number(float(data.time.values[-1]))),
        ("widths", ", ".join(map(str, data.width.values))),
        ("learning rates", ", ".join(f"{v:g}" for v in data.learning_rate.values)),
        ("seeds", str(data.sizes["seed"])),
    ]
    sections = [
        Section("Fitted rates", [_rates(data)]),
        Section("Prefactors", [_prefactors(data)]),
        Section("Figures", shown(pictures(data), folder)),
    ]
    return document.document(data, "report of a coupling", facts, sections, COUPLING)


def pictures(data: xr.Dataset) -> Iterator[Picture]:
    """The figures that the coupling has something for."""
    dashed = ""
    if _predicted(data):
        dashed = " Dashed in the same colours: as the limit alone predicts."
    table = partial(rows, data, {"distance": "prediction", "predicted": "predicted"})
    yield Picture(
        "coupling-width",
        "Distance and width",
        "Distance of predictions, in the root mean square over inputs and the largest value over times, "
        "against the width, at the smallest learning rate. Points: a seed; lines: their root mean "
        f"square; dotted: the power -1/2.{dashed}",
        partial(distances, data, along="width"),
        table,
    )
    if data.sizes["learning_rate"] > 1:
        yield Picture(
            "coupling-learning-rate",
            "Distance and learning rate",
            "The same against the learning rate, at the largest width; dotted: the power 1/2."
            f"{dashed}",
            partial(distances, data, along="learning_rate"),
            table,
        )
    yield Picture(
        "coupling-risk",
        "Risk",
        "Risk against mean-field time: the limit, and SGD of each width (median and range over seeds, "
        "smallest learning rate).",
        partial(risks, data),
        partial(rows, data, {"limit": "risk_limit", "network": "risk_sgd"}),
    )
    if "weight_rms" in data:
        yield Picture(
            "coupling-weights",
            "Distance of weights",
            "Distance of the weights between carried neurons, flow to the limit, layer by layer: root "
            "mean square over neurons (full lines) and maximum (thin lines); dotted: the power -1/2.",
            partial(weights, data),
            partial(rows, data, {"root mean square": "weight_rms", "maximum": "weight_max"}),
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
    figure, axes = sheets.panels(data, theme)
    other = "learning_rate" if along == "width" else "width"
    fixed = data[other].min() if other == "learning_rate" else data[other].max()
    at = data[along].values
    for i, axis in axes:
        for pair, color in zip(PAIRS, theme.series, strict=False):
            place = {"pair": pair, other: fixed}
            table = data.prediction.isel(system=i).sel(place).transpose(along, "seed").values
            foretold = (
                data.predicted.isel(system=i).sel(place).values if "predicted" in data else None
            )
            power = POWERS[along] if pair in (PARTED[along], "sgd-limit") else None
            drawings.powers(axis, at, table, power, _NAMES[pair], color, predicted=foretold)
        if _predicted(data):
            axis.add_line(Line2D([], [], label="predicted", color=theme.faint, lw=1.5, ls="--"))
    sheets.labels(axes, "prediction distance", theme, _AXES[along])
    sheets.legend(figure, first=_NAMES.values())
    return figure


def weights(data: xr.Dataset, theme: Theme) -> Figure:
    """Weight distances of the flow to the limit, a line per layer."""
    figure, axes = sheets.panels(data, theme)
    rate = data.learning_rate.min()
    deepest = int(data.depth.max())
    n = data.width.values
    for i, axis in axes:
        own = data.isel(system=i).sel(pair="flow-limit", learning_rate=rate)
        for layer in range(1, int(own.depth) + 1):
            color = shade(theme, layer - 1, deepest)
            for name, label, lw in (
                ("weight_rms", f"layer {layer}", 1.8),
                ("weight_max", "_maximum", 0.9),
            ):
                table = own[name].sel(layer=layer).transpose("width", "seed").values
                drawings.powers(axis, n, table, None, label, color, seeds=False, lw=lw)
        drawings.law(axis, n, float(own.weight_max.isel(width=0).max()), -0.5)
    sheets.labels(axes, "weight distance", theme, _AXES["width"])
    sheets.legend(figure)
    return figure


def risks(data: xr.Dataset, theme: Theme) -> Figure:
    """Risk against MF time of the limit and of SGD."""
    figure, axes = sheets.panels(data, theme)
    t = data.time.values
    for i, axis in axes:
        sgd = data.risk_sgd.isel(system=i).sel(learning_rate=data.learning_rate.min())
        of_widths = {
            int(n): sheets.over_seeds(sgd.sel(width=n).transpose("seed", "time").values)
            for n in data.width.values
        }
        drawings.bands(axis, t, data.risk_limit.values[i], of_widths)
        sheets.linear_time(axis, float(t[-1]))
    sheets.labels(axes, "risk", theme)
    sheets.legend(figure)
    return figure


def _rates(data: xr.Dataset) -> Table:
    groups = []
    for i, label in enumerate(data.system.values):
        found = rates(data, i)
        groups.append([[str(label), name, *map(_rate, fitted)] for name, *fitted in found])
    note = (
        "Exponents of the largest distance over times, in the root mean square over seeds; in "
        "brackets 95 % intervals over seeds. Sampling of neurons predicts -1/2 in the width, SGD's "
        "noise 1/2 in the learning rate."
    )
    heads = ["system", "distance", "flow to the limit, in n", "SGD to its flow, in ε"]
    return Table(heads, groups, [note])


def _prefactors(data: xr.Dataset) -> Table:
    asked, groups = "predicted" in data, []
    for i, label in enumerate(data.system.values):
        cells: list[str | Cell] = []
        for found in prefactors(data, i).values():
            cells.append(_interval(found))
            if asked:
                cells.append(number(found.predicted))
        groups.append([[str(label), *cells]])
    note = (
        "C of the distance of predictions, C n⁻¹ᐟ² from the flow to the limit and C ε¹ᐟ² from SGD to "
        "its flow; in brackets 95 % intervals over seeds."
    )
    if asked:
        note += " Predicted: by the limit alone, to first order."
    unknown = [f"Not predicted, {label}: {reason}." for label, reason in unpredicted(data)]
    second = ["predicted"] if asked else []
    heads = ["system", "flow to the limit, in n", *second, "SGD to its flow, in ε", *second]
    return Table(heads, groups, [note, *unknown])


def _predicted(data: xr.Dataset) -> bool:
    """Whether the limit has predicted a distance."""
    return "predicted" in data and bool(data.predicted.notnull().any())


def _rate(rate: Rate | None) -> str | Cell:
    if rate is None:
        return "–"
    plain = lambda words: words.replace("-", "−").replace("inf", "∞")
    return Cell(plain(f"{rate.slope:.2f}"), plain(f"[{rate.low:.2f}, {rate.high:.2f}]"))


def _interval(found: Prefactor) -> Cell:
    low, high = (number(v) if np.isfinite(v) else "∞" for v in (found.low, found.high))
    return Cell(number(found.value), f"[{low}, {high}]")

"""One self-contained `report.html`: it opens offline, in light and in dark, wide and narrow."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..experiments.folder import PAGE, RESULTS
from ..files.writing import write_text
from . import document, plots, predictions
from .document import Cell, Folded, Items, Section, Table, number
from .figures import Picture, rows, shown

if TYPE_CHECKING:
    from ..theory.certificate.document import Certificate

_TESTS = {"test_risk": "test risk", "test_accuracy": "test accuracy"}


def write(
    data: xr.Dataset,
    folder: str | Path,
    certificates: Sequence[Certificate] = (),
    prediction: xr.Dataset | None = None,
) -> Path:
    """Write the page of a run's dataset into `folder`, and its figures into files; returns its path.

    Args:
        certificates: of its systems.
        prediction: of its networks, as `neuronal predict` has it, drawn beside them.
    """
    path = Path(folder) / PAGE
    write_text(path, page(data, certificates, prediction, Path(folder)))
    return path


def page(
    data: xr.Dataset,
    certificates: Sequence[Certificate] = (),
    prediction: xr.Dataset | None = None,
    folder: Path | None = None,
) -> str:
    """The page as HTML: summary, figures, certificates, how it was computed, configuration.

    Args:
        folder: for the files of figures; none are written if left out.
    """
    figures = shown(pictures(data), folder)
    sections = [
        Section("Summary", [summary(data)]),
        Section("Figures", figures),
        _beside(data, prediction, folder, len(figures) + 1),
        Section("Certificates", [Folded(certificate) for certificate in certificates]),
        Section("How it was computed", [_computed(data)]),
    ]
    return document.document(data, "report of a run", _facts(data), sections, RESULTS)


def _beside(
    data: xr.Dataset, prediction: xr.Dataset | None, folder: Path | None, first: int
) -> Section:
    """The section of the prediction; empty without one."""
    head = "Networks and their prediction"
    if prediction is None:
        return Section(head, [])
    drawn = shown(predictions.pictures(data, prediction), folder, first)
    return Section(head, [*drawn, predictions.table(data, prediction)])


def pictures(data: xr.Dataset) -> Iterator[Picture]:
    """The figures that a run has something for."""
    band = ""
    if data.sizes.get("seed", 1) > 1:
        band = f" Lines are medians, bands the range, over {data.sizes['seed']} seeds."
    whose = " and ".join(
        words
        for name, words in (
            ("limit_risk", "the mean-field limit"),
            ("risk", "networks trained by SGD"),
        )
        if name in data
    )
    risks = {"limit": "limit_risk", "network": "risk"}
    levels = {"infimum": "infimum", "best constant": "constant_risk"}
    drawn = lambda draw: partial(draw, data)
    table = lambda names: partial(rows, data, names)
    yield Picture(
        "risk",
        "Risk",
        f"Risk of {whose} against mean-field time, for each system.{band}",
        drawn(plots.risk),
        table(risks | levels),
    )
    if "infimum" in data:
        yield Picture(
            "excess-risk",
            "Excess risk",
            f"The same above the infimum of the risk, on a logarithmic axis.{band}",
            drawn(plots.excess),
            lambda: rows(data[[n for n in risks.values() if n in data]] - data.infimum, risks),
        )
    if "limit_risk" in data and data.sizes["system"] > 1:
        yield Picture(
            "limits",
            "Limits",
            "The limits of all systems beside each other.",
            drawn(plots.limits),
            table({"limit": "limit_risk"}),
        )
    if "limit_risk" in data and "risk" in data:
        below = ""
        if data.sizes["width"] > 1:
            below = (
                " Below: its largest size over time against the width, a point per seed, their root "
                "mean square, and the power -1/2."
            )
        off = data[["risk"]].assign(difference=(data.risk.dims, plots.differences(data)))
        yield Picture(
            "difference",
            "Difference to the limit",
            f"Risk of networks less that of their limit.{band}{below}",
            drawn(plots.difference),
            partial(rows, off, {"network less limit": "difference"}),
        )
    if "target" in data:
        yield Picture(
            "predictions",
            "Predictions",
            "Predictions at the end of the run, a line per network, and the target.",
            drawn(plots.predictions),
            table({"limit": "limit_prediction", "network": "prediction", "target": "target"}),
        )
    for name, drawing, words in (
        ("test_accuracy", plots.accuracy, "Accuracy"),
        ("test_risk", plots.test_risk, "Risk"),
    ):
        if name in data or f"limit_{name}" in data:
            yield Picture(
                name.replace("_", "-"),
                _TESTS[name].capitalize(),
                f"{words} on the held-out part of the data.{band}",
                drawn(drawing),
                table({"limit": f"limit_{name}", "network": name}),
            )
    if data.sizes.get("width", 0) >= 3:
        dims = ("system", "width", "seed")
        halves = data[["risk"]].assign(half=(dims, plots.half_times(data)))
        yield Picture(
            "half-time",
            "Half-time",
            "MF time at which the excess risk has halved, by width: medians joined, a small dot a "
            "seed; a cross where the median run does not get there before the end.",
            drawn(plots.escape),
            partial(rows, halves, {"half-time": "half"}),
        )


def _facts(data: xr.Dataset) -> list[tuple[str, str]]:
    facts = [("MF time", number(float(data.time.values[-1])))]
    if "infimum" in data:
        facts.append(("infimum of the risk", number(float(data.infimum))))
    facts.append(("risk of the best constant", number(float(data.constant_risk))))
    facts.append(("time in the drivers", f"{total_seconds(data):.0f} s"))
    return facts


def total_seconds(data: xr.Dataset) -> float:
    """Wall time in the drivers, over all runs and sessions."""
    return sum(float(np.nansum(data[n].values)) for n in ("seconds", "limit_seconds") if n in data)


def summary(data: xr.Dataset) -> Table:
    """A row per limit and width: final risk, excess, half-time, tests, seconds."""
    tests = [name for name in _TESTS if name in data or f"limit_{name}" in data]
    heads = ["system", "L", "run", "final risk", "excess / constant's", "half-time"]
    heads += [*(_TESTS[name] for name in tests), "seconds"]
    groups = []
    for i, label in enumerate(data.system.values):
        depth = int(data.depth.values[i])
        groups.append([[str(label), str(depth), *row] for row in _rows(data, i, tests)])
    known = "" if "infimum" in data else " (not known here: taken as 0)"
    note = (
        f"Excess is the risk above the infimum{known}, given as a share of that of the best constant "
        "prediction; half-time is the MF time at which it has halved. Of several seeds: the median, "
        "and the range in brackets."
    )
    return Table(heads, groups, [note])


def _rows(data: xr.Dataset, system: int, tests: list[str]) -> Iterator[list[str | Cell]]:
    infimum = float(data.infimum) if "infimum" in data else 0.0
    scale = float(data.constant_risk) - infimum

    def row(name: str, prefix: str, place: tuple[int, ...], t_half: np.ndarray) -> list[str | Cell]:
        curves = np.atleast_2d(data[f"{prefix}risk"].values[place])
        final = np.array([_last(curve) for curve in curves])
        cells: list[str | Cell] = [name, _spread(final)]
        cells.append(_spread((final - infimum) / scale) if scale > 0 else "–")
        cells.append(_spread(np.atleast_1d(t_half[place])))
        for test in tests:
            values = np.atleast_2d(data[prefix + test].values[place])
            ends = np.array([_last(curve) for curve in values])
            percent = test == "test_accuracy"
            cells.append(_spread(ends * (100 if percent else 1), percent))
        seconds = np.atleast_1d(data[f"{prefix}seconds"].values[place])
        return [*cells, f"{seconds.sum():.1f}"]

    if "limit_risk" in data:
        name = "limit"
        reached = data.time.values[np.isfinite(data.limit_risk.values[system])][-1]
        if reached < data.time.values[-1] * (1 - 1e-9):
            name += f" to t = {number(reached)}"
        yield row(name, "limit_", (system,), plots.half_times(data, "limit_risk"))
    if "risk" in data:
        t_half = plots.half_times(data)
        for j, width in enumerate(data.width.values):
            yield row(f"width {width}", "", (system, j), t_half)


def _computed(data: xr.Dataset) -> Items:
    items = []
    if "limit_report" in data:
        for label, sentence in zip(data.system.values, data.limit_report.values, strict=True):
            items.append((f"{label}, limit", f"{sentence}."))
    if "networks_report" in data.attrs:
        steps = int(np.nanmax(data.steps.values))
        widths, seeds = (", ".join(map(str, data[n].values)) for n in ("width", "seed"))
        words = (
            f"{data.attrs['networks_report']}: {steps} steps each, widths {widths}, seeds {seeds}; a "
            "seed has the same neurons at every width."
        )
        items.append(("Networks", words))
    run = tomllib.loads(str(data.attrs["configuration"]))["run"]
    items.append(("Arithmetic", f"{run['precision']}, seed {run['seed']}."))
    return Items(items)


def _last(curve: np.ndarray) -> float:
    reached = curve[np.isfinite(curve)]
    return float(reached[-1]) if reached.size else np.nan


def _spread(values: np.ndarray, percent: bool = False) -> Cell:
    """The median, and the range if there are several."""
    write = (lambda v: f"{v:.1f}\u00a0%") if percent else number
    middle = write(float(np.median(values)))
    if len(values) == 1:
        return Cell(middle)
    return Cell(middle, f"[{write(float(values.min()))}, {write(float(values.max()))}]")

"""One self-contained `report.html`: it opens offline, in light and in dark."""

from __future__ import annotations

import html
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiments.folder import PAGE, RESULTS
from ..files.writing import write_text
from ..pictures.style import Theme
from ..theory.certificate.document import Certificate
from . import document, plots, predictions
from .document import number

Drawing = Callable[[xr.Dataset, Theme], Figure]


def write(
    data: xr.Dataset,
    folder: str | Path,
    certificates: Sequence[Certificate] = (),
    prediction: xr.Dataset | None = None,
) -> Path:
    """Write the page of a run's dataset into `folder`; returns its path.

    Args:
        certificates: of its systems.
        prediction: of its networks, as `neuronal predict` has it, drawn beside them.
    """
    path = Path(folder) / PAGE
    write_text(path, page(data, certificates, prediction))
    return path


def page(
    data: xr.Dataset,
    certificates: Sequence[Certificate] = (),
    prediction: xr.Dataset | None = None,
) -> str:
    """The page as HTML: summary, figures, certificates, how it was computed, configuration."""
    drawings = list(_chosen(data))
    figures = "".join(
        document.figure(place, partial(drawing, data), caption)
        for place, (drawing, caption) in enumerate(drawings, start=1)
    )
    sections = {
        "Summary": _summary(data),
        "Figures": figures,
        "Networks and their prediction": _beside(data, prediction, len(drawings) + 1),
        "Certificates": "".join(f'<div class="wide">{c.html()}</div>' for c in certificates),
        "How it was computed": _computed(data),
    }
    shown = {head: content for head, content in sections.items() if content}
    return document.document(data, "report of a run", _facts(data), shown, RESULTS)


def _beside(data: xr.Dataset, prediction: xr.Dataset | None, number: int) -> str:
    """The section of the prediction; empty without one."""
    if prediction is None:
        return ""
    drawn = ""
    if predictions.known(prediction):
        draw = partial(predictions.risks, data, prediction)
        drawn = document.figure(number, draw, predictions.caption(data, prediction))
    return drawn + predictions.table(data, prediction)


def _chosen(data: xr.Dataset) -> Iterator[tuple[Drawing, str]]:
    """The figures that this run has something for, with their captions."""
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
    yield plots.risk, f"Risk of {whose} against mean-field time, for each system.{band}"
    if "infimum" in data:
        yield plots.excess, f"The same above the infimum of the risk, on a logarithmic axis.{band}"
    if "limit_risk" in data and data.sizes["system"] > 1:
        yield plots.limits, "The limits of all systems beside each other."
    if "target" in data:
        yield (
            plots.predictions,
            "Predictions at the end of the run, a line per network, and the target.",
        )
    for name, drawing, words in (
        ("test_accuracy", plots.accuracy, "Accuracy"),
        ("test_risk", plots.test_risk, "Risk"),
    ):
        if name in data or f"limit_{name}" in data:
            yield drawing, f"{words} on the held-out part of the data.{band}"
    if data.sizes.get("width", 0) >= 3:
        yield (
            plots.escape,
            (
                "MF time at which the excess risk has halved, by width: medians joined, a small dot a "
                "seed; a cross where the median run does not get there before the end."
            ),
        )


def _facts(data: xr.Dataset) -> str:
    facts = [("MF time", number(float(data.time.values[-1])))]
    if "infimum" in data:
        facts.append(("infimum of the risk", number(float(data.infimum))))
    facts.append(("risk of the best constant", number(float(data.constant_risk))))
    facts.append(("time in the drivers", f"{_total(data):.0f} s"))
    return document.facts(facts)


def _total(data: xr.Dataset) -> float:
    return sum(float(np.nansum(data[n].values)) for n in ("seconds", "limit_seconds") if n in data)


def _summary(data: xr.Dataset) -> str:
    heads = ["system", "L", "run", "final risk", "excess / constant's", "half-time"]
    tests = [
        name for name in ("test_risk", "test_accuracy") if name in data or f"limit_{name}" in data
    ]
    heads += [{"test_risk": "test risk", "test_accuracy": "test accuracy"}[name] for name in tests]
    heads += ["seconds"]
    body = ""
    for i, label in enumerate(data.system.values):
        rows = list(_rows(data, i, tests))
        for k, row in enumerate(rows):
            first = ""
            if k == 0:
                span = f'rowspan="{len(rows)}"'
                depth = int(data.depth.values[i])
                first = f"<th {span}>{html.escape(str(label))}</th><td {span}>{depth}</td>"
            body += f'<tr class="{"group" if k == 0 else ""}">{first}'
            body += "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    head = "".join(f"<th>{h}</th>" for h in heads)
    note = (
        '<p class="note">Excess is the risk above the infimum'
        + ("" if "infimum" in data else " (not known here: taken as 0)")
        + ", given as a share of that of the best constant prediction; half-time is the MF time at "
        "which it has halved. Of several seeds: the median, and the range in brackets.</p>"
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f"{note}"
    )


def _rows(data: xr.Dataset, system: int, tests: list[str]) -> Iterator[list[str]]:
    infimum = float(data.infimum) if "infimum" in data else 0.0
    scale = float(data.constant_risk) - infimum

    def row(name: str, prefix: str, place: tuple[int, ...], t_half: np.ndarray) -> list[str]:
        curves = np.atleast_2d(data[f"{prefix}risk"].values[place])
        final = np.array([_last(curve) for curve in curves])
        cells = [name, _spread(final)]
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
        name = "<b>limit</b>"
        reached = data.time.values[np.isfinite(data.limit_risk.values[system])][-1]
        if reached < data.time.values[-1] * (1 - 1e-9):
            name += f" to t = {number(reached)}"
        yield row(name, "limit_", (system,), plots.half_times(data, "limit_risk"))
    if "risk" in data:
        t_half = plots.half_times(data)
        for j, width in enumerate(data.width.values):
            yield row(f"width {width}", "", (system, j), t_half)


def _computed(data: xr.Dataset) -> str:
    items = []
    if "limit_report" in data:
        for label, sentence in zip(data.system.values, data.limit_report.values, strict=True):
            items.append(f"<b>{html.escape(str(label))}, limit:</b> {html.escape(str(sentence))}.")
    if "networks_report" in data.attrs:
        steps = int(np.nanmax(data.steps.values))
        items.append(
            f"<b>Networks:</b> {html.escape(str(data.attrs['networks_report']))}: {steps} steps each, "
            f"widths {', '.join(map(str, data.width.values))}, "
            f"seeds {', '.join(map(str, data.seed.values))}; a seed has the same neurons at every "
            "width."
        )
    run = tomllib.loads(str(data.attrs["configuration"]))["run"]
    items.append(f"<b>Arithmetic:</b> {run['precision']}, seed {run['seed']}.")
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _last(curve: np.ndarray) -> float:
    reached = curve[np.isfinite(curve)]
    return float(reached[-1]) if reached.size else np.nan


def _spread(values: np.ndarray, percent: bool = False) -> str:
    """The median, and the range if there are several."""
    write = (lambda v: f"{v:.1f}&nbsp;%") if percent else number
    middle = write(float(np.median(values)))
    if len(values) == 1:
        return middle
    low, high = write(float(values.min())), write(float(values.max()))
    return f'{middle} <span class="range">[{low}, {high}]</span>'

"""The page of a sweep: how its points ended or stand, their final risks, and their curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import xarray as xr

from ..errors import InvalidInput
from ..experiments import results
from ..experiments.folder import PAGE, SWEEP, SWEEP_PAGE
from ..files.writing import write_text
from . import comparisons, document
from .document import Cell, Notice, Section, Table, number, slug
from .figures import Picture, Shown, rows, shown
from .unfinished import so_far


@dataclass(frozen=True)
class Place:
    """A point of a sweep: its place in the dataset, its folder and values, how it stands and why."""

    at: dict[str, int]
    folder: str
    values: dict[str, Any]
    status: str
    error: str


def write(data: xr.Dataset, folder: str | Path) -> Path:
    """Write the page of a sweep's dataset into `folder`, which holds its points; returns its path.

    Its figures are written into files, too.
    """
    home, path = Path(folder), Path(folder) / SWEEP_PAGE
    write_text(path, page(data, home, drawn(data, home, True), _failures(data)))
    return path


def write_unfinished(
    data: xr.Dataset, folder: Path, notice: Notice, figures: Sequence[Shown]
) -> Path:
    """Write the page of a sweep that goes on, or ended early; returns its path.

    Args:
        data: the dataset as it stands.
        notice: how the sweep stands.
        figures: of `drawn`.
    """
    path = folder / SWEEP_PAGE
    write_text(path, page(data, folder, figures, notice))
    return path


def places(data: xr.Dataset) -> Iterator[Place]:
    """The points of a sweep, in the order of its fields."""
    fields = [str(d) for d in data.status.dims]
    for index in np.ndindex(data.status.shape):
        at = dict(zip(fields, index, strict=True))
        values = {field: data[field].values[i] for field, i in at.items()}
        point = data[["folder", "status", "error"]].isel(at)
        words = (str(point[name].values) for name in ("status", "error"))
        yield Place(at, str(point.folder.values), values, *words)


def page(
    data: xr.Dataset, folder: Path, figures: Sequence[Shown] = (), notice: Notice | None = None
) -> str:
    """The page as HTML: a table of the points, figures, configuration.

    Args:
        folder: of the sweep, where the points' pages are looked for.
        figures: of `drawn`.
        notice: above all, if there is one.
    """
    points = list(places(data))
    count = Counter(point.status for point in points)
    ended = count["finished"] + count["failed"] == len(points)
    finished = ("points finished", f"{count['finished']} of {len(points)}")
    facts = [
        ("points", str(len(points))) if ended else finished,
        ("failed", str(count["failed"])),
        ("time in the drivers", f"{float(data.seconds.sum()):.0f} s"),
    ]
    sections = [
        Section("Points", [_table(data, points, folder)]),
        Section("Figures", figures),
    ]
    file = SWEEP if ended else ""
    kind = "comparison of a sweep" if ended else "an unfinished sweep"
    return document.document(data, kind, facts, sections, file, notice)


def drawn(data: xr.Dataset, folder: Path, files: bool = False) -> list[Shown]:
    """The figures of a sweep's dataset, finished or not.

    Args:
        folder: of the sweep, where the points' curves are read.
        files: whether figures are written into files there.
    """
    return shown(pictures(data, list(places(data)), folder), folder if files else None)


def _failures(data: xr.Dataset) -> Notice | None:
    """What a sweep that has ended says of points that failed, if there are some."""
    failed = int((data.status == "failed").sum())
    words = f"{failed} of {data.status.size} points failed; the table says why."
    return Notice("stopped", f"{words} The same command tries them again.") if failed else None


def pictures(data: xr.Dataset, points: list[Place], folder: Path) -> Iterator[Picture]:
    """Final risks against each field of several values, and the curves of all points."""
    names = {"limit": "limit_risk", "network": "risk"}
    for field in map(str, data.status.dims):
        if _known(data, field) > 1:
            yield Picture(
                f"sweep-{slug(field)}",
                field,
                f"Final risk against {field}, for each system{_other(data, field)}.",
                partial(comparisons.final_risks, data, field),
                partial(rows, data, names),
            )
    curves = list(_curves(points, folder))
    if curves:
        drawn = comparisons.thinned(curves)
        left = (
            f" {len(drawn)} of {len(curves)} points are drawn." if len(drawn) < len(curves) else ""
        )
        yield Picture(
            "sweep-curves",
            "Risk of all points",
            "Risk of all points against mean-field time, for each system: limits (full lines) and "
            "networks of the largest width (dashed, median over seeds), by the value of "
            f"{comparisons.leading(data)}.{left}",
            partial(comparisons.risk_curves, data, drawn),
            partial(comparisons.numbers, data, curves),
        )


def _known(data: xr.Dataset, field: str) -> int:
    """The values of a field at which some final risk is known."""
    found = np.zeros(data.sizes[field], bool)
    for risks in comparisons.final(data).values():
        found |= np.isfinite(risks.transpose(field, ...).values).reshape(len(found), -1).any(1)
    return int(found.sum())


def _other(data: xr.Dataset, field: str) -> str:
    others = [str(d) for d in data.status.dims if d != field and data.sizes[d] > 1]
    if not others:
        return ": the limit, and networks of each width (median over seeds)"
    return (
        f", a colour per value of {', '.join(others)}: limits (full lines) and networks of the "
        "largest width (dashed, median over seeds)"
    )


def _curves(points: list[Place], folder: Path) -> Iterator[tuple[dict[str, int], xr.Dataset]]:
    for point in points:
        with suppress(InvalidInput):  # deleted since, or on another machine
            if point.status == "finished":
                yield point.at, results.read(folder / point.folder)
            elif point.status == "begun" and (run := so_far(folder / point.folder)) is not None:
                yield point.at, run


def _table(data: xr.Dataset, points: list[Place], folder: Path) -> Table:
    kinds = comparisons.final(data)
    fields = list(points[0].values)
    heads = [*fields, "system", "status", *(f"risk, {kind}" for kind in kinds), "seconds", "page"]
    failed = any(point.error for point in points)
    found = []
    for point in points:
        seconds = float(data.seconds.isel(point.at))
        for i, label in enumerate(data.system.values):
            cells = [*map(_cell, point.values.values()), Cell(str(label))]
            cells.append(Cell(point.status, kind=point.status))
            cells += [_number(float(of.isel({**point.at, "system": i}))) for of in kinds.values()]
            ended = point.status in ("finished", "failed")
            cells.append(Cell(f"{seconds:.1f}", key=repr(seconds)) if ended else Cell("–", key=""))
            cells.append(_link(folder, point.folder))
            if failed:
                cells.append(Cell(point.error, kind="how"))
            found.append([cells])
    heads += ["error"] * failed
    note = "In a wide window a click on a heading sorts. Of several seeds: the median."
    return Table(heads, found, [note], "sortable")


def _cell(value: Any) -> Cell:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str | bool):
        return Cell(str(plain))
    return Cell(f"{plain:.6g}", key=repr(plain))


def _number(value: float) -> Cell:
    return Cell(number(value), key=repr(value)) if np.isfinite(value) else Cell("–", key="")


def _link(folder: Path, name: str) -> Cell:
    there = (folder / name / PAGE).is_file()
    return Cell("report", link=f"{quote(name)}/{PAGE}") if there else Cell("–")

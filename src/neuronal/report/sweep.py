"""The page of a sweep: how its points ended, their final risks, and their curves."""

from __future__ import annotations

from collections.abc import Iterator
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
from .figures import Picture, rows, shown


@dataclass(frozen=True)
class Place:
    """A point of a sweep: where it stands in the dataset, its folder, values and ending."""

    at: dict[str, int]
    folder: str
    values: dict[str, Any]
    error: str


def write(data: xr.Dataset, folder: str | Path) -> Path:
    """Write the page of a sweep's dataset into `folder`, which holds its points; returns its path.

    Its figures are written into files, too.
    """
    path = Path(folder) / SWEEP_PAGE
    write_text(path, page(data, Path(folder), True))
    return path


def places(data: xr.Dataset) -> Iterator[Place]:
    """The points of a sweep, in the order of its fields."""
    fields = [str(d) for d in data.status.dims]
    for index in np.ndindex(data.status.shape):
        at = dict(zip(fields, index, strict=True))
        values = {field: data[field].values[i] for field, i in at.items()}
        point = data[["folder", "error"]].isel(at)
        yield Place(at, str(point.folder.values), values, str(point.error.values))


def page(data: xr.Dataset, folder: Path, files: bool = False) -> str:
    """The page as HTML: a table of the points, figures, configuration.

    Args:
        folder: of the sweep, where the points' curves are read and their pages looked for.
        files: whether figures are written into files there.
    """
    points = list(places(data))
    failed = sum(bool(point.error) for point in points)
    facts = [
        ("points", str(len(points))),
        ("failed", str(failed)),
        ("time in the drivers", f"{float(data.seconds.sum()):.0f} s"),
    ]
    figures = shown(pictures(data, points, folder), folder if files else None)
    sections = [
        Section("Points", [_table(data, points, folder)]),
        Section("Figures", figures),
    ]
    notice = None
    if failed:
        words = f"{failed} of {len(points)} points failed; the table says why."
        notice = Notice("stopped", f"{words} The same command tries them again.")
    return document.document(data, "comparison of a sweep", facts, sections, SWEEP, notice)


def pictures(data: xr.Dataset, points: list[Place], folder: Path) -> Iterator[Picture]:
    """Final risks against each field of several values, and the curves of all points."""
    names = {"limit": "limit_risk", "network": "risk"}
    for field in map(str, data.status.dims):
        if data.sizes[field] > 1:
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
        if not point.error:
            try:
                yield point.at, results.read(folder / point.folder)
            except InvalidInput:  # deleted since, or on another machine
                continue


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
            status = "failed" if point.error else "finished"
            cells.append(Cell(status, kind=status))
            cells += [_number(float(of.isel({**point.at, "system": i}))) for of in kinds.values()]
            cells.append(Cell(f"{seconds:.1f}", key=repr(seconds)))
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

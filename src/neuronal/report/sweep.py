"""The page of a sweep: how its points ended, their final risks, and their curves."""

from __future__ import annotations

import html
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
from .document import number

_SCRIPT = """<script>
document.querySelectorAll("table.sortable").forEach((table) => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const rising = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = (row) => row.cells[column].dataset.key ?? row.cells[column].textContent;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");  // what is missing comes last
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return rising ? order : -order;
    });
    table.tBodies[0].append(...rows);
  }));
});
</script>"""


@dataclass(frozen=True)
class Place:
    """A point of a sweep: where it stands in the dataset, its folder, values and ending."""

    at: dict[str, int]
    folder: str
    values: dict[str, Any]
    error: str


def write(data: xr.Dataset, folder: str | Path) -> Path:
    """Write the page of a sweep's dataset into `folder`, which holds its points; returns its path."""
    path = Path(folder) / SWEEP_PAGE
    write_text(path, page(data, Path(folder)))
    return path


def places(data: xr.Dataset) -> Iterator[Place]:
    """The points of a sweep, in the order of its fields."""
    fields = [str(d) for d in data.status.dims]
    for index in np.ndindex(data.status.shape):
        at = dict(zip(fields, index, strict=True))
        values = {field: data[field].values[i] for field, i in at.items()}
        point = data[["folder", "error"]].isel(at)
        yield Place(at, str(point.folder.values), values, str(point.error.values))


def page(data: xr.Dataset, folder: Path) -> str:
    """The page as HTML: a table of the points, figures, configuration.

    Args:
        folder: of the sweep, where the points' curves are read and their pages looked for.
    """
    points = list(places(data))
    failed = sum(bool(point.error) for point in points)
    facts = [
        ("points", str(len(points))),
        ("failed", str(failed)),
        ("time in the drivers", f"{float(data.seconds.sum()):.0f} s"),
    ]
    drawings = [
        (
            partial(comparisons.final_risks, data, field),
            f"Final risk against {field}, for each system{_other(data, field)}.",
        )
        for field in map(str, data.status.dims)
        if data.sizes[field] > 1
    ]
    curves = list(_curves(points, folder))
    if curves:
        shown = comparisons.thinned(curves)
        left = (
            f" {len(shown)} of {len(curves)} points are drawn." if len(shown) < len(curves) else ""
        )
        drawings.append(
            (
                partial(comparisons.risk_curves, data, shown),
                (
                    "Risk of all points against mean-field time, for each system: limits (full lines) "
                    "and networks of the largest width (dashed, median over seeds), by the value of "
                    f"{comparisons.leading(data)}.{left}"
                ),
            )
        )
    figures = "".join(
        document.figure(place, drawing, caption)
        for place, (drawing, caption) in enumerate(drawings, start=1)
    )
    sections = {"Points": _table(data, points, folder)}
    if figures:
        sections["Figures"] = figures
    return document.document(data, "comparison of a sweep", document.facts(facts), sections, SWEEP)


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


def _table(data: xr.Dataset, points: list[Place], folder: Path) -> str:
    kinds = comparisons.final(data)
    fields = list(points[0].values)
    heads = [*fields, "system", "status", *(f"risk, {kind}" for kind in kinds), "seconds", "page"]
    if any(point.error for point in points):
        heads.append("error")
    rows = ""
    for point in points:
        seconds = float(data.seconds.isel(point.at))
        for i, label in enumerate(data.system.values):
            cells = [_cell(value) for value in point.values.values()] + [_cell(str(label))]
            status = "failed" if point.error else "finished"
            cells.append(f'<td class="{status}">{status}</td>')
            for risks in kinds.values():
                cells.append(_number(float(risks.isel({**point.at, "system": i}))))
            cells.append(f'<td data-key="{seconds!r}">{seconds:.1f}</td>')
            cells.append(f"<td>{_link(folder, point.folder)}</td>")
            if heads[-1] == "error":
                cells.append(f'<td class="how">{html.escape(point.error)}</td>')
            rows += f"<tr>{''.join(cells)}</tr>"
    head = "".join(f"<th><button>{_breaking(h)}</button></th>" for h in heads)
    note = "A click on a heading sorts. Of several seeds: the median."
    return (
        f'<div class="wide"><table class="sortable"><thead><tr>{head}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div><p class="note">{note}</p>{_SCRIPT}'
    )


def _breaking(heading: str) -> str:
    """A heading that may break after the dots of a field."""
    return html.escape(heading).replace(".", ".<wbr>").replace("_", "_<wbr>")


def _cell(value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str | bool):
        return f"<td>{html.escape(str(plain))}</td>"
    return f'<td data-key="{plain!r}">{html.escape(f"{plain:.6g}")}</td>'


def _number(value: float) -> str:
    if not np.isfinite(value):
        return '<td data-key="">–</td>'
    return f'<td data-key="{value!r}">{number(value)}</td>'


def _link(folder: Path, name: str) -> str:
    if not (folder / name / PAGE).is_file():
        return "–"
    return f'<a href="{quote(name)}/{PAGE}">report</a>'

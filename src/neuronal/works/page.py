"""The page of works: their rows, self-contained, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from ..files.writing import write_text
from ..report import document
from ..report.document import Cell, Part, Section, Table, Words
from ..report.figures import Picture, Shown, shown
from .catalogue import work
from .panels import Panel, drawn
from .rows import VIOLATED, Row

PAGE, NUMBERS = "works.html", "works.json"
HEADS = ("claim", "where", "stated", "figure", "tolerance", "how it was checked", "s", "status")


def write(found: Mapping[str, Sequence[Row]], folder: Path, fast: bool) -> Path:
    """Write both files into the folder; returns the page's path."""
    rows = {name: [row.as_dict() for row in of] for name, of in found.items()}
    write_text(folder / NUMBERS, json.dumps({"fast": fast, "works": rows}, indent=1) + "\n")
    path = folder / PAGE
    write_text(path, render(found, fast, folder))
    return path


def render(found: Mapping[str, Sequence[Row]], fast: bool, folder: Path | None = None) -> str:
    """The page; its figures are written into files in the folder, if there is one."""
    every = [row for rows in found.values() for row in rows]
    counts = [
        ("works", str(len(found))),
        ("claims checked", str(len(every))),
        ("violated", str(sum(row.status == VIOLATED for row in every))),
        ("seconds", f"{sum(row.seconds for row in every):.0f}"),
    ]
    paragraphs = (
        "Each row holds a claim, the value that the claim or a computation independent of the package's "
        "gives, and the package's figure.",
        "The runs of seconds." if fast else "The full runs.",
    )
    figures = iter(
        shown([_picture(name, rows) for name, rows in found.items() if _panels(rows)], folder)
    )
    sections = [
        Section(work(name).title, _parts(name, rows, [next(figures)] if _panels(rows) else []))
        for name, rows in found.items()
    ]
    title = "The works behind the theory"
    return document.page(title, paragraphs, "works", counts, sections, "", NUMBERS)


def _parts(name: str, rows: Sequence[Row], figures: list[Shown]) -> list[Part]:
    of = work(name)
    cells = [
        [
            row.claim,
            row.where,
            {"<=": "≤ ", ">=": "≥ "}.get(row.relation, "") + document.number(row.stated),
            document.number(row.figure),
            document.number(row.tolerance),
            Cell(row.how, kind="how"),
            f"{row.seconds:.1f}",
            Cell(row.status, kind=f"status {row.status}"),
        ]
        for row in rows
    ]
    note = f"{of.settings} {of.out_of_reach}".strip()
    scaling = f"Step: {of.step}; here {of.scaling}."
    table = Table(HEADS, [[row] for row in cells], [note], "works")
    return [Words([of.reference, scaling]), *figures, table]


def _panels(rows: Sequence[Row]) -> list[Panel]:
    return [row.panel for row in rows if row.panel is not None]


def _picture(name: str, rows: Sequence[Row]) -> Picture:
    panels = _panels(rows)
    caption = f"{name}: {'; '.join(panel.title for panel in panels)}."
    return Picture(
        f"works-{name}", name, caption, partial(drawn, panels), partial(_numbers, panels)
    )


def _numbers(panels: list[Panel]) -> pd.DataFrame:
    """The points of the curves."""
    tables = [
        pd.DataFrame(
            {"panel": panel.title, "of": of.name, "look": of.look, "x": of.x, "value": of.y}
        )
        for panel in panels
        for of in panel.curves
    ]
    return pd.concat(tables, ignore_index=True)

"""The page of works: their rows, self-contained, and the same as JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..files.writing import write_text
from ..report import document
from .catalogue import work
from .panels import drawn
from .rows import VIOLATED, Row

PAGE, NUMBERS = "works.html", "works.json"
HEADS = ("claim", "where", "stated", "figure", "tolerance", "how it was checked", "s", "status")


def write(found: Mapping[str, Sequence[Row]], folder: Path, fast: bool) -> Path:
    """Write both files into the folder; returns the page's path."""
    rows = {name: [row.as_dict() for row in of] for name, of in found.items()}
    write_text(folder / NUMBERS, json.dumps({"fast": fast, "works": rows}, indent=1) + "\n")
    path = folder / PAGE
    write_text(path, render(found, fast))
    return path


def render(found: Mapping[str, Sequence[Row]], fast: bool) -> str:
    """The page."""
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
    sections = {
        html.escape(work(name).title): _section(i, name, rows)
        for i, (name, rows) in enumerate(found.items(), start=1)
    }
    return document.skeleton(
        "The works behind the theory",
        paragraphs,
        "works",
        document.facts(counts),
        sections,
        f"The numbers are in <code>{NUMBERS}</code>.",
    )


def _section(number: int, name: str, rows: Sequence[Row]) -> str:
    of = work(name)
    cells = [
        [
            html.escape(row.claim),
            html.escape(row.where),
            {"<=": "≤ ", ">=": "≥ "}.get(row.relation, "") + document.number(row.stated),
            document.number(row.figure),
            document.number(row.tolerance),
            f'<span class="how">{html.escape(row.how)}</span>',
            f"{row.seconds:.1f}",
            f'<span class="status {row.status}">{row.status}</span>',
        ]
        for row in rows
    ]
    note = f"{of.settings} {of.out_of_reach}".strip()
    scaling = f"{html.escape(of.step)}; here {html.escape(of.scaling)}"
    table = document.table(HEADS, [cells], html.escape(note))
    panels = [row.panel for row in rows if row.panel is not None]
    picture = ""
    if panels:
        caption = "; ".join(panel.title for panel in panels)
        picture = document.figure(number, lambda theme: drawn(panels, theme), f"{name}: {caption}.")
    return (
        f"<p>{html.escape(of.reference)}</p><p>Step: {scaling}.</p>"
        f'{picture}<div class="certificate works">{table}</div>'
    )

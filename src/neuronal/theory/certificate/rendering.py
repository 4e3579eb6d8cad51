"""How a certificate looks: a table for a page, and one for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Console, ConsoleRenderable
from rich.markup import escape
from rich.table import Table

from ...bounds.finding import UNKNOWN, VIOLATED
from ...pictures.templates import markup, render
from .notation import in_html, in_unicode
from .rows import Row

Sections = Iterable[tuple[str, list[Row]]]
"""Rows under the paper's headings."""

_COLUMNS = ("condition", "status", "figure", "how")
_COLOURS = {"proved": "green", "measured": "cyan", "unknown": "yellow", "violated": "bold red"}
_DEVIATING = (VIOLATED, UNKNOWN)
_WIDTH = 120
"""Of text where there is no terminal to ask."""


def as_html(title: str, summary: str, sections: Sections) -> str:
    """A table for a page: class ``certificate``, cells of class ``status`` and the status.

    What is violated or without an answer comes first, with the number of its section.
    """
    deviating, others = [], []
    for section, rows in sections:
        deviating += [_html_row(row, row.condition) for row in rows if row.status in _DEVIATING]
        rest = [_html_row(row, row.bare_condition) for row in rows if row.status not in _DEVIATING]
        others += [(section, rest)] * bool(rest)
    first = [("Violated, or without an answer", deviating)] * bool(deviating)
    return render(
        "certificate.html", title=title, summary=summary, columns=_COLUMNS, sections=first + others
    )


def as_table(
    title: str, summary: str, sections: Sections, name: Callable[[str], str] = in_unicode
) -> Table:
    """For a Rich console: a row per condition; `name` writes its symbols."""
    table = Table(title=escape(title), title_justify="left", caption=summary,
                  caption_justify="left", box=None, padding=(0, 2, 0, 0))  # fmt: skip
    table.add_column("condition", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("figure", max_width=12)
    table.add_column("how")
    for section, rows in sections:
        table.add_row(f"[bold]{section}[/bold]")
        for row in rows:
            table.add_row(
                f"  {escape(name(row.bare_condition))}",
                f"[{_COLOURS[row.status]}]{row.status}[/]",
                escape(row.figure_text),
                escape(name(row.how)),
            )
    return table


def as_text(table: ConsoleRenderable) -> str:
    """A table as text, as wide as the terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=_WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get().rstrip("\n")


def _html_row(row: Row, condition: str) -> dict[str, object]:
    return {
        "name": markup(in_html(condition)),
        "statement": in_unicode(row.statement),
        "status": row.status,
        "figure": row.figure_text,
        "how": markup(in_html(row.how)),
    }

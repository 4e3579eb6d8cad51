"""Things as tables of a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .templates import markup, render


def facts(title: str, of: Mapping[str, object], more: str = "") -> str:
    """A title and a table of two columns, escaped; `more` is HTML below it."""
    shown = [(name, value) for name, value in of.items() if str(value)]
    return render("facts.html", title=title, of=shown, more=markup(more))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with heads, escaped."""
    return render("table.html", heads=heads, rows=rows)

"""Things as tables of a notebook."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

_CELL = "text-align:left;padding:2px 12px 2px 0"


def facts(title: str, of: Mapping[str, object], more: str = "") -> str:
    """A title and a table of two columns, escaped; `more` is HTML below it."""
    rows = "".join(
        f'<tr><th style="{_CELL};font-weight:normal;opacity:.7">{html.escape(name)}</th>'
        f'<td style="{_CELL}">{html.escape(str(value))}</td></tr>'
        for name, value in of.items()
        if str(value)
    )
    return f"<div><b>{html.escape(title)}</b><table>{rows}</table>{more}</div>"


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with heads, escaped."""
    top = "".join(f'<th style="{_CELL}">{html.escape(head)}</th>' for head in heads)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{_CELL}">{html.escape(str(cell))}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"

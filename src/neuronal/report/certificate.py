"""A certificate as an HTML table."""

from __future__ import annotations

from html import escape

from ..theory.certificate.document import Certificate
from ..theory.certificate.rows import Row

_COLUMNS = ("condition", "status", "figure", "how")


def html(certificate: Certificate) -> str:
    """A table for a page: class ``certificate``, cells of class ``status`` and the status."""
    body = ""
    for section, rows in certificate.sections():
        body += f'<tr class="group"><th colspan="{len(_COLUMNS)}">{escape(section)}</th></tr>'
        body += "".join(map(_row, rows))
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    return (
        f'<table class="certificate"><caption>{escape(certificate.title)}: '
        f"{certificate.summary}.</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _row(row: Row) -> str:
    return (
        f'<tr><td title="{escape(row.statement)}">{escape(row.bare_condition)}</td>'
        f'<td class="status {row.status}">{row.status}</td>'
        f"<td>{escape(row.figure_text)}</td>"
        f'<td class="how">{escape(row.how)}</td></tr>'
    )

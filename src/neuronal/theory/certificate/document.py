"""A certificate: rows by condition; its Markdown and JSON, and (`rendering`) its tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

from ...bounds.finding import STATUSES, UNKNOWN, VIOLATED
from ...checks import require
from ...errors import InvalidInput
from .notation import escaped_markdown, in_markdown, in_unicode
from .rendering import as_html, as_table, as_text
from .rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SECTIONS = {
    "1.1": "Regularity",
    "1.2": "Bidirectional diversity",
    "1.3": "Convergence",
    "1.4": "Universal approximation",
    "2": "Theorem 2 and its conclusion",
    "NP20": "Three layers of independent weights",
}


@dataclass(frozen=True, repr=False)
class Certificate:
    """Answers to Assumption 1; `print` it for the table.

    Attributes:
        title: what is certified.
        rows: a condition each, in the paper's order.
    """

    title: str
    rows: tuple[Row, ...]

    def __getitem__(self, condition: str) -> Row:
        """The row of a condition, such as ``1.1 phi_2 bounded`` (also of layers that share one).

        Raises:
            InvalidInput: there is no such row.
        """
        for row in self.rows:
            if condition in row.names:
                return row
        names = ", ".join(repr(row.condition) for row in self.rows)
        raise InvalidInput(f"condition: {condition!r} is none of {names}")

    def of(self, status: str) -> list[Row]:
        """The rows of that status: proved, measured, unknown or violated."""
        require(status in STATUSES, f"status: {status!r} is none of {', '.join(STATUSES)}")
        return [row for row in self.rows if row.status == status]

    @property
    def violated(self) -> list[Row]:
        """The conditions that fail."""
        return self.of(VIOLATED)

    @property
    def unknown(self) -> list[Row]:
        """The conditions without an answer."""
        return self.of(UNKNOWN)

    @property
    def summary(self) -> str:
        """How many rows of each status."""
        return ", ".join(f"{len(self.of(status))} {status}" for status in STATUSES)

    def sections(self) -> Iterator[tuple[str, list[Row]]]:
        """The rows of each of the paper's conditions, with its number and name."""
        for number, words in _SECTIONS.items():
            rows = [row for row in self.rows if row.condition.split(" ", 1)[0] == number]
            if rows:
                yield f"{number} {words}", rows

    def table(self) -> Table:
        """For a Rich console."""
        return as_table(self.title, self.summary, self.sections())

    def __repr__(self) -> str:
        return f"Certificate({self.title!r}: {self.summary})"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """In Unicode, or with names such as ``phi_2`` where the terminal has other encodings."""
        name = in_unicode if options.encoding.startswith("utf") else str
        yield as_table(self.title, self.summary, self.sections(), name)

    def __str__(self) -> str:
        return as_text(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the conditions with their statuses and figures."""
        from ...pictures import drawings

        rows = [(in_unicode(row.condition), row.status, row.figure_text) for row in self.rows]
        ax = drawings.on(ax, (7.2, 0.26 * len(rows) + 0.5))
        ax.set_title(f"{self.title}: {self.summary}")
        return drawings.statuses(ax, rows)

    def _repr_html_(self) -> str:
        return self.html()

    def html(self, titled: bool = True) -> str:
        """A table for a page: class ``certificate``, cells of class ``status`` and the status.

        What is violated or without an answer comes first.

        Args:
            titled: with a caption of the title and the summary.
        """
        return as_html(self.title if titled else "", self.summary, self.sections())

    def markdown(self) -> str:
        """A heading, the summary, and one table."""
        lines = [f"# {escaped_markdown(self.title)}", "", f"{self.summary}.", ""]
        lines += ["| condition | says | status | figure | how |", "|---|---|---|---|---|"]
        for row in self.rows:
            names = map(in_markdown, (row.condition, row.statement))
            cells = [*names, row.status, escaped_markdown(row.figure_text), in_markdown(row.how)]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def json(self) -> str:
        """Everything, with the series behind the figures; numbers that are not finite as words."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_dict(self) -> dict:
        """What `json` writes."""
        rows = [
            {
                "condition": row.condition,
                "statement": row.statement,
                "status": row.status,
                "figure": _finite(row.figure),
                "how": row.how,
                "layers": list(row.layers),
                "detail": {k: [_finite(float(v)) for v in vs] for k, vs in row.detail.items()},
            }
            for row in self.rows
        ]
        return {"title": self.title, "rows": rows}

    @classmethod
    def from_dict(cls, content: Mapping) -> Certificate:
        """A certificate from `to_dict`; figures that were not finite stay words."""
        rows = [Row(**{**row, "layers": tuple(row["layers"])}) for row in content["rows"]]
        return cls(content["title"], tuple(rows))


def _finite(value: float | str) -> float | str:
    return value if isinstance(value, str) or math.isfinite(value) else str(value)

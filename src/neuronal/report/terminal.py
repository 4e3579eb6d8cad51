"""Tables in the terminal: final risks, and certificates."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from ..theory.certificate.document import Certificate

if TYPE_CHECKING:  # certificates are printed without it
    import xarray as xr

_WIDTH = 120
"""Of text where there is no terminal to ask."""

_COLOURS = {"proved": "green", "measured": "cyan", "unknown": "yellow", "violated": "bold red"}


def summary(data: xr.Dataset) -> Group:
    """The final risk of each run, as a table."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("system", style="bold")
    accuracy = "test_accuracy" in data or "limit_test_accuracy" in data
    kinds = ["limit"] if "limit_risk" in data else []
    kinds += [f"width {n}" for n in data.width.values] if "risk" in data else []
    for kind in kinds:
        table.add_column(kind, justify="right")
    for i, label in enumerate(data.system.values):
        cells = []
        for kind in kinds:
            cell = f"{_final(data, i, kind, 'risk'):.4g}"
            if accuracy:
                cell += f"  ({100 * _final(data, i, kind, 'test_accuracy'):.1f} %)"
            cells.append(cell)
        table.add_row(escape(str(label)), *cells)
    known = f", infimum {float(data.infimum):.4g}" if "infimum" in data else ""
    heading = (
        f"risk at MF time {float(data.time[-1]):g}{' (test accuracy)' if accuracy else ''}, "
        f"best constant {float(data.constant_risk):.4g}{known}"
    )
    return Group(heading, table)


def _final(data: xr.Dataset, system: int, kind: str, name: str) -> float:
    """The last value of a series; of several seeds the median."""
    if kind == "limit":
        values = data[f"limit_{name}"].isel(system=system)
    else:
        width = int(kind.removeprefix("width "))
        values = data[name].isel(system=system).sel(width=width).median("seed")
    return float(values.dropna("time")[-1])


def swept(data: xr.Dataset, fields: Sequence[str]) -> Table:
    """Final risks of a sweep: a row a combination and system."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for field in (*fields, "system"):
        table.add_column(field, style="bold")
    kinds = {"limit": data["limit_risk"]} if "limit_risk" in data else {}
    if "risk" in data:
        risks = data["risk"].median("seed")
        kinds |= {f"width {n}": risks.sel(width=n) for n in data.width.values}
    for kind in kinds:
        table.add_column(f"risk, {kind}", justify="right")
    for index in itertools.product(*(range(data.sizes[d]) for d in (*fields, "system"))):
        at = dict(zip((*fields, "system"), index, strict=True))
        names = [str(data[d].values[i]) for d, i in at.items()]
        values = [float(risk.isel(at)) for risk in kinds.values()]
        table.add_row(*map(escape, names), *(f"{v:.4g}" if v == v else "diverged" for v in values))
    return table


def certificate(found: Certificate) -> Table:
    """A certificate: a row per condition, under the paper's headings."""
    table = Table(title=escape(found.title), title_justify="left", caption=found.summary,
                  caption_justify="left", box=None, padding=(0, 2, 0, 0))  # fmt: skip
    table.add_column("condition", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("figure", max_width=12)
    table.add_column("how")
    for section, rows in found.sections():
        table.add_row(f"[bold]{section}[/bold]")
        for row in rows:
            table.add_row(
                f"  {escape(row.bare_condition)}",
                f"[{_COLOURS[row.status]}]{row.status}[/]",
                escape(row.figure_text),
                escape(row.how),
            )
    return table


def text(table: Table) -> str:
    """A table as text, as wide as the terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=_WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get().rstrip("\n")

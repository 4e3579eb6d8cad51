"""`neuronal works`: runs works, prints their rows and writes a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from ..vocabulary import WORKS
from .catalogue import full_name, run, work
from .rows import MEASURED, UNKNOWN, VIOLATED

if TYPE_CHECKING:
    from .rows import Row

STYLES = {MEASURED: "blue", VIOLATED: "red", UNKNOWN: "yellow"}


def works(
    name: Annotated[
        str | None, typer.Argument(help="The work to run; all of them if left out.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Seconds each instead of minutes.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write; runs/works if left out.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Run the works that the theory stands on, and check their claims.

    Each claim is measured, violated or unknown. Writes [b]works.json[/b] and [b]works.html[/b]. Exit code
    1 if a claim is violated.
    """
    chosen = WORKS if name is None else (full_name(name),)
    console = Console(highlight=False, quiet=quiet)
    found: dict[str, list[Row]] = {}
    with console.status("starting") as status:
        for each in chosen:
            status.update(f"running {each}")
            tell = lambda row, name=each: status.update(f"running {name}: {escape(row.claim)}")
            found[each] = run(each, fast, tell)
            console.print(listing(each, found[each]))
            console.print()
    from .page import write

    path = write(found, out or Path("runs") / "works", fast)
    console.print(f"wrote {escape(str(path))}", soft_wrap=True)
    if any(row.status == VIOLATED for rows in found.values() for row in rows):
        raise typer.Exit(1)


def listing(name: str, rows: list[Row]) -> Group:
    """The rows of a work as a table of the terminal."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("claim", overflow="fold")
    for head in ("stated", "figure", "tolerance", "s"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for row in rows:
        sign = {"<=": "≤ ", ">=": "≥ "}.get(row.relation, "")
        numbers = (f"{sign}{row.stated:.4g}", f"{row.figure:.4g}", f"{row.tolerance:.2g}")
        status = f"[{STYLES[row.status]}]{row.status}[/]"
        table.add_row(escape(row.claim), *numbers, f"{row.seconds:.1f}", status)
    of = work(name)
    return Group(f"[b]{name}[/b]  {escape(of.title)}. {escape(of.reference)}", table)

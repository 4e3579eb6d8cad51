"""`neuronal plan`: the networks that a budget is best spent on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from ..theory.planning import Plan


def plan(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The experiment.")],
    budget: Annotated[
        float | None,
        typer.Option("--budget", "-b", help="Floating-point operations of training; plan.budget."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder to write; runs/NAME-plan if left out."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Plan width, depth, learning rate and steps for a budget.

    From limits and their fluctuations, and from trials if the table [b]\\[plan][/b] has
    [b]probes[/b]. Writes [b]plan.nc[/b], and [b]planned.toml[/b], which
    [b]neuronal run[/b] takes.
    """
    from ..experiments import load
    from ..experiments.sweep.combinations import changed_by

    experiment = load(file)
    if budget is not None:
        experiment = changed_by(experiment, [f"plan.budget={budget:g}"], file.parent)
    from ..experiments.plan import plan_experiment
    from ..report import progress

    console = Console(highlight=False, quiet=quiet)
    folder = out or Path("runs") / f"{experiment.name}-plan"
    with progress.Shares(console, "solving the limit", quiet) as shown:
        found, path = plan_experiment(experiment, folder, shown.done)
    console.print(listing(found))
    console.print(f"\nwrote {escape(str(path))}", soft_wrap=True)


def listing(found: Plan) -> Group:
    """The plan, what is expected of each depth and width, and what is not known."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for head in ("L", "width", "rate", "steps", "risk", f"{found.level:.0%} interval", "ends by"):
        table.add_column(head, justify="left" if head == "ends by" else "right")
    for row in found.table.to_dict("records"):
        numbers = (str(row["depth"]), str(row["width"]), f"{row['learning_rate']:g}")
        risks = (f"{row['risk']:.3g}", f"{row['low']:.3g} to {row['high']:.3g}")
        table.add_row(*numbers, str(row["steps"]), *risks, str(row["end"]))
    reasons = [escape(f"nothing known, L = {depth}: {why}") for depth, why in found.unknown.items()]
    tried = (
        [f"{len(found.probes)} trials, which took {found.spent / found.budget:.2g} budgets"]
        if len(found.probes)
        else []
    )
    return Group(f"[b]{escape(str(found))}[/b]", *tried, "", table, *reasons)

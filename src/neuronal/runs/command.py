"""`neuronal run` and `neuronal gallery`: a run from its file to its page."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..experiments.interrupts import going_on

if TYPE_CHECKING:
    from ..experiments.config import Experiment

_out = Console(highlight=False)

Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder to write; runs/NAME if left out.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoints.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", "-s", metavar="FIELD=VALUE", help="Set a field.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start anew where a run is.")]
Log = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="KIND:WHERE",
        help="Write records to jsonl:FILE, tensorboard:DIR or mlflow:URI.",
    ),
]


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The experiment.")],
    settings: Set = None,
    out: Out = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    log: Log = None,
    quiet: Quiet = False,
) -> None:
    """Solve the limit, train the networks, and write a folder with a page.

    The folder holds [b]config.toml[/b] (as run), [b]results.nc[/b], [b]report.html[/b] and its
    [b]figures[/b], the certificates and the checkpoints. The page is there while the run goes on.
    """
    from ..experiments import load

    experiment = load(file)
    from ..experiments.sweep.combinations import changed_by

    chosen = changed_by(experiment, settings or [], file.parent)
    _run(chosen, out, resume, overwrite, log or [], quiet)


def gallery(
    name: Annotated[str | None, typer.Argument(help="The example to run.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print its file instead.")] = False,
    out: Out = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    log: Log = None,
    quiet: Quiet = False,
) -> None:
    """List the bundled examples, or run one."""
    from ..experiments import examples as bundled
    from ..experiments import load

    if name is None:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        table.add_column("example", style="bold", no_wrap=True)
        table.add_column("what it shows")
        for key, path in bundled.examples().items():
            table.add_row(key, escape(load(path).title))
        _out.print(table)
        _out.print("\nneuronal gallery NAME runs one, --show prints its file.")
        return
    path = bundled.example(name)
    if show:
        typer.echo(path.read_text(encoding="utf-8"), nl=False)
        return
    _run(load(path), out, resume, overwrite, log or [], quiet)


def _run(
    experiment: Experiment,
    out: Path | None,
    resume: bool,
    overwrite: bool,
    log: list[str],
    quiet: bool,
) -> None:
    from ..experiments.jobs import jobs
    from ..records.loggers import logger
    from ..records.record import told
    from ..report import progress, terminal
    from .whole import run_whole

    folder = out or Path("runs") / experiment.name
    with (
        ExitStack() as opened,
        progress.Jobs(_out, list(jobs(experiment)), quiet) as shown,
        going_on(f"--resume goes on from the checkpoints in {folder}"),
    ):
        tell = told([opened.enter_context(logger(words)) for words in log])
        data, path = run_whole(experiment, folder, resume, overwrite, shown.record, shown.say, tell)
    if not quiet:
        _out.print(terminal.summary(data))
        _out.print(f"\nwrote {escape(str(path))}", soft_wrap=True)

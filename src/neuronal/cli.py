"""The command line: `neuronal run`, `certify`, `couple`, `predict`, `plan`, `sweep` and so on.

Exit codes: 0 done; 1 points of a sweep failed, or claims of works; 2 input that cannot be used, or a
run that diverged; 130 interrupted, 143 told to end.
"""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from .experiments.command import print_schema
from .experiments.interrupts import going_on, listening, ways_on
from .runs.command import Out, Overwrite, Quiet, gallery, run
from .runs.planning import plan
from .works.command import works

app = typer.Typer(
    name="neuronal",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_out = Console(highlight=False)


def _version(asked: bool) -> None:
    if asked:
        from importlib import metadata

        typer.echo(f"neuronal {metadata.version('neuronal')}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """The mean-field theory of multilayer neural networks, made executable."""


app.command()(run)


@app.command()
def certify(
    source: Annotated[
        Path, typer.Argument(metavar="FILE.toml|DIR", help="An experiment, or the folder of a run.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder to write; DIR, or runs/NAME-certificate."),
    ] = None,
) -> None:
    """Answer the conditions of global convergence, one by one, for each system.

    Each is proved, measured, violated or unknown. Writes [b]certificate.json[/b] and [b].md[/b].
    """
    from .experiments import load
    from .experiments.folder import CERTIFICATE, CONFIG

    experiment = load(source / CONFIG if source.is_dir() else source)
    from .experiments import certify as certificates

    folder = out or (source if source.is_dir() else Path("runs") / f"{experiment.name}-certificate")
    with _out.status("certifying") as status:
        found = certificates.certify_systems(
            experiment, lambda label: status.update(f"certifying {escape(label)}"), folder
        )
    certificates.write(found, folder)
    for certificate in found:
        _out.print(certificate, "")
    _out.print(f"wrote {escape(str(folder / CERTIFICATE))}", soft_wrap=True)


@app.command()
def couple(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The experiment.")],
    out: Out = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Couple networks of several widths with their limit, neuron by neuron.

    Distances of predictions, risks and weights, with the rates fitted in the width and in the
    learning rate, as the table [b]\\[coupling][/b] of the experiment asks. The folder holds
    [b]coupling.nc[/b] and [b]coupling.html[/b]. One that was interrupted goes on where it was.
    """
    from .experiments import load

    experiment = load(file)
    from .experiments.couple import couple_systems
    from .report import coupling as page
    from .report import progress, terminal

    folder = out or Path("runs") / experiment.name
    with (
        progress.Shares(_out, "solving the limit", quiet) as shown,
        going_on(f"the same command goes on from the runs in {folder}"),
    ):
        data = couple_systems(experiment, folder, overwrite, shown.done)
    path = page.write(data, folder)
    if not quiet:
        _out.print(terminal.coupled(data))
        _out.print(f"\nwrote {escape(str(path))}", soft_wrap=True)


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The experiment.")],
    out: Out = None,
    quiet: Quiet = False,
) -> None:
    """Predict the risks of networks from their limit alone, before any is trained.

    Mean and standard deviation over networks, of every width that the table
    [b]\\[fluctuations][/b] of the experiment names, or of its networks. Writes
    [b]prediction.nc[/b]; in the folder of a run, [b]neuronal report[/b] then draws both.
    """
    from .experiments import load

    experiment = load(file)
    from .experiments.predict import predict_systems
    from .report import progress, terminal

    folder = out or Path("runs") / f"{experiment.name}-prediction"
    with progress.Shares(_out, "solving the limit", quiet) as shown:
        data, path = predict_systems(experiment, folder, shown.done)
    if not quiet:
        _out.print(terminal.predicted(data))
        _out.print(f"\nwrote {escape(str(path))}", soft_wrap=True)


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The experiment.")],
    settings: Annotated[
        list[str],
        typer.Option("--set", "-s", metavar="FIELD=VALUE,...", help="A field and its values."),
    ],
    out: Out = None,
    overwrite: Overwrite = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", "-j", min=1, help="Processes; one per processor if left out."),
    ] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Dask's.")] = None,
    quiet: Quiet = False,
) -> None:
    """Run an experiment at every combination of some settings.

    [b]neuronal sweep mine.toml --set networks.learning_rate=0.05,0.1 --set systems.depth=3,6[/b]
    makes four folders, [b]sweep.nc[/b] with their final risks, [b]sweep.html[/b] that compares
    them, and a table. Runs that are finished are not run again; those that failed are.
    """
    from .experiments import load

    experiment = load(file)
    from .experiments import sweep as sweeps
    from .experiments.sweep import cluster
    from .report import progress, terminal
    from .runs.sweeping import sweep_whole

    swept = sweeps.settings_of(settings)
    folder = out or Path("runs") / f"{experiment.name}-sweep"
    with (
        cluster.chosen(workers, scheduler) as executor,
        progress.Points(_out, quiet) as shown,
        going_on("the same command goes on where it was"),
    ):
        data, path = sweep_whole(
            experiment, swept, folder, executor, overwrite, file.parent, shown.begin, shown.done
        )
    if not quiet:
        _out.print(terminal.swept(data, list(swept)))
        _out.print(f"\nwrote {escape(str(path))}", soft_wrap=True)
    if failed := int((data.status == "failed").sum()):
        _stop(f"{failed} of {data.status.size} points failed; the same command tries them again", 1)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What a run or a sweep wrote.")],
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Write figures with hover, too; takes Plotly.")
    ] = False,
) -> None:
    """Write report.html anew, of a run that has ended or not, or sweep.html."""
    from .report import anew

    _out.print(f"wrote {escape(str(anew.write(folder)))}", soft_wrap=True)
    if interactive:
        _out.print(f"wrote {escape(str(anew.look(folder)))}", soft_wrap=True)


app.command()(gallery)


@app.command()
def warmup(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE.toml]...", help="Experiments; the bundled ones if left out."),
    ] = None,
) -> None:
    """Compile what experiments need, so that their runs start at once.

    Programs are kept in the user's cache folder, or in that which [b]NEURONAL_CACHE[/b] names.
    """
    from .experiments import examples, load

    found = [load(file) for file in files or examples.examples().values()]
    from . import programs
    from .experiments.rehearsal import rehearse

    folder = programs.kept()
    with _out.status("compiling") as status:
        for experiment in found:
            status.update(f"compiling {escape(experiment.name)}")
            rehearse(experiment)
    _out.print(f"programs are kept in {escape(folder)}", soft_wrap=True)


app.command()(plan)
app.command()(works)
app.command("schema")(print_schema)


def _end(trouble: str) -> None:
    """The last words, and the terminal as it was."""
    _out.show_cursor()
    words = "; ".join([f"{trouble} interrupted".strip(), *ways_on[-1:]])
    print(f"\nneuronal: {words}", file=sys.stderr, flush=True)


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    print(f"neuronal: {message}", file=sys.stderr, flush=True)


def _stop(message: str, code: int) -> NoReturn:
    _warn(message)
    raise SystemExit(code)


def main() -> None:
    """The entry point: errors of the user's input as one message on stderr, exit code 2."""
    from .errors import DivergenceError, InvalidInput

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what its encoding does not have becomes ?
            stream.reconfigure(errors="replace")
    try:
        with listening(_end), warnings.catch_warnings():
            warnings.showwarning = _warn
            app()
    except (InvalidInput, DivergenceError) as error:
        _stop(str(error), 2)
    except OSError as error:
        words = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        _stop("; ".join([words, *getattr(error, "__notes__", [])]), 2)
    except (MemoryError, RuntimeError) as error:  # JAX's own is a RuntimeError
        if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        _stop("out of memory; take fewer nodes, narrower networks or less data", 2)


if __name__ == "__main__":
    main()

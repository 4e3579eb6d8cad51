"""Run an experiment in a folder: configuration, checkpoints, `results.nc`."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import jax
import xarray as xr

from ..checks import require
from ..errors import InvalidInput
from . import results
from .build import build
from .checkpoints import atomically
from .config import Experiment
from .jobs import OnLeg, advance, jobs

CONFIG, CHECKPOINTS = "config.toml", "checkpoints"


def run(
    experiment: Experiment,
    folder: str | Path,
    resume: bool = False,
    overwrite: bool = False,
    on_record: OnLeg | None = None,
) -> xr.Dataset:
    """Run all jobs of an experiment and write its folder.

    Args:
        folder: created if it is not there.
        resume: go on from the checkpoints of the same experiment, if there are any; the
            results are those of a run never interrupted.
        overwrite: start anew where the folder holds a run.
        on_record: called with the job, its MF time and its risk at every record.

    Returns:
        the dataset written as `results.nc`.

    Raises:
        InvalidInput: a folder that holds something else, or input that does not fit.
        DivergenceError: a job left the finite numbers.
    """
    folder = Path(folder)
    _prepare(experiment, folder, resume, overwrite)
    with jax.enable_x64(experiment.run.precision == "float64"):
        todo = list(jobs(experiment))
        built = build(experiment)
        atomically(folder / CONFIG, lambda file: file.write(experiment.to_toml().encode()))
        states = {
            job: advance(experiment, built, job, folder / CHECKPOINTS, on_record) for job in todo
        }
        data = results.collect(experiment, built, states)
    results.write(data, folder / results.FILE)
    return data


def _prepare(experiment: Experiment, folder: Path, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that would lose something; clear it for a new start."""
    name = str(folder)
    require(not folder.exists() or folder.is_dir(), f"--out: {name!r} is a file; takes a folder")
    config = folder / CONFIG
    if not config.is_file():
        strange = folder.is_dir() and any(folder.iterdir())
        require(
            not strange,
            f"--out: {name!r} holds files that are no run; take an empty or a new folder",
        )
        return
    if overwrite:
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        for file in (
            CONFIG,
            results.FILE,
            results.PAGE,
            results.CERTIFICATE,
            results.CERTIFICATE_MD,
        ):
            (folder / file).unlink(missing_ok=True)
        return
    differing = changed(experiment, config)
    if resume:
        require(
            not differing,
            f"--resume: {name!r} holds a run of another configuration ({', '.join(differing)} differ); "
            "take another --out, or --overwrite",
        )
        return
    finished = (folder / results.FILE).is_file()
    same = "this" if not differing else "another"
    state = "a finished" if finished else "an unfinished"
    ways = "--resume to go on with it, " if not differing and not finished else ""
    raise InvalidInput(
        f"--out: {name!r} holds {state} run of {same} configuration; take {ways}another --out, or "
        "--overwrite to start anew"
    )


def changed(experiment: Experiment, config: Path) -> list[str]:
    """The tables of the configuration in which an experiment differs from a folder's."""
    try:
        before = tomllib.loads(config.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return [CONFIG]
    now = tomllib.loads(experiment.to_toml())
    # Words change no number, and couplings stand in a file of their own.
    words = ("title", "description", "coupling")
    return [
        key for key in sorted({*before, *now})
        if key not in words and before.get(key) != now.get(key)
    ]  # fmt: skip

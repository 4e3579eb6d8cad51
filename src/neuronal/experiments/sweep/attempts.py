"""What a worker does for a sweep: one point, or one limit that points share, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import numpy as np
import xarray as xr

from ...errors import DivergenceError, InvalidInput
from .. import checkpoints
from ..build import build
from ..config import Experiment
from ..folder import CHECKPOINTS, CONFIG, check_data, keep_data, locked, prepare_run, write_config
from ..jobs import Job, check_memory
from ..legs import advance
from ..runner import run
from . import limits

TRIES = "tries"
"""The folder in which beginnings are counted while a sweep goes on."""


@dataclass(frozen=True)
class Outcome:
    """How a point of a sweep ended, or stands.

    Attributes:
        status: whether it has its results; while a sweep goes on, how it stands.
        error: one line that says why not, else empty.
        tries: how often a worker began it in this sweep: 0 if it was finished before, more than
            1 if workers were killed.
        seconds: wall time in the drivers, over all sessions.
        final: the last values of every series, ``(system,)`` of limits and
            ``(system, width, seed)`` of networks; None if it failed.
    """

    status: Literal["finished", "failed", "begun", "waiting"]
    error: str = ""
    tries: int = 0
    seconds: float = 0.0
    final: xr.Dataset | None = None


def attempt_point(
    experiment: Experiment, home: Path, digest: str, name: str, shared: dict[Job, str]
) -> Outcome:
    """Run a point, or go on with it, and tell how it ended: no error of its own is raised.

    Args:
        home: the folder of the sweep; the point's is `home / name`.
        digest: of the data, which must be those that are there; empty if they are drawn from a law.
        shared: limits that are taken from the sweep's, if they are there.
    """
    folder = home / name
    tries = 0
    try:
        tries = begin(home, name)
        with locked(folder):
            prepare_run(experiment, folder, resume=True, overwrite=False)
            check_data(experiment, digest, folder)
            write_config(experiment, folder)  # with its digest before any state is there
            keep_data(experiment, digest, folder)
            for job, key in shared.items():
                limits.lend(home, key, folder / CHECKPOINTS / job.file)
        data = run(experiment, folder, resume=True)
    except Exception as error:
        return failed(one_line(error), tries, folder)
    return finished(data, tries)


def attempt_limit(experiment: Experiment, home: Path, digest: str, job: Job, key: str) -> str:
    """Solve a limit that points share, from its last checkpoint; what went wrong, if it did.

    Args:
        experiment: of any of the points.
    """
    try:
        begin(home, key)
        with jax.enable_x64(experiment.run.precision == "float64"):
            built = build(experiment)
            if built.digest != digest:
                raise InvalidInput("problem: the data were edited while the sweep went on")
            check_memory(experiment, built, [job])
            advance(experiment, built, job, limits.workshop(home, key))
        limits.keep(home, key, job)
    except Exception as error:
        return one_line(error)
    return ""


def finished(data: xr.Dataset, tries: int = 0) -> Outcome:
    """The outcome of a point with these results."""
    seconds = [np.nansum(data[n].values) for n in ("seconds", "limit_seconds") if n in data]
    return Outcome("finished", "", tries, float(sum(seconds)), _final(data))


def failed(error: str, tries: int, folder: Path) -> Outcome:
    """The outcome of a point without results, whose checkpoints are in its folder."""
    return Outcome("failed", error, tries, _spent(folder / CHECKPOINTS))


def standing(folder: Path) -> Outcome:
    """The outcome, so far, of a point that has not ended."""
    return Outcome("begun" if (folder / CONFIG).is_file() else "waiting")


def begin(home: Path, name: str) -> int:
    """Count a beginning of a point or a limit; how many there are.

    Raises:
        InvalidInput: this machine does not see the folder of the sweep.
    """
    if not (home / TRIES).is_dir():
        raise InvalidInput(
            f"--out: a worker does not see {str(home)!r}; takes a folder that all machines share"
        )
    with (home / TRIES / name).open("ab") as file:
        file.write(b".")
    return begun(home, name)


def begun(home: Path, name: str) -> int:
    """How often a point or a limit was begun in this sweep."""
    file = home / TRIES / name
    return file.stat().st_size if file.is_file() else 0


def one_line(error: BaseException) -> str:
    """An error as one line that can be printed and kept; of others than the user's, its kind too."""
    words = str(error)
    if not isinstance(error, InvalidInput | DivergenceError):
        words = f"{type(error).__name__}: {words}" if words else type(error).__name__
    printable = "".join(c if c.isprintable() else " " for c in words)
    return " ".join(printable.split())


def _final(data: xr.Dataset) -> xr.Dataset:
    """The last values of every series of a run."""
    return xr.Dataset(
        {
            name: data[name].dropna("time", how="all").isel(time=-1, drop=True)
            for name in data.data_vars
            if "time" in data[name].dims
        }
    )


def _spent(folder: Path) -> float:
    seconds = 0.0
    for file in sorted(folder.glob("*.npz")):
        if file.name.endswith(checkpoints.PREVIOUS):
            continue
        try:
            state = checkpoints.load(file)
        except InvalidInput:
            continue
        seconds += state.seconds if state else 0.0
    return seconds

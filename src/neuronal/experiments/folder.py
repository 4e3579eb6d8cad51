"""The folder of an experiment: the names of its files, and what must not be lost."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import InvalidInput, require
from ..files.writing import PARTIAL, atomically, write_text
from . import code
from .config import Experiment
from .learned import TableProblem
from .sections import Section

CONFIG = "config.toml"
"""The experiment as run."""
DATA = "data.sha256"
"""The digest of the data of a run on real ones."""
CHECKPOINTS = "checkpoints"
"""The folder of the jobs' states."""
RESULTS = "results.nc"
PAGE = "report.html"
FIGURES = "figures"
"""The folder of a page's figures as files."""
CERTIFICATE = "certificate.json"
CERTIFICATE_MD = "certificate.md"
COUPLING = "coupling.nc"
COUPLING_PAGE = "coupling.html"
COUPLING_RUNS = "coupling-runs"
"""The folder of the runs of a coupling that is not finished."""
PREDICTION = "prediction.nc"
PLAN = "plan.nc"
PLANNED = "planned.toml"
"""The experiment that a plan comes to."""
SWEEP = "sweep.nc"
SWEEP_PAGE = "sweep.html"
LOCK = ".lock"


def prepare_run(experiment: Experiment, folder: Path, resume: bool, overwrite: bool) -> None:
    """Refuse a folder in which a run would lose something; clear it for a new start.

    Raises:
        InvalidInput: the folder holds something else, or a run that is not to be replaced.
    """
    if not _holds_run(folder):
        return
    if overwrite:
        _clear(folder)
        return
    differing = changed(experiment, folder / CONFIG)
    if resume:
        if differing:
            raise InvalidInput(_another("--resume", folder, differing) + ", or --overwrite")
        return
    finished = (folder / RESULTS).is_file()
    same = "this" if not differing else "another"
    state = "a finished" if finished else "an unfinished"
    ways = "--resume to go on with it, " if not differing and not finished else ""
    raise InvalidInput(
        f"--out: {str(folder)!r} holds {state} run of {same} configuration; take {ways}another "
        "--out, or --overwrite to start anew"
    )


def prepare_coupling(experiment: Experiment, folder: Path, overwrite: bool) -> None:
    """Refuse a folder in which a coupling would lose something, or meet another experiment.

    Raises:
        InvalidInput: the folder holds something else, or a coupling that is not to be replaced.
    """
    if not _holds_run(folder):
        return
    differing = changed(experiment, folder / CONFIG)
    if differing:
        raise InvalidInput(_another("--out", folder, differing))
    require(
        overwrite or not (folder / COUPLING).exists(),
        f"--out: {str(folder)!r} holds a finished coupling; take another --out, or --overwrite",
    )
    if overwrite:
        shutil.rmtree(folder / COUPLING_RUNS, ignore_errors=True)
    if overwrite and not (folder / CHECKPOINTS).exists() and not (folder / RESULTS).exists():
        (folder / DATA).unlink(missing_ok=True)  # of the coupling alone, which is made anew


def prepare_prediction(experiment: Experiment, folder: Path) -> None:
    """Refuse the folder of another experiment, whose report the prediction would meet.

    Raises:
        InvalidInput: the folder holds a run or a coupling of another configuration.
    """
    if (folder / CONFIG).is_file():
        differing = changed(experiment, folder / CONFIG)
        if differing:
            raise InvalidInput(_another("--out", folder, differing))


def changed(experiment: Experiment, config: Path) -> list[str]:
    """The tables of the configuration in which an experiment differs from a folder's."""
    try:
        before = tomllib.loads(config.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return [CONFIG]
    return differing_tables(before, tomllib.loads(experiment.to_toml()))


def differing_tables(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The tables in which two configurations differ, as far as the numbers of a run go."""
    # Where data lie changes nothing; `check_data` sees whether they are the same.
    for content in (before, now):
        for table, field in code.places(content):
            table[field] = Path(table[field]).name
        if isinstance(content.get("problem"), dict):
            content["problem"].pop("path", None)
    # A table that a file does not have stands at its defaults.
    for key, field in Experiment.model_fields.items():
        for content in (before, now):
            if key not in content and isinstance(field.default, Section):
                content[key] = field.default.model_dump(exclude_none=True)
    # Words change no number; couplings, predictions and plans stand in files of their own.
    words = ("title", "description", "coupling", "fluctuations", "plan")
    return [
        key for key in sorted({*before, *now})
        if key not in words and before.get(key) != now.get(key)
    ]  # fmt: skip


def write_config(experiment: Experiment, folder: Path) -> None:
    """Write the experiment as `config.toml`, which makes the folder that of a run."""
    content, file = experiment.to_toml(folder).encode(), folder / CONFIG
    if not file.is_file() or file.read_bytes() != content:
        atomically(file, lambda opened: opened.write(content))


def check_data(experiment: Experiment, digest: str, folder: Path) -> None:
    """Refuse data that are not those of the run in the folder, if it has one on real data.

    Args:
        digest: of the data now; empty if they are drawn from a law.
    """
    file = folder / DATA
    if not digest or not file.is_file():
        return
    problem = experiment.problem
    name = repr(problem.path) if isinstance(problem, TableProblem) else f"of {problem.kind!r}"
    require(
        file.read_text(encoding="utf-8").strip() == digest,
        f"problem: the data {name}, or the functions of your own, are not those of the run in "
        f"{str(folder)!r}: they were edited since; take another --out, or --overwrite",
    )


def keep_data(experiment: Experiment, digest: str, folder: Path) -> None:
    """`check_data`, and keep the digest for the next time."""
    check_data(experiment, digest, folder)
    if digest:
        write_text(folder / DATA, f"{digest}\n")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder, which is made if it is not there, from other processes that would write in it.

    The lock is the operating system's, so that it ends with the process, however that ends.

    Raises:
        InvalidInput: another run holds it, or it is no folder that can be written.
    """
    name = str(folder)
    require(not folder.exists() or folder.is_dir(), f"--out: {name!r} is a file; takes a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, blocking=False)
        lock.acquire()
    except Timeout:
        raise InvalidInput(
            f"--out: {name!r} is in use by another run; wait for its end, or take another --out"
        ) from None
    except OSError as error:
        raise InvalidInput(f"--out: {name!r} cannot be written: {error.strerror}") from None
    try:
        _clear_torn(folder)
        yield
    finally:
        lock.release()


def _holds_run(folder: Path) -> bool:
    """Whether there is a run in the folder, whatever its state; refuse files that are no run."""
    name = str(folder)
    require(not folder.exists() or folder.is_dir(), f"--out: {name!r} is a file; takes a folder")
    held = (folder / CONFIG).is_file()
    strange = not held and folder.is_dir() and any(not _ours(file) for file in folder.iterdir())
    require(
        not strange, f"--out: {name!r} holds files that are no run; take an empty or a new folder"
    )
    return held


def _clear_torn(folder: Path) -> None:
    """Delete what a process that was killed was writing, and nothing of anyone else's."""
    names = (CONFIG, DATA, RESULTS, PAGE, CERTIFICATE, CERTIFICATE_MD, COUPLING, COUPLING_PAGE)
    patterns = [f".{name}*{PARTIAL}" for name in (*names, PREDICTION, SWEEP, SWEEP_PAGE)]
    if (folder / CONFIG).is_file() or (folder / SWEEP).is_file():
        patterns += [f"{CHECKPOINTS}/.*{PARTIAL}", f"{FIGURES}/.*{PARTIAL}"]
    for pattern in patterns:
        for torn in folder.glob(pattern):
            torn.unlink(missing_ok=True)


def _ours(file: Path) -> bool:
    """Whether a file is what any run leaves before it has its configuration, or a prediction made before."""
    return file.name in (LOCK, PREDICTION) or file.name.endswith(PARTIAL)


def _another(option: str, folder: Path, differing: list[str]) -> str:
    return (
        f"{option}: {str(folder)!r} holds a run of another configuration "
        f"({', '.join(differing)} differ); take another --out"
    )


def _clear(folder: Path) -> None:
    """Delete what a run wrote; a coupling and a prediction stay."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    for file in (CONFIG, DATA, RESULTS, PAGE, CERTIFICATE, CERTIFICATE_MD):
        (folder / file).unlink(missing_ok=True)
    for file in (folder / FIGURES).glob("*"):
        if not file.name.startswith("coupling-"):
            file.unlink()

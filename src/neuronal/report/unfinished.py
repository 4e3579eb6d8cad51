"""The page of a run without results: one that goes on, was interrupted, or diverged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import xarray as xr
from filelock import FileLock, Timeout

from ..experiments import checkpoints, results
from ..experiments.checkpoints import Checkpoint
from ..experiments.config import Experiment, load
from ..experiments.folder import CHECKPOINTS, CONFIG, LOCK, PAGE
from ..experiments.jobs import Job, jobs
from ..files.writing import write_text
from . import document
from .document import Cell, Notice, Section, Table, number
from .figures import Shown, shown
from .page import pictures, total_seconds


def way_on(experiment: Experiment) -> str:
    """How to go on with a run, in words that hold no path of a machine."""
    if experiment.problem.kind == "given":
        return "experiment.resume(DIR)"
    return "neuronal run FILE.toml --out DIR --resume"


def interrupted(experiment: Experiment, states: Mapping[Job, Checkpoint]) -> Notice:
    """Where a run was interrupted that has come as far as these states."""
    begun = [job for job, state in states.items() if state.records < len(job.times)]
    where = "".join(
        f" in {job.title}, at t = {job.times[states[job].records - 1]:.4g} of {job.times[-1]:g}"
        for job in begun
    )
    if len(states) == len(list(jobs(experiment))) and not begun:
        where = " when its runs had ended, before its certificates and page"
    words = f"Interrupted{where}. What was reached is kept."
    return Notice("interrupted", words, way_on(experiment))


def write(
    experiment: Experiment,
    states: Mapping[Job, Checkpoint],
    folder: Path,
    notice: Notice,
    figures: Sequence[Shown],
) -> Path:
    """Write the page of a run that has come as far as these states; returns its path.

    Args:
        states: of the jobs that have begun.
        notice: how it stands.
        figures: of `drawn`.
    """
    data = results.recorded(experiment, dict(states))
    todo = list(jobs(experiment))
    done = sum(job in states and states[job].records == len(job.times) for job in todo)
    facts = [
        ("runs done", f"{done} of {len(todo)}"),
        ("to MF time", number(float(data.time.values[-1]))),
        ("time in the drivers", f"{total_seconds(data):.0f} s"),
    ]
    sections = [Section("Runs", [_jobs(todo, states)]), Section("Figures", figures)]
    path = folder / PAGE
    write_text(path, document.document(data, "an unfinished run", facts, sections, "", notice))
    return path


def drawn(
    experiment: Experiment,
    states: Mapping[Job, Checkpoint],
    names: Collection[str] = ("risk",),
    folder: Path | None = None,
) -> list[Shown]:
    """The figures of what the states reached, of those names if there is something for them.

    Args:
        folder: for their files; none are written if left out.
    """
    data = _reached(results.recorded(experiment, dict(states)), states)
    return shown([p for p in pictures(data) if p.name in names], folder)


def of_folder(experiment: Experiment, folder: Path) -> Path | None:
    """Write the page of what a folder without results holds; None if that is nothing.

    Whether its run goes on is told by the folder's lock, whether it diverged by its checkpoints.
    """
    states = _kept(experiment, folder)
    if not states:
        return None
    notice = interrupted(experiment, states)
    for job, state in states.items():
        if state.diverged_at is not None:
            field = "networks.learning_rate" if job.width else "limit.step or limit.rtol"
            words = f"{job.title}: diverged at t = {state.diverged_at:g}. Take a smaller {field}."
            notice = Notice("diverged", words)
    try:
        with FileLock(folder / LOCK, blocking=False):
            pass
    except Timeout:
        notice = Notice("running", "Running; by its last checkpoints.")
    return write(
        experiment, states, folder, notice, drawn(experiment, states, names(notice), folder)
    )


def so_far(folder: Path) -> xr.Dataset | None:
    """What a run without results has recorded by its checkpoints; None if that is nothing.

    Raises:
        InvalidInput: no configuration of a run is there.
    """
    experiment = load(folder / CONFIG)
    states = _kept(experiment, folder)
    return _reached(results.recorded(experiment, states), states) if states else None


def names(notice: Notice) -> set[str]:
    """The figures of a run that has ended so: what diverged has left its limit."""
    found = {"risk", "difference", "test-accuracy", "test-risk"}
    return found - {"difference"} if notice.kind == "diverged" else found


def _kept(experiment: Experiment, folder: Path) -> dict[Job, Checkpoint]:
    """What the checkpoints of a run hold of each job that has any."""
    found = {j: checkpoints.glance(folder / CHECKPOINTS / j.file) for j in jobs(experiment)}
    return {job: state for job, state in found.items() if state is not None}


def _reached(data: xr.Dataset, states: Mapping[Job, Checkpoint]) -> xr.Dataset:
    """The systems that have begun, and the times up to the last record of any job."""
    last = max((state.records for state in states.values()), default=0)
    begun = sorted({job.system for job in states})
    return data.isel(time=slice(0, max(last, 2)), system=begun or slice(None))


def _jobs(todo: list[Job], states: Mapping[Job, Checkpoint]) -> Table:
    """How far each job is that has begun, and how many have not."""
    rows: list[list[str | Cell]] = []
    begun = [job for job in todo if job in states and states[job].records]
    for job in begun:
        state, end = states[job], job.times[-1]
        status = Cell("finished")
        if state.diverged_at is not None:
            status = Cell(f"diverged at t = {number(state.diverged_at)}", kind="failed")
        elif state.records < len(job.times):
            status = Cell("begun")
        reached = number(job.times[state.records - 1])
        risk = number(float(state.series["risk"][-1]))
        rows.append([job.title, status, f"{reached} of {number(end)}", risk])
    left = len(todo) - len(begun)
    notes = [f"{left} more {'run has' if left == 1 else 'runs have'} not begun."] if left else []
    return Table(["run", "status", "MF time", "last risk"], [[row] for row in rows], notes)

"""What a sweep has to do: points that are finished, those to run, and limits that they share."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InvalidInput
from .. import results
from ..build import data_digest
from ..folder import CHECKPOINTS, RESULTS, check_data, locked, prepare_run
from ..jobs import Job, jobs
from . import limits
from .attempts import Outcome, finished
from .combinations import Point


@dataclass(frozen=True)
class Limit:
    """A limit that several points share, of the point that stands for them."""

    key: str
    job: Job
    point: Point


@dataclass
class Plan:
    """The work of a sweep.

    Attributes:
        home: the folder of the sweep.
        done: outcomes of points that were finished before, by name.
        todo: the other points.
        digests: of each point's data, by name.
        shared: keys of each point's limits that the sweep keeps, or is to keep, by name.
        unsolved: limits to solve before the points that share them.
    """

    home: Path
    done: dict[str, Outcome] = field(default_factory=dict)
    todo: list[Point] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    shared: dict[str, dict[Job, str]] = field(default_factory=dict)
    unsolved: list[Limit] = field(default_factory=list)


def digests_of(points: list[Point], executor: Executor) -> dict[str, str]:
    """Digests of the points' data, by name; each data set is read once, by a worker.

    Raises:
        InvalidInput: data that cannot be read, a loss that does not fit.
    """
    asked = {}
    for point in points:
        experiment = point.experiment
        source = repr((experiment.problem, experiment.loss))
        if source not in asked:
            asked[source] = (
                executor.submit(data_digest, experiment).result()
                if experiment.on_real_data
                else data_digest(experiment)
            )
    return {p.name: asked[repr((p.experiment.problem, p.experiment.loss))] for p in points}


def plan(points: list[Point], digests: dict[str, str], home: Path, overwrite: bool) -> Plan:
    """Look at what is there, and clear it where all is to be made anew.

    Raises:
        InvalidInput: a point's folder holds something else or is to be cleared while another run
            writes in it, or its data were edited since.
    """
    found = Plan(home, digests=digests)
    for point in points:
        folder = home / point.name
        with locked(folder) if overwrite and folder.is_dir() else nullcontext():
            prepare_run(point.experiment, folder, resume=not overwrite, overwrite=overwrite)
        check_data(point.experiment, digests[point.name], folder)
        outcome = _before(folder)
        if outcome is None:
            found.todo.append(point)
        else:
            found.done[point.name] = outcome
    if overwrite:
        limits.forget(home)
    _share(found, points)
    return found


def _before(folder: Path) -> Outcome | None:
    """The outcome of a point that is finished; one whose results cannot be read is not."""
    if not (folder / RESULTS).is_file():
        return None
    try:
        return finished(results.read(folder))
    except InvalidInput:
        return None


def _share(found: Plan, points: list[Point]) -> None:
    takers: dict[str, list[tuple[Job, Point]]] = defaultdict(list)
    for point in points:
        for job in jobs(point.experiment):
            if job.width is None:
                key = limits.key_of(point.experiment, job, found.digests[point.name])
                takers[key].append((job, point))
    waiting = {point.name for point in found.todo}
    for key, users in takers.items():
        todo = [(job, point) for job, point in users if point.name in waiting]
        if not todo:
            continue
        kept = limits.is_solved(found.home, key) or (
            len(users) > 1
            and any(
                limits.adopt(found.home, key, job, found.home / point.name / CHECKPOINTS / job.file)
                for job, point in users
            )
        )
        if not kept and len(todo) == 1:
            continue
        for job, point in todo:
            found.shared.setdefault(point.name, {})[job] = key
        if not kept:
            found.unsolved.append(Limit(key, *todo[0]))

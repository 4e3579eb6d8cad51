"""A sweep from its settings to its dataset."""

from __future__ import annotations

import shutil
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from ...errors import InvalidInput
from .. import results
from ..config import Experiment
from ..folder import SWEEP, locked
from .attempts import (
    TRIES,
    Outcome,
    attempt_limit,
    attempt_point,
    begun,
    failed,
    one_line,
    standing,
)
from .collection import collect
from .combinations import Point, Settings, points
from .plan import Limit, Plan, digests_of, plan
from .workers import Here, WorkerKilled, opened

if TYPE_CHECKING:
    from distributed import Client

OnDone = Callable[[Point, str | None], None]
OnChange = Callable[[Callable[[], xr.Dataset]], None]
_EVERY = 1.0
"""Seconds between two looks at what points have reached."""


def sweep(
    experiment: Experiment,
    settings: Settings,
    folder: str | Path,
    executor: "Executor | Client | int | None" = None,
    overwrite: bool = False,
    on_done: OnDone | None = None,
    home: Path | None = None,
    on_begin: Callable[[int, int], None] | None = None,
    on_change: OnChange | None = None,
) -> xr.Dataset:
    """Run every combination of settings, each in a folder of its own, and collect final risks.

    A point that fails, whatever the reason, is recorded with its error and the others go on; a
    later sweep of the same settings tries it again, and finished points are not run again. Limits
    that several points share, since no swept field changes them, are solved once.

    Args:
        folder: each combination has a folder in it.
        executor: where points are computed: a number of processes of this machine (1: here, in
            turn), any executor of `concurrent.futures`, or a `Client` of Dask's `distributed`,
            whose workers have to see `folder`. Left out: a process per processor. A point whose
            process is killed is tried 3 times; executors and clusters have their own rules.
        overwrite: make all points anew.
        on_done: called with each point and its error, None if it has results: first those
            that were finished before, then the others as they end.
        home: as `points` takes it.
        on_begin: called with the number of points, and how many of them were finished before.
        on_change: called as the sweep goes on, whenever a point has ended and every second meanwhile, with a
            function that gives the dataset as it stands: `status` is ``begun`` or ``waiting``, too.

    Returns:
        the dataset written as `sweep.nc`: a dimension per field, then `system`, and `width` and
        `seed` where there are networks; NaN where a point failed. `status`, `error`, `tries`,
        `seconds` and `folder` tell how each point ended.

    Raises:
        InvalidInput: fields or values that do not fit, data that cannot be read, or a folder of
            another experiment, of data that were edited since, or that another sweep is writing:
            before anything runs.

    Example:
        ```python
        import neuronal as nr
        from neuronal.experiments import parse
        from neuronal.experiments.sweep import sweep

        experiment = parse({
            "name": "small",
            "problem": {"kind": "regression", "target": "sine"},
            "systems": [{"label": "L = 2", "embedding": "bidirectional", "depth": 2}],
            "limit": {"nodes": 8, "data_nodes": 8},
            "run": {"until": 1.0, "records": 4},
        })
        data = sweep(experiment, {"systems.depth": [2, 3]}, "runs/depths", executor=1)
        data.limit_risk.sel({"systems.depth": 3})
        ```
    """
    folder = Path(folder).absolute()
    combinations = points(experiment, settings, home)
    outcomes: dict[str, Outcome] = {}

    def as_it_stands() -> xr.Dataset:
        rest = {p.name: standing(folder / p.name) for p in combinations if p.name not in outcomes}
        return collect(experiment, combinations, outcomes | rest)

    def changed() -> None:
        if on_change:
            on_change(as_it_stands)

    with locked(folder), opened(executor, len(combinations), folder) as open_executor:
        todo = plan(combinations, digests_of(combinations, open_executor), folder, overwrite)
        if on_begin:
            on_begin(len(combinations), len(todo.done))
        for point, outcome in conduct(todo, combinations, open_executor, changed):
            outcomes[point.name] = outcome
            if on_done:
                on_done(point, outcome.error or None)
        data = collect(experiment, combinations, outcomes)
        results.write(data, folder / SWEEP)
    return data


def conduct(
    todo: Plan, combinations: list[Point], executor: Executor, changed: Callable[[], None]
) -> Iterator[tuple[Point, Outcome]]:
    """Outcomes as they come: of points finished before, then of each that ends.

    Args:
        changed: called after outcomes, and every second while nothing ends.
    """
    for point in combinations:
        if point.name in todo.done:
            yield point, todo.done[point.name]
    home = todo.home
    shutil.rmtree(home / TRIES, ignore_errors=True)
    (home / TRIES).mkdir()
    waiting: dict[str, set[str]] = defaultdict(set)
    for point in todo.todo:
        kept = set(todo.shared.get(point.name, {}).values())
        waiting[point.name] = kept & {limit.key for limit in todo.unsolved}
    ready: deque[Limit | Point] = deque(todo.unsolved)
    ready += [point for point in todo.todo if not waiting[point.name]]
    at_work: dict[Future, Limit | Point] = {}
    most = 1 if isinstance(executor, Here) else len(combinations) + len(todo.unsolved)
    try:
        while ready or at_work:
            changed()
            while ready and len(at_work) < most:
                task = ready.popleft()
                at_work[_submit(executor, todo, task)] = task
            for future in wait(at_work, _EVERY, FIRST_COMPLETED).done:
                task = at_work.pop(future)
                if isinstance(task, Point):
                    yield task, _outcome(future, home, task)
                    continue
                error = _limit_error(future)
                for point in todo.todo:
                    if task.key not in waiting[point.name]:
                        continue
                    waiting[point.name].discard(task.key)
                    if error:
                        waiting[point.name].clear()
                        yield point, failed(error, begun(home, point.name), home / point.name)
                    elif not waiting[point.name]:
                        ready.append(point)
    finally:
        for future in at_work:
            future.cancel()
        shutil.rmtree(home / TRIES, ignore_errors=True)


def _submit(executor: Executor, todo: Plan, task: Limit | Point) -> Future:
    point = task if isinstance(task, Point) else task.point
    what = (point.experiment, todo.home, todo.digests[point.name])
    try:
        if isinstance(task, Point):
            return executor.submit(
                attempt_point, *what, point.name, todo.shared.get(point.name, {})
            )
        return executor.submit(attempt_limit, *what, task.job, task.key)
    except BrokenExecutor as error:
        future: Future = Future()
        future.set_exception(error)
        return future
    except RuntimeError as error:
        raise InvalidInput(f"executor: takes one that accepts work ({error})") from error


def _outcome(future: Future, home: Path, point: Point) -> Outcome:
    tries = begun(home, point.name)
    try:
        return future.result()
    except InvalidInput:  # of the executor: a point's own are part of its outcome
        raise
    except Exception as error:
        words = _lost(error) if tries else f"was not begun: {_lost(error)}"
        return failed(words, tries, home / point.name)


def _limit_error(future: Future) -> str:
    try:
        return future.result()
    except InvalidInput:
        raise
    except Exception as error:
        return f"its limit, which other points share: {_lost(error)}"


def _lost(error: Exception) -> str:
    """Why a worker gave no answer."""
    if isinstance(error, WorkerKilled):
        return str(error)
    if isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker":  # Dask's
        return f"its worker was killed; out of memory? ({one_line(error)})"
    return one_line(error)

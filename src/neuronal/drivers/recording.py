"""The loop that runs a driver and records it, with a progress bar over MF time."""

from __future__ import annotations

import time as clock
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import ArrayLike, Float

from ..checks import is_number, numbers, require, shown, whole
from ..errors import DivergenceError
from ..kernels import rank
from ..network import Network
from ..records.record import OnRecord as OnRecords
from ..records.record import Record, told
from ..vocabulary import MOST_RECORDS
from .driver import Driver, Pace, Report, Segment, State
from .trajectory import Kept, Trajectory

OnRecord = Callable[[float, float, Network], None]
"""Called at each record with its MF time, the risk and the network."""
OnLoss = Callable[[float, float], None]
"""Called at each record with its MF time and the risk alone: a network has to be formed."""
OnState = Callable[[State, Pace | None, float], None]
"""Called after records with all that a run needs to be taken up again behind them, and its MF time."""


class Calls(NamedTuple):
    """What is called on the way of a run; `tell` with what a run of that label has to say."""

    on_record: OnRecord | None = None
    on_loss: OnLoss | None = None
    on_state: OnState | None = None
    tell: OnRecords | None = None
    label: str = ""

    def at_record(
        self, t: float, loss: float, network: Callable[[], Network], objective: float, number: int
    ) -> None:
        if self.on_record:
            self.on_record(t, loss, network())
        if self.on_loss:
            self.on_loss(t, loss)
        if self.tell:
            self.tell(Record(self.label, number, t, loss, objective))

    def at_state(self, state: State, pace: Pace | None, t: float) -> None:
        if self.on_state:
            self.on_state(state, pace, t)


NO_CALLS = Calls()


@contextmanager
def bar(label: str, since: float, until: float) -> Iterator[OnLoss]:
    """A bar over MF time: what to call at each record."""
    from rich import progress as rich  # most runs show none

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.TextColumn("t = {task.completed:.4g}/{task.total:.4g}  loss {task.fields[loss]:.4g}"),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns) as shown:
        task = shown.add_task(label, total=until, loss=float("nan"))
        shown.update(task, completed=since)
        yield lambda t, loss: shown.update(task, completed=t, loss=loss)


STATE_BUDGET = 2**31
"""Bytes of states that a trajectory keeps by default; others are recomputed when asked for."""


DEFAULT_RECORDS = 65


@dataclass
class Prepared:
    """A run that is ready to be made.

    Attributes:
        driver: of the dynamics.
        network: to start from, its weights kept as the driver takes them.
        times: MF times to record, `(T,)`.
        report: filled on the way.
        label: of a progress bar.
    """

    driver: Driver
    network: Network
    times: Float[np.ndarray, "T"]
    report: Report
    label: str

    def run(
        self,
        progress: bool | OnRecord = False,
        watch: OnRecord | None = None,
        on_record: OnRecords | Sequence[OnRecords] | None = None,
    ) -> Trajectory:
        """Run it; `watch` and `on_record` are called at each record besides what shows the progress."""
        tell = told(on_record)
        if progress is True:
            with bar(self.label, self.times[0], self.times[-1]) as shown:
                return self.record(watch, shown, tell=tell)
        return self.record(_both(progress or None, watch), tell=tell)

    def record(
        self,
        on_record: OnRecord | None = None,
        on_loss: OnLoss | None = None,
        on_state: OnState | None = None,
        state: State | None = None,
        pace: Pace | None = None,
        since: float | None = None,
        tell: OnRecords | None = None,
    ) -> Trajectory:
        """Run it from a state that `on_state` gave with its MF time, if there is one."""
        start = self.network if state is None else state.network(self.network)
        state = state or State.beginning(start, self.driver.problem)
        calls = Calls(on_record, on_loss, on_state, tell, self.label)
        times = list(self.times)
        return record(self.driver, start, times, self.report, calls, state, pace, since)


def record(
    driver: Driver,
    start: Network,
    save_at: Sequence[float],
    report: Report,
    calls: Calls = NO_CALLS,
    state: State | None = None,
    pace: Pace | None = None,
    since: float | None = None,
    budget: int = STATE_BUDGET,
) -> Trajectory:
    """Run `driver` from `start` at `save_at[0]` through all of `save_at`.

    States are where the driver's steps end, records anywhere between. Keeps as many states as fit
    the budget, evenly among the records; first and last always.

    Args:
        state, pace, since: to start from; those of `start`, none and `save_at[0]`, if left out.
            Records up to `since` are not made again.

    Raises:
        DivergenceError: the state left the finite numbers; it carries what was recorded.
    """
    began = clock.perf_counter()
    state = state or State.beginning(start, driver.problem)
    now = save_at[0] if since is None else since
    size = sum(a.nbytes for a in jax.tree.leaves(state))
    stride = max(1, -(-len(save_at) * size // budget))
    at_start = now <= save_at[0]
    times, losses = [save_at[0]], [driver.loss(state) if at_start else np.nan]
    objective = _objective(driver, losses[0], lambda: start, times[0])
    objectives = None if driver.added is None else [objective]
    kept, place = [Kept(now, state, pace)], 0
    if at_start:
        calls.at_record(times[0], losses[0], lambda: start, objective, 0)
    calls.at_state(state, pace, now)
    done = max(1, bisect_right(save_at, now))
    while done < len(save_at):
        segment = driver.advance(state, pace, now, save_at[done], save_at[-1])
        report.steps += segment.steps
        report.rejected += segment.rejected
        report.discarded = report.discarded + segment.discarded
        report.work += segment.work
        report.solver += segment.solver
        report.seconds = clock.perf_counter() - began
        for t, loss, reached in _passed(driver, segment, save_at, done):
            network = lambda reached=reached: reached().network(start)
            if not np.isfinite(loss):
                report.stopped = f"diverged at t = {t:g}"
                kept.append(Kept(now, state, pace))
                last = state.network(start)
                partial = Trajectory(times, losses, kept, last, report, driver, objectives)
                raise DivergenceError(
                    f"the run diverged at t = {t:g} ({report.driver}); its last finite "
                    f"record is at t = {times[-1]:g}. Take a smaller learning rate or step",
                    t,
                    partial,
                )
            times.append(t)
            losses.append(loss)
            objective = _objective(driver, loss, network, t)
            if objectives is not None:
                objectives.append(objective)
            calls.at_record(t, loss, network, objective, len(times) - 1)
        state, pace = segment.state, segment.pace
        if segment.path is None:
            done, now = done + 1, save_at[done]
        else:
            done, now = bisect_right(save_at, segment.time), segment.time
        network = reached = segment.path = (
            None  # what is within a step may be as large as several states
        )
        if (done - 1) // stride > place or done == len(save_at):
            place = (done - 1) // stride
            kept.append(Kept(now, state, pace))
        calls.at_state(state, pace, now)
    report.stopped = f"reached t = {times[-1]:g}"
    report.ranks = tuple(r for w in state.weights if (r := rank(w)) is not None)
    last = state.network(start)
    return Trajectory(times, losses, kept, last, report, driver, objectives)


def _objective(driver: Driver, loss: float, network: Callable[[], Network], t: float) -> float:
    """The risk with what the motion adds to it; NaN where there is no risk."""
    if driver.added is None or np.isnan(loss):
        return loss
    return loss + driver.added(network(), t)


def _passed(
    driver: Driver, segment: Segment, save_at: Sequence[float], done: int
) -> Iterator[tuple[float, float, Callable[[], State]]]:
    """The records in a segment: times, losses and what gives the state there; NaN where it diverged.

    Args:
        done: how many of the records are behind.
    """
    path, ended = segment.path, segment.state
    if not segment.finite:
        yield segment.time, np.nan, lambda: ended
        return
    if path is None:
        yield save_at[done], driver.loss(ended), lambda: ended
        return
    inside = save_at[done : bisect_left(save_at, segment.time)]
    for t, loss in zip(inside, path.losses(inside), strict=True):
        yield t, loss, lambda t=t: path.state(t)
    if save_at[done + len(inside) : done + len(inside) + 1] == [segment.time]:
        yield segment.time, driver.loss(ended), lambda: ended


def _both(one: OnRecord | None, other: OnRecord | None) -> OnRecord | None:
    """Both called at each record."""
    if one is None or other is None:
        return one or other

    def both(t: float, loss: float, network: Network) -> None:
        one(t, loss, network)
        other(t, loss, network)

    return both


def record_times(
    save_at: int | ArrayLike | None, since: float, until: float
) -> Float[np.ndarray, "T"]:
    """The times to record: `save_at` as a number of equal intervals, or as times.

    `since` and `until` are always among them.

    Raises:
        InvalidInput: times outside the run or not increasing, or an empty run.
    """
    require(is_number(since), f"since: takes an MF time, got {shown(since)}")
    require(
        is_number(until) and until > since,
        f"until: takes a time after {since:g}, got {shown(until)}",
    )
    if save_at is None:
        save_at = DEFAULT_RECORDS - 1
    if is_number(save_at):
        return np.linspace(since, until, whole("save_at", save_at, 1, MOST_RECORDS) + 1)
    times = _times(save_at)
    require(
        times.ndim == 1 and bool(np.all(np.diff(times) > 0)),
        "save_at: takes increasing times, or a number of intervals",
    )
    require(
        times.size == 0 or (times[0] >= since and times[-1] <= until * (1 + 1e-12)),
        f"save_at: takes times in [{since:g}, {until:g}]",
    )
    return np.unique(np.concatenate([[since], times, [until]]))


def _times(save_at: ArrayLike) -> Float[np.ndarray, "..."]:
    """Times as given, in double precision."""
    numbers("save_at", save_at)
    return np.asarray(save_at, float)

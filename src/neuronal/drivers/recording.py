"""The loop that runs a driver and records it, with a progress bar over MF time."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import ArrayLike, Float
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..checks import is_number, numbers, require, shown, whole
from ..errors import DivergenceError
from ..kernels import rank
from ..network import Network
from ..vocabulary import MOST_RECORDS
from .driver import Driver, Pace, Report, State
from .trajectory import Trajectory

OnRecord = Callable[[float, float, Network], None]
"""Called at each record with its MF time, the risk and the network."""
OnState = Callable[[State, Pace | None], None]
"""Called after it with all that a run needs to be taken up again from that record."""


@contextmanager
def bar(
    label: str, since: float, until: float, progress: bool | OnRecord | None
) -> Iterator[OnRecord | None]:
    """What to call at each record: a bar if `progress` is True, the callable that it is, or None."""
    if progress is not True:
        yield progress or None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("t = {task.completed:.4g}/{task.total:.4g}  loss {task.fields[loss]:.4g}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as shown:
        task = shown.add_task(label, total=until, loss=float("nan"))
        shown.update(task, completed=since)
        yield lambda t, loss, network: shown.update(task, completed=t, loss=loss)


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

    def run(self, progress: bool | OnRecord = False, watch: OnRecord | None = None) -> Trajectory:
        """Run it; `watch` is called at each record besides what shows the progress."""
        with bar(self.label, self.times[0], self.times[-1], progress) as shown:
            return self.record(_both(shown, watch))

    def record(
        self,
        on_record: OnRecord | None = None,
        on_state: OnState | None = None,
        state: State | None = None,
        pace: Pace | None = None,
    ) -> Trajectory:
        """Run it from a state that `on_state` gave at the first of the times, if there is one."""
        start = self.network if state is None else self.network.with_weights(state.weights)
        state = state or State(start.weights)
        times = list(self.times)
        return record(self.driver, start, times, self.report, on_record, on_state, state, pace)


def record(
    driver: Driver,
    start: Network,
    save_at: Sequence[float],
    report: Report,
    on_record: OnRecord | None = None,
    on_state: OnState | None = None,
    state: State | None = None,
    pace: Pace | None = None,
    budget: int = STATE_BUDGET,
) -> Trajectory:
    """Run `driver` from `start` at `save_at[0]` through all of `save_at`.

    Keeps as many states as fit the budget, evenly among the records; first and last always.

    Args:
        state, pace: to start from; those of `start`, and none, if left out.

    Raises:
        DivergenceError: the state left the finite numbers; it carries what was recorded.
    """
    began = clock.perf_counter()
    state = state or State(start.weights)
    size = sum(a.nbytes for a in jax.tree.leaves(state))
    stride = max(1, -(-len(save_at) * size // budget))
    times, losses, states = [save_at[0]], [driver.loss(state.weights)], {0: state}
    if on_record:
        on_record(times[0], losses[0], start)
    if on_state:
        on_state(state, pace)
    for i, target in enumerate(save_at[1:], start=1):
        segment = driver.advance(state, pace, times[-1], target)
        report.steps += segment.steps
        report.rejected += segment.rejected
        report.discarded = report.discarded + segment.discarded
        report.seconds = clock.perf_counter() - began
        loss = driver.loss(segment.state.weights) if segment.finite else np.nan
        if not np.isfinite(loss):
            report.stopped = f"diverged at t = {segment.time:g}"
            states[len(times) - 1] = state
            last = start.with_weights(state.weights)
            partial = Trajectory(times, losses, states, last, report, driver)
            raise DivergenceError(
                f"the run diverged at t = {segment.time:g} ({report.driver}); its last finite "
                f"record is at t = {times[-1]:g}. Take a smaller learning rate or step",
                segment.time,
                partial,
            )
        state, pace = segment.state, segment.pace
        times.append(target)
        losses.append(loss)
        if i % stride == 0 or i == len(save_at) - 1:
            states[i] = state
        if on_record:
            on_record(target, loss, start.with_weights(state.weights))
        if on_state:
            on_state(state, pace)
    report.stopped = f"reached t = {times[-1]:g}"
    report.ranks = tuple(r for w in state.weights if (r := rank(w)) is not None)
    return Trajectory(times, losses, states, start.with_weights(state.weights), report, driver)


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

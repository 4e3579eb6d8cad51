"""How far a run, a coupling, a prediction or a sweep is, in the terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..experiments.jobs import Job
from ..experiments.sweep import Point


class _Shown:
    """A bar that is there for the length of a block."""

    _bar: Progress

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()


class Jobs(_Shown):
    """A bar over all jobs of a run and one over the job at work; else a line per finished job.

    Args:
        todo: the jobs, in their order.
        quiet: show neither.
    """

    def __init__(self, console: Console, todo: Sequence[Job], quiet: bool = False):
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=quiet)
        self._whole = self._bar.add_task("all", total=len(todo), state=f"0/{len(todo)} runs")
        self._one = self._bar.add_task("starting", total=None, state="")
        self._console, self._todo = console, todo
        self._lines = not quiet and not console.is_terminal
        self._current: Job | None = None
        self._began = time.monotonic()

    def record(self, job: Job, t: float, risk: float) -> None:
        """Take a record: the job, its MF time and its risk."""
        end = job.times[-1]
        if job != self._current:
            self._current = job
            self._bar.reset(self._one, description=escape(job.title), total=end)
        self._bar.update(self._one, completed=t, state=f"t = {t:.4g}  risk {risk:.4g}")
        place = self._todo.index(job) + t / end
        state = f"{int(place)}/{len(self._todo)} runs"
        self._bar.update(self._whole, completed=place, state=state)
        if t == end and self._lines:
            took = f"{time.monotonic() - self._began:.1f} s"
            words = f"{job.title}: risk {risk:.4g} at t = {t:g}, after {took}"
            self._console.print(escape(words), soft_wrap=True)

    def say(self, words: str, share: float | None = None) -> None:
        """Tell what is done once the jobs have ended, and the share of it."""
        self._bar.update(
            self._one,
            description=escape(words),
            state="",
            total=share and 1.0,
            completed=share or 0,
        )


class Shares(_Shown):
    """A bar of the share of all work that is done; without a terminal a line per part of it.

    Args:
        starting: what is done first.
        quiet: show neither.
    """

    def __init__(self, console: Console, starting: str, quiet: bool = False):
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=28), TimeElapsedColumn())
        columns = (*columns, TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=quiet)
        self._task = self._bar.add_task(starting, total=1.0)
        self._console, self._lines = console, not quiet and not console.is_terminal

    def done(self, words: str, share: float) -> None:
        """Take what was done last, and the share of all that is done."""
        self._bar.update(self._task, description=escape(words), completed=share)
        if self._lines:
            self._console.print(escape(words), soft_wrap=True)


class Points(_Shown):
    """A bar with the points done and failed and the time left; without a terminal a line per point.

    Args:
        quiet: show neither.
    """

    def __init__(self, console: Console, quiet: bool = False):
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=28), TimeElapsedColumn())
        bar = console.is_terminal and not quiet
        self._bar = Progress(*columns, console=console, transient=True, disable=not bar)
        self._task = self._bar.add_task("starting", total=None)
        self._console, self._quiet, self._lines = console, quiet, not bar and not quiet
        self._total = self._before = self._done = self._failed = 0
        self._began = 0.0

    def begin(self, total: int, before: int) -> None:
        """Take the number of points, and of those that were finished before."""
        self._total, self._before, self._began = total, before, time.monotonic()
        self._show()
        if self._lines and before:
            self._print(f"{before} of {total} points were finished before")

    def done(self, point: Point, error: str | None) -> None:
        """Take a point that has ended: first come those that were finished before."""
        self._done += 1
        self._failed += error is not None
        self._show()
        if self._done <= self._before or self._quiet:
            return
        words = f"{point.name}: {'failed: ' + error if error else 'finished'}"
        if self._lines:
            self._print(f"{self._summary()}  {words}")
        elif error:
            self._print(words)

    def _show(self) -> None:
        self._bar.update(
            self._task, total=self._total, completed=self._done, description=self._summary()
        )

    def _summary(self) -> str:
        words = [f"{self._done}/{self._total} points"]
        if self._failed:
            words.append(f"failed {self._failed}")
        computed = self._done - self._before
        if computed > 0 and self._done < self._total:
            each = (time.monotonic() - self._began) / computed
            words.append(f"ETA {_duration(each * (self._total - self._done))}")
        return ", ".join(words)

    def _print(self, words: str) -> None:
        self._console.print(escape(words), soft_wrap=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"

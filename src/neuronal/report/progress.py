"""How far a sweep is, in the terminal."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..experiments.sweep import Point


class Points:
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

    def __enter__(self) -> Points:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

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

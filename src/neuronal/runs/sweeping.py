"""All that a sweep leaves: its points, its dataset, and its page, which is there while the sweep goes on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import xarray as xr

from ..experiments.config import Experiment
from ..experiments.interrupts import saved_at_stop
from ..experiments.sweep import Settings, sweep
from ..experiments.sweep.conduct import OnDone
from ..report import sweep as page
from ..report.document import Notice
from ..report.figures import Shown
from .renewal import Renewal, refresh, renewed


class LiveSweep:
    """`sweep.html` of a sweep, renewed until it ends; a page that cannot be written is left out."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._stands: Callable[[], xr.Dataset] | None = None
        self._figures: list[Shown] = []
        self._drawing = threading.Lock()
        self._ended = False
        self._renewal = Renewal()

    def change(self, stands: Callable[[], xr.Dataset]) -> None:
        """Take a look at a sweep that goes on, by a function that gives its dataset as it stands."""
        self._stands = stands
        if not self._renewal.is_due:
            return
        with self._drawing:
            if self._ended:
                return
            with self._renewal.drawing(), suppress(Exception):
                data = stands()
                words = f"Running: {_words(data)}. {renewed()}"
                self._figures = page.drawn(data, self._folder)
                notice = Notice("running", words, refresh=refresh())
                page.write_unfinished(data, self._folder, notice, self._figures)

    def end(self, error: BaseException | None = None) -> None:
        """Write the last page of a sweep that ended early; one that was refused leaves the page as it is.

        Args:
            error: that ended it; None if it was told to end, which it then does at once: its page has the
                figures of the last renewal.
        """
        with self._drawing:
            self._ended = True
            if self._stands is None:
                return
            with suppress(Exception):
                data = self._stands()
                why, kind = f"Interrupted: {_words(data)}.", "interrupted"
                if isinstance(error, Exception):
                    why, kind = f"Ended by an error: {type(error).__name__}, {error}.", "stopped"
                if error is not None:
                    self._figures = page.drawn(data, self._folder, True)
                notice = Notice(kind, f"{why} The same command goes on where it was.")
                page.write_unfinished(data, self._folder, notice, self._figures)


def sweep_whole(
    experiment: Experiment,
    settings: Settings,
    folder: Path,
    executor: Any = None,
    overwrite: bool = False,
    home: Path | None = None,
    on_begin: Callable[[int, int], None] | None = None,
    on_done: OnDone | None = None,
) -> tuple[xr.Dataset, Path]:
    """Sweep, and write the page, which is renewed every few seconds while the sweep goes on.

    Arguments are those of `neuronal.experiments.sweep.sweep`.

    Returns:
        the dataset of `sweep.nc`, and the page.

    Raises:
        InvalidInput: as `sweep`.
    """
    live = LiveSweep(folder)
    try:
        with saved_at_stop(live.end):
            data = sweep(
                experiment,
                settings,
                folder,
                executor,
                overwrite,
                on_done,
                home,
                on_begin,
                live.change,
            )
            return data, page.write(data, folder)
    except BaseException as error:
        live.end(error)
        raise


def _words(data: xr.Dataset) -> str:
    """How many points stand how."""
    count = Counter(data.status.values.ravel().tolist())
    words = [f"{count['finished']} of {data.status.size} points are finished"]
    words += [f"{count[status]} {status}" for status in ("failed", "begun") if count[status]]
    return ", ".join(words)

"""The page of a run while it goes on, and where it ended early."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..errors import DivergenceError
from ..experiments import checkpoints
from ..experiments.checkpoints import Checkpoint
from ..experiments.config import Experiment
from ..experiments.folder import CHECKPOINTS
from ..experiments.jobs import Job, jobs
from ..report import unfinished
from ..report.document import Notice
from ..report.figures import Shown
from .renewal import Renewal, refresh, renewed


class Live:
    """`report.html` of a run, renewed at its records until the run ends.

    Pages are drawn between records, on the host, from the risks told there: the run itself is not touched.
    A page that cannot be written is left out, and the run goes on.
    """

    def __init__(self, experiment: Experiment, folder: Path):
        self._experiment, self._folder = experiment, folder
        self._before: dict[Job, Checkpoint] = {}
        self._told: dict[Job, list[float]] = {}
        self._drawing = threading.Lock()
        self._figures: list[Shown] = []
        self._ended = False
        self._renewal = Renewal()

    def record(self, job: Job, t: float, risk: float) -> None:
        """Take a record: the job, its MF time and its risk."""
        if job not in self._told:
            self._before[job] = self._glance(job)
        self._told.setdefault(job, []).append(risk)
        if not self._renewal.is_due:
            return
        with self._drawing:
            if self._ended:
                return
            words = f"Running: {job.title}, at t = {t:.4g} of {job.times[-1]:g}. {renewed()}"
            notice = Notice("running", words, refresh=refresh())
            with self._renewal.drawing(), suppress(Exception):
                states = self._states()
                self._figures = unfinished.drawn(self._experiment, states)
                unfinished.write(self._experiment, states, self._folder, notice, self._figures)

    def end(self, error: BaseException | None = None) -> None:
        """Write the last page of a run that has no results: why it ended, and what it reached.

        A run that was refused, or ended before its first record, leaves the folder's page as it is. One that
        was told to end does so at once: its page has the figures of the last renewal.

        Args:
            error: that ended it; None if it was told to end.
        """
        with self._drawing:
            self._ended = True
            diverged = isinstance(error, DivergenceError)
            if not self._told and not diverged:
                return
            states = self._states()
            notice = unfinished.interrupted(self._experiment, states)
            if diverged:
                notice = Notice("diverged", f"Diverged. {error}.")
            elif isinstance(error, Exception):
                words = f"Ended by an error: {type(error).__name__}, {error}"
                notice = notice._replace(kind="stopped", words=words)
            with suppress(Exception):
                if error is not None:
                    names = unfinished.names(notice)
                    self._figures = unfinished.drawn(self._experiment, states, names, self._folder)
                unfinished.write(self._experiment, states, self._folder, notice, self._figures)

    def _states(self) -> dict[Job, Checkpoint]:
        """What each job has recorded: by its last checkpoint, and since then."""
        found = {}
        for job in jobs(self._experiment):
            state = self._glance(job)
            if job in self._told:
                before = self._before[job].series.get("risk", ())
                state.series["risk"] = np.array([*before, *self._told[job]])
                state.records = len(state.series["risk"])
            if state.records:
                found[job] = state
        return found

    def _glance(self, job: Job) -> Checkpoint:
        found = checkpoints.glance(self._folder / CHECKPOINTS / job.file)
        return found or Checkpoint(0, [], {})

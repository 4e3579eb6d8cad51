"""A job advanced from checkpoint to checkpoint.

A job runs in legs, at whose ends it is saved in any case, and a leg is a function of the state that
it starts from alone (SGD's samples depend on the step's number, the integrator starts its step size
afresh). Within a leg a job is saved every so often, and when it is told to stop, with its driver's
pace. So a run taken up again gives the very numbers of a run never interrupted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from ..drivers.driver import Pace, State
from ..drivers.ode import solve as ode
from ..drivers.ode.enough import BALANCED, warn_of_few
from ..drivers.recording import Prepared
from ..drivers.sgd import train as sgd
from ..errors import DivergenceError, InvalidInput
from ..kernels import rank
from ..network import Network
from ..problem import mean_loss
from ..records.record import OnRecord as OnRecords
from ..records.record import Record
from . import checkpoints
from .build import Built, System
from .checkpoints import Checkpoint
from .config import Experiment
from .interrupts import saved_at_stop
from .jobs import Job, keys, start

OnRecord = Callable[[Job, float, float], None]
"""Called at each record with the job, its MF time and its risk."""

SAVE_EVERY = 60.0
"""Seconds of work that a job may lose if it is killed, or those between two records if longer."""


def advance(
    experiment: Experiment,
    built: Built,
    job: Job,
    folder: Path,
    on_record: OnRecord | None = None,
    tell: OnRecords | None = None,
) -> Checkpoint:
    """Run a job from its last checkpoint in `folder`, or from the start, to its end.

    `tell` is called with each `Record`, `on_record` with the job, its MF time and its risk.

    Raises:
        DivergenceError: the run left the finite numbers; its last finite checkpoint is kept.

    Warns:
        RecoveryWarning: the last checkpoint cannot be read, and an earlier state is taken.
        InaccuracyWarning: the nodes that a limit has by default are too few for its tolerance.
    """
    path = folder / job.file
    system = built.systems[job.system]
    state = checkpoints.latest(path)
    if state is not None and state.records == len(job.times):
        return state
    network = start(experiment, system, job)
    last = len(job.times) - 1
    stride = -(-last // experiment.run.checkpoints)
    if state is None:
        state = Checkpoint(0, [], {})
    while state.records < len(job.times):
        done = max(state.records - 1, 0)
        times = job.times[done : min((done // stride + 1) * stride, last) + 1]
        if state.records > 1:  # after the first record alone, weights are those of the start
            network = state.state.network(network)
        try:
            prepared = _prepare(experiment, system, job, network, times)
            leg = _Leg(experiment, built, job, path, state, prepared, on_record, tell)
            if done % stride:
                state = leg.run(state.state, state.pace, state.time)
            else:
                begin = state.state._replace(weights=prepared.network.weights)
                state = leg.run(begin)
        except InvalidInput as error:
            raise InvalidInput(f"{job.title}: {error}") from None
    if job.width is None:
        limit, given = experiment.limit, experiment.limit.model_fields_set
        balanced = "nodes" not in given and limit.rule in BALANCED
        few = None if "data_nodes" in given else limit.data_nodes
        network = state.state.network(network)
        warn_of_few(
            system.problem,
            network,
            state.series["risk"],
            limit.rtol,
            balanced,
            few,
            f"{job.title}: ",
        )
    return state


def _prepare(
    experiment: Experiment, system: System, job: Job, network: Network, times: tuple[float, ...]
) -> Prepared:
    """The driver of a leg, from `network` at the first of the times."""
    interval = (np.asarray(times), times[0], times[-1])
    limit, networks = experiment.limit, experiment.networks
    if job.width is None:
        settings = ode.ODESettings(
            limit.rtol, limit.atol, "auto", limit.solver, limit.step, limit.data_nodes
        )
        neurons = (limit.nodes, limit.rule, experiment.run.seed)
        return ode.prepare(system.problem, network, neurons, settings, interval)
    return sgd.prepare(
        system.problem,
        network,
        networks.learning_rate,
        interval,
        keys(experiment, job)[1],
        networks.batch_size,
        data_nodes=limit.data_nodes,
    )


class _Reached(NamedTuple):
    """The last records of a leg: how many of its own there are, and all that is needed to go on."""

    records: int
    state: State
    pace: Pace | None
    time: float
    steps: int
    rejected: int
    seconds: float


class _Leg:
    """One leg of a job, measured on held-out data at each record and saved on its way."""

    def __init__(
        self,
        experiment: Experiment,
        built: Built,
        job: Job,
        path: Path,
        before: Checkpoint,
        prepared: Prepared,
        on_record: OnRecord | None,
        tell: OnRecords | None = None,
    ):
        self._experiment, self._built, self._job, self._path = experiment, built, job, path
        self._before, self._prepared, self._on_record = before, prepared, on_record
        self._tell = tell
        self._problem = built.systems[job.system].problem
        self._seen = prepared.times[0] if before.records else -1.0
        self._reached: _Reached | None = None
        self._saving = threading.Lock()
        self._saved = time.monotonic()
        self._series: dict[str, list[float]] = {"risk": []}
        if self._problem.regularised:
            self._series["objective"] = []
        if built.split is not None:
            self._series["test_risk"] = []
            if built.split.task == "classification":
                self._series["test_accuracy"] = []

    def run(self, state: State, pace: Pace | None = None, since: float | None = None) -> Checkpoint:
        """Run it to its end and save it; a pace and a time are those of a state inside the leg."""
        try:
            with saved_at_stop(self._save):
                looks = self._built.split or self._problem.regularised
                record, on_loss = (self._record, None) if looks else (None, self._add)
                self._prepared.record(record, on_loss, self._hold, state, pace, since)
        except DivergenceError as error:
            raise self._diverged(error) from None
        except BaseException:
            with suppress(OSError):
                self._save()
            raise
        return self._save()

    def _record(self, t: float, risk: float, network: Network) -> None:
        split = self._built.split
        if "objective" in self._series and t > self._seen:
            self._series["objective"].append(risk + self._problem.added(network, t))
        if split is not None and t > self._seen:
            dtype = network.weights[0].dtype
            x, y, weights = (a.astype(dtype) for a in split.test.quadrature(0))
            self._series["test_risk"].append(
                float(mean_loss(network, self._problem.loss, x, y, weights))
            )
            if "test_accuracy" in self._series:
                self._series["test_accuracy"].append(split.accuracy(network(x)))
        self._add(t, risk)

    def _add(self, t: float, risk: float) -> None:
        if t <= self._seen:  # the leg before recorded it
            return
        self._series["risk"].append(risk)
        if self._on_record:
            self._on_record(self._job, t, risk)
        if self._tell:
            last = {name: values[-1] for name, values in self._series.items()}
            number = self._before.records + len(self._series["risk"]) - 1
            objective = last.pop("objective", last.pop("risk"))
            self._tell(Record(self._job.title, number, t, risk, objective, last))

    def _hold(self, state: State, pace: Pace | None, t: float) -> None:
        """Keep what the last records leave; nothing is copied before it is saved."""
        report, done = self._prepared.report, len(self._series["risk"])
        if done == 0:
            return
        taken = report.steps, report.rejected, report.seconds
        self._reached = _Reached(done, state, pace, t, *taken)
        if time.monotonic() - self._saved > SAVE_EVERY:
            self._save()

    def _save(self, diverged_at: float | None = None) -> Checkpoint:
        """Write the job's state at the last record, if it has any."""
        with self._saving:
            checkpoint = replace(self._checkpoint(), diverged_at=diverged_at)
            if checkpoint.records:
                checkpoints.save(self._path, checkpoint)
                self._saved = time.monotonic()
            return checkpoint

    def _checkpoint(self) -> Checkpoint:
        reached, before = self._reached, self._before
        if reached is None:
            return before
        series = {
            name: np.concatenate([before.series.get(name, np.empty(0)), values[: reached.records]])
            for name, values in self._series.items()
        }
        return Checkpoint(
            before.records + reached.records,
            list(jax.tree.map(np.asarray, reached.state.weights)),
            series,
            before.steps + reached.steps,
            before.rejected + reached.rejected,
            before.seconds + reached.seconds,
            self._prepared.report.driver,
            self._ensemble(reached.state),
            reached.time,
            memory=jax.tree.map(np.asarray, reached.state.memory),
            pace=jax.tree.map(np.asarray, reached.pace),
        )

    def _ensemble(self, state: State) -> str:
        """The neurons and what is between them, in words."""
        sizes = ", ".join(map(str, self._prepared.network.widths))
        kind = "neurons" if self._job.width else f"{self._experiment.limit.rule} nodes"
        ranks = [str(r) for w in state.weights if (r := rank(w)) is not None]
        between = f", weights between them of rank {', '.join(ranks)}" if ranks else ""
        return f"{sizes} {kind} in the hidden layers{between}"

    def _diverged(self, error: DivergenceError) -> DivergenceError:
        """The error to raise; the last finite checkpoint is written."""
        if error.trajectory is None:
            return error
        self._save(error.time)
        field = "networks.learning_rate" if self._job.width else "limit.step or limit.rtol"
        return DivergenceError(
            f"{self._job.title}: diverged at t = {error.time:g}; its last finite checkpoint, at t = "
            f"{error.trajectory.times[-1]:g}, is {self._job.file}. Take a smaller {field}",
            error.time,
            error.trajectory,
        )

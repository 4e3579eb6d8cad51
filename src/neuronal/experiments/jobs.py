"""One job of an experiment: a system's limit, or one network, advanced from checkpoint to
checkpoint.

A job runs in legs between checkpoints, and a leg is a function of the state that it starts
from alone (SGD's samples depend on the step's number, the integrator starts its step size
afresh): so a run taken up again gives the numbers of a run never interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..checks import key_of
from ..drivers.ode.solve import solve
from ..drivers.sgd.train import train
from ..drivers.storage import choose_kernel
from ..drivers.trajectory import DivergenceError, Trajectory
from ..errors import InvalidInput
from ..network import Network
from ..problem import mean_loss
from . import checkpoints
from .build import SOLVERS, Built, System
from .checkpoints import Checkpoint
from .config import Experiment

OnLeg = Callable[["Job", float, float], None]
"""Called at each record with the job, its MF time and its risk."""


@dataclass(frozen=True)
class Job:
    """The limit of a system (`width` None), or its network of a width and a seed.

    Attributes:
        system: position among the experiment's systems.
        times: MF times of its records, `(T,)`.
    """

    system: int
    label: str
    times: tuple[float, ...]
    width: int | None = None
    seed: int = 0

    @property
    def title(self) -> str:
        if self.width is None:
            return f"{self.label}, limit"
        return f"{self.label}, width {self.width}, seed {self.seed}"

    @property
    def file(self) -> str:
        kind = "limit" if self.width is None else f"width{self.width}-seed{self.seed}"
        return f"system{self.system}-{kind}.npz"


def times(experiment: Experiment) -> Float[np.ndarray, "T"]:
    """MF times of the records, from 0; whole steps of SGD if there are networks."""
    run = experiment.run
    if run.spacing == "log":
        spaced = np.geomspace(run.until * 1e-3, run.until, run.records)
    else:
        spaced = np.linspace(0, run.until, run.records + 1)[1:]
    spaced = np.concatenate([[0.0], spaced])
    if not experiment.networks.widths:
        return spaced
    rate = experiment.networks.learning_rate
    return np.unique(np.round(spaced / rate).astype(int)) * rate


def jobs(experiment: Experiment) -> Iterator[Job]:
    """All jobs, system by system, the limit first."""
    grid = times(experiment)
    horizon = experiment.limit.until or experiment.run.until
    short = grid[grid <= horizon * (1 + 1e-9)]
    if len(short) < 2:
        raise InvalidInput(
            f"limit.until: takes at least the first record's time, {grid[1]:g}, got {horizon:g}"
        )
    for i, section in enumerate(experiment.systems):
        if experiment.limit.enabled:
            yield Job(i, section.label, tuple(short.tolist()))
        for width in experiment.networks.widths:
            for seed in experiment.networks.seeds:
                yield Job(i, section.label, tuple(grid.tolist()), width, seed)


def start(experiment: Experiment, system: System, job: Job) -> Network:
    """The job's network at t = 0; one seed has the same neurons at every width."""
    if job.width is None:
        limit = experiment.limit
        kernel, _ = choose_kernel(system.embedding, limit.nodes, limit.kernel)
        return system.embedding.quadrature(
            limit.nodes, limit.rule, experiment.run.seed, kernel=kernel
        )
    return system.embedding.sample(job.width, _keys(experiment, job)[0])


def final(experiment: Experiment, built: Built, job: Job, checkpoint: Checkpoint) -> Network:
    """The network of a checkpoint."""
    initial = start(experiment, built.systems[job.system], job)
    return initial.with_weights(_to_jax(checkpoint))


def advance(
    experiment: Experiment,
    built: Built,
    job: Job,
    folder: Path,
    on_record: OnLeg | None = None,
) -> Checkpoint:
    """Run a job from its last checkpoint in `folder`, or from the start, to its end.

    Raises:
        DivergenceError: the run left the finite numbers; its last finite checkpoint is kept.
    """
    path = folder / job.file
    state = checkpoints.load(path)
    if state is not None and state.records == len(job.times):
        return state
    system = built.systems[job.system]
    network = start(experiment, system, job)
    if state is None:
        state = Checkpoint(0, _to_numpy(network), {})
    else:
        network = network.with_weights(_to_jax(state))
    last = len(job.times) - 1
    stride = -(-last // experiment.run.checkpoints)
    while state.records < len(job.times):
        done = max(state.records - 1, 0)
        leg = job.times[done : min((done // stride + 1) * stride, last) + 1]
        rule = experiment.limit.rule if job.width is None else ""
        watch = _Watch(job, built, system, leg[0] if state.records else -1.0, rule, on_record)
        try:
            trajectory = _drive(experiment, system, job, network, leg, watch)
        except DivergenceError as error:
            if error.trajectory is None:
                raise
            _extend(state, error.trajectory, watch)
            state.diverged_at = error.time
            checkpoints.save(path, state)
            raise DivergenceError(
                f"{job.title}: diverged at t = {error.time:g}; its last finite checkpoint, at "
                f"t = {error.trajectory.times[-1]:g}, is {job.file}. Take a smaller "
                f"{'networks.learning_rate' if job.width else 'limit.step or limit.rtol'}",
                error.time,
                error.trajectory,
            ) from None
        except InvalidInput as error:
            raise InvalidInput(f"{job.title}: {error}") from None
        _extend(state, trajectory, watch)
        checkpoints.save(path, state)
        network = trajectory.network
    return state


def _drive(
    experiment: Experiment,
    system: System,
    job: Job,
    network: Network,
    leg: tuple[float, ...],
    watch: _Watch,
) -> Trajectory:
    if job.width is None:
        limit = experiment.limit
        return solve(
            system.problem,
            network,
            leg[-1],
            rtol=limit.rtol,
            atol=limit.atol,
            save_at=np.asarray(leg),
            solver=SOLVERS[limit.solver](),
            step=limit.step,
            since=leg[0],
            data_nodes=limit.data_nodes,
            progress=watch,
        )
    networks = experiment.networks
    return train(
        system.problem,
        network,
        networks.learning_rate,
        leg[-1],
        _keys(experiment, job)[1],
        networks.batch_size,
        save_at=np.asarray(leg),
        since=leg[0],
        data_nodes=experiment.limit.data_nodes,
        progress=watch,
    )


def _keys(experiment: Experiment, job: Job) -> tuple[Array, Array]:
    """Keys of a network's neurons and of its samples: functions of the seeds alone."""
    key = jax.random.fold_in(key_of(experiment.run.seed), job.seed)
    neurons, samples = jax.random.split(key)
    return neurons, samples


class _Watch:
    """Measures a network on held-out data at each record of a leg."""

    def __init__(
        self,
        job: Job,
        built: Built,
        system: System,
        seen: float,
        rule: str,
        on_record: OnLeg | None,
    ):
        self._job, self._built, self._system, self._seen = job, built, system, seen
        self._on_record, self.rule = on_record, rule
        self.series: dict[str, list[float]] = {"risk": []}
        if built.split is not None:
            self.series["test_risk"] = []
            if built.split.task == "classification":
                self.series["test_accuracy"] = []

    def __call__(self, t: float, risk: float, network: Network) -> None:
        if t <= self._seen:  # the leg before recorded it
            return
        self.series["risk"].append(risk)
        split = self._built.split
        if split is not None:
            dtype = network.weights[0].dtype
            x, y, weights = (a.astype(dtype) for a in split.test.quadrature(0))
            loss = self._system.problem.loss
            self.series["test_risk"].append(float(mean_loss(network, loss, x, y, weights)))
            if "test_accuracy" in self.series:
                self.series["test_accuracy"].append(split.accuracy(network(x)))
        if self._on_record:
            self._on_record(self._job, t, risk)


def _extend(state: Checkpoint, trajectory: Trajectory, watch: _Watch) -> None:
    """Add a leg to a job's state."""
    for name, values in watch.series.items():
        before = state.series.get(name, np.empty(0))
        state.series[name] = np.concatenate([before, np.asarray(values, float)])
    state.records += len(watch.series["risk"])
    state.weights = _to_numpy(trajectory.network)
    state.memory = jax.tree.map(np.asarray, trajectory.state.memory)
    report = trajectory.report
    state.steps += report.steps
    state.rejected += report.rejected
    state.seconds += report.seconds
    state.driver = report.driver
    sizes = ", ".join(map(str, trajectory.network.widths))
    kind = f"{watch.rule} nodes" if watch.rule else "neurons"
    state.ensemble = f"{sizes} {kind} in the hidden layers"
    if report.ranks:
        state.ensemble += f", weights between them of rank {', '.join(map(str, report.ranks))}"
    state.diverged_at = None


def _to_numpy(network: Network) -> list[Any]:
    return list(jax.tree.map(np.asarray, network.weights))


def _to_jax(checkpoint: Checkpoint) -> tuple[Any, ...]:
    return tuple(jax.tree.map(jnp.asarray, checkpoint.weights))

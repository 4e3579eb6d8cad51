"""The jobs of an experiment: a system's limit, or one network, what it records and starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float

from ..checks import key_of
from ..drivers.ode.choice import solver_named
from ..drivers.storage import SGD_COPIES, choose_kernel, ode_copies
from ..errors import InvalidInput
from ..kernels.memory import require_memory
from ..network import Network
from .build import Built, System
from .checkpoints import Checkpoint
from .config import Experiment


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
    """MF times of the records, from 0; whole steps, of SGD if there are networks."""
    run = experiment.run
    if run.spacing == "log":
        spaced = np.geomspace(run.until * 1e-3, run.until, run.records)
    else:
        spaced = np.linspace(0, run.until, run.records + 1)[1:]
    spaced = np.concatenate([[0.0], spaced])
    if experiment.grid is None:
        return spaced
    return np.unique(np.round(spaced / experiment.grid).astype(int)) * experiment.grid


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
        limit, kernel = experiment.limit, _kernel(experiment, system)
        return system.embedding.quadrature(
            limit.nodes, limit.rule, experiment.run.seed, kernel=kernel
        )
    return system.embedding.sample(job.width, keys(experiment, job)[0])


def _kernel(experiment: Experiment, system: System) -> str:
    """How the limit's weights are kept, as `solve` chooses."""
    limit = experiment.limit
    given = system.embedding, limit.nodes, limit.kernel, system.problem, limit.data_nodes
    return choose_kernel(*given)[0]


def check_memory(experiment: Experiment, built: Built, todo: Sequence[Job]) -> None:
    """Refuse a job that will not fit into memory, before any is run.

    Raises:
        InvalidInput: fewer bytes are free than its matrices take.
    """
    limit = experiment.limit
    for job in todo:
        system = built.systems[job.system]
        if job.width is not None:
            sizes = (job.width,) * (system.embedding.depth - 1)
            require_memory("networks.widths", sizes, SGD_COPIES)
        elif _kernel(experiment, system) == "dense":
            instead = ", or limit.kernel = 'factored'" if system.embedding.factored else ""
            sizes = system.embedding.sizes(limit.nodes, limit.rule, experiment.run.seed)
            copies = ode_copies(solver_named(limit.solver))
            copies *= 1 if system.problem.momentum is None else 2
            require_memory("limit.nodes", sizes, copies, instead=instead)


def final(experiment: Experiment, built: Built, job: Job, checkpoint: Checkpoint) -> Network:
    """The network of a checkpoint."""
    initial = start(experiment, built.systems[job.system], job)
    return checkpoint.state.network(initial)


def keys(experiment: Experiment, job: Job) -> tuple[Array, Array]:
    """Keys of a network's neurons and of its samples: functions of the seeds alone."""
    key = jax.random.fold_in(key_of(experiment.run.seed), job.seed)
    neurons, samples = jax.random.split(key)
    return neurons, samples

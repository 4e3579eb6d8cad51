"""What a run leaves as numbers: one labelled dataset, `results.nc`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..errors import InvalidInput
from ..files.writing import replaced
from .build import Built
from .checkpoints import Checkpoint
from .config import Experiment
from .folder import RESULTS, SWEEP
from .jobs import Job, final, times

_SERIES = {
    "risk": "risk E_Z[L(Y, prediction)]",
    "objective": "risk and what decay and penalty add to it",
    "test_risk": "mean loss on the held-out part",
    "test_accuracy": "share of the held-out part in its class",
}
_LAST = ("limit_report", "target", "constant_risk", "infimum")
"""Variables that come after those of the limit and of the networks."""


def collect(experiment: Experiment, built: Built, states: dict[Job, Checkpoint]) -> xr.Dataset:
    """All series, final predictions and timings of a finished run.

    Dimensions: `system`, `time` (MF time), and where there are networks `width`, `seed`;
    `x` for one-dimensional problems. Variables of the limit begin with ``limit_``. What was
    not run is NaN.
    """
    data = recorded(experiment, states)
    if built.grid is not None:
        for kind in _kinds(experiment, states):
            values = np.full((*kind.shape, len(built.grid.x)), np.nan)
            for job, state in kind.states.items():
                network = final(experiment, built, job, state)
                values[_place(job, experiment)] = np.asarray(network(built.grid.inputs))[:, 0]
            words = {"description": f"final prediction {kind.whose}", "units": "1"}
            data[f"{kind.prefix}prediction"] = ((*kind.dims, "x"), values, words)
        data = data.assign_coords(x=built.grid.x)
        data["target"] = ("x", built.grid.target, {"description": "the noiseless target"})
    data["constant_risk"] = (
        (), built.constant_risk, {"description": "least risk of a constant prediction", "units": "1"}
    )  # fmt: skip
    if built.infimum is not None:
        data["infimum"] = (
            (), built.infimum, {"description": "infimum of the risk (Bayes risk)", "units": "1"}
        )  # fmt: skip
    order = lambda name: (name in _LAST, name != "depth", not name.startswith("limit_"))
    return data[sorted(map(str, data.data_vars), key=order)]


def recorded(experiment: Experiment, states: dict[Job, Checkpoint]) -> xr.Dataset:
    """All series and timings of a run that has come as far as these states; NaN where it has not."""
    grid = times(experiment)
    data = xr.Dataset(
        coords={
            "system": ("system", [system.label for system in experiment.systems]),
            "time": ("time", grid, {"description": "mean-field time t = k eps", "units": "1"}),
        }
    )
    data["depth"] = ("system", [s.depth for s in experiment.systems], {"units": "layers"})
    if experiment.networks.widths:
        data = data.assign_coords(width=experiment.networks.widths, seed=experiment.networks.seeds)
    for kind in _kinds(experiment, states):
        names = dict.fromkeys(name for state in kind.states.values() for name in state.series)
        for name in names:
            values = np.full((*kind.shape, len(grid)), np.nan)
            for job, state in kind.states.items():
                series = state.series.get(name, np.empty(0))
                values[(*_place(job, experiment), slice(len(series)))] = series
            words = {"description": f"{_SERIES[name]}, {kind.whose}", "units": "1"}
            data[kind.prefix + name] = ((*kind.dims, "time"), values, words)
        for name, units in (("seconds", "s"), ("steps", "1"), ("rejected", "1")):
            values = np.full(kind.shape, np.nan)
            for job, state in kind.states.items():
                values[_place(job, experiment)] = getattr(state, name)
            what = "wall time" if name == "seconds" else f"{name} of the integrator"
            words = {"description": f"{what} {kind.whose}", "units": units}
            data[kind.prefix + name] = (kind.dims, values, words)
        if kind.prefix:
            sentences = [""] * len(experiment.systems)
            for job, state in kind.states.items():
                sentences[job.system] = _sentence(state)
            data["limit_report"] = ("system", sentences)
        else:
            data.attrs["networks_report"] = next(iter(kind.states.values())).driver
    data.attrs |= attributes(experiment)
    return data


class _Kind(NamedTuple):
    """The limits, or the networks: the states of their jobs, and where these stand in a dataset."""

    prefix: str
    whose: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    states: dict[Job, Checkpoint]


def _kinds(experiment: Experiment, states: dict[Job, Checkpoint]) -> Iterator[_Kind]:
    """Those of them that have states."""
    systems = len(experiment.systems)
    widths, seeds = experiment.networks.widths, experiment.networks.seeds
    limits = {job: state for job, state in states.items() if job.width is None}
    networks = {job: state for job, state in states.items() if job.width is not None}
    if limits:
        yield _Kind("limit_", "of the limit", ("system",), (systems,), limits)
    if networks:
        shape = (systems, len(widths), len(seeds))
        yield _Kind("", "of the networks", ("system", "width", "seed"), shape, networks)


def attributes(experiment: Experiment) -> dict[str, str | int]:
    """What every dataset says of its experiment and of what made it."""
    return {
        "name": experiment.name,
        "title": experiment.title or experiment.name,
        "description": experiment.description,
        "configuration": experiment.to_toml(),
        "neuronal_version": metadata.version("neuronal"),
        "jax_version": metadata.version("jax"),
        "cpus": os.cpu_count() or 0,
    }


def write(data: xr.Dataset, path: Path) -> None:
    """Write a dataset whole or not at all, with checksums of its numbers."""
    summed = [n for n, v in data.variables.items() if v.dtype.kind in "if" and v.ndim and v.size]
    with replaced(path) as partial:
        data.to_netcdf(
            partial, engine="h5netcdf", encoding={name: {"fletcher32": True} for name in summed}
        )


def read(folder: Path, file: str = RESULTS) -> xr.Dataset:
    """The dataset of a folder, in memory: that of a run, or of a sweep (`sweep.nc`).

    Raises:
        InvalidInput: no finished run there.
    """
    path = folder / file
    if not path.is_file():
        kind = "sweep" if file == SWEEP else "run"
        raise InvalidInput(
            f"DIR: no finished {kind} in {str(folder)!r} ({file} is missing); give the folder that "
            f"`neuronal {kind}` wrote"
        )
    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except Exception as error:  # h5py and xarray have many for files cut short or overwritten
        again = "`neuronal sweep`" if file == SWEEP else "`neuronal run` with --resume"
        raise InvalidInput(
            f"DIR: {file} in {str(folder)!r} cannot be read; {again} writes it anew from the "
            "checkpoints"
        ) from error


def _place(job: Job, experiment: Experiment) -> tuple[int, ...]:
    if job.width is None:
        return (job.system,)
    networks = experiment.networks
    return job.system, networks.widths.index(job.width), networks.seeds.index(job.seed)


def _sentence(state: Checkpoint) -> str:
    refused = f" ({state.rejected} rejected)" if state.rejected else ""
    return f"{state.driver}; {state.ensemble}: {state.steps} steps{refused}, {state.seconds:.1f} s"

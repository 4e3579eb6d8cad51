"""What a run leaves as numbers: one labelled dataset, `results.nc`."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

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


def collect(experiment: Experiment, built: Built, states: dict[Job, Checkpoint]) -> xr.Dataset:
    """All series, final predictions and timings of a finished run.

    Dimensions: `system`, `time` (MF time), and where there are networks `width`, `seed`;
    `x` for one-dimensional problems. Variables of the limit begin with ``limit_``. What was
    not run is NaN.
    """
    grid = times(experiment)
    systems = [system.label for system in built.systems]
    widths, seeds = experiment.networks.widths, experiment.networks.seeds
    data = xr.Dataset(
        coords={
            "system": ("system", systems),
            "time": ("time", grid, {"description": "mean-field time t = k eps", "units": "1"}),
        }
    )
    data["depth"] = ("system", [s.embedding.depth for s in built.systems], {"units": "layers"})
    if widths:
        data = data.assign_coords(width=widths, seed=seeds)
    shapes = {
        "limit_": (("system",), (len(systems),)),
        "": (("system", "width", "seed"), (len(systems), len(widths), len(seeds))),
    }
    limits = {job: state for job, state in states.items() if job.width is None}
    networks = {job: state for job, state in states.items() if job.width is not None}
    for prefix, group in (("limit_", limits), ("", networks)):
        if not group:
            continue
        dims, shape = shapes[prefix]
        whose = "of the limit" if prefix else "of the networks"
        for name in next(iter(group.values())).series:
            values = np.full((*shape, len(grid)), np.nan)
            for job, state in group.items():
                series = state.series[name]
                values[(*_place(job, widths, seeds), slice(len(series)))] = series
            data[prefix + name] = (
                (*dims, "time"), values, {"description": f"{_SERIES[name]}, {whose}", "units": "1"}
            )  # fmt: skip
        for name, units in (("seconds", "s"), ("steps", "1"), ("rejected", "1")):
            values = np.full(shape, np.nan)
            for job, state in group.items():
                values[_place(job, widths, seeds)] = getattr(state, name)
            what = "wall time" if name == "seconds" else f"{name} of the integrator"
            data[prefix + name] = (dims, values, {"description": f"{what} {whose}", "units": units})
        if built.grid is not None:
            values = np.full((*shape, len(built.grid.x)), np.nan)
            for job, state in group.items():
                network = final(experiment, built, job, state)
                values[_place(job, widths, seeds)] = np.asarray(network(built.grid.inputs))[:, 0]
            data[f"{prefix}prediction"] = (
                (*dims, "x"), values, {"description": f"final prediction {whose}", "units": "1"}
            )  # fmt: skip
    if limits:
        sentences = [""] * len(systems)
        for job, state in limits.items():
            sentences[job.system] = _sentence(state)
        data["limit_report"] = ("system", sentences)
    if networks:
        data.attrs["networks_report"] = next(iter(networks.values())).driver
    if built.grid is not None:
        data = data.assign_coords(x=built.grid.x)
        data["target"] = ("x", built.grid.target, {"description": "the noiseless target"})
    data["constant_risk"] = (
        (), built.constant_risk, {"description": "least risk of a constant prediction", "units": "1"}
    )  # fmt: skip
    if built.infimum is not None:
        data["infimum"] = (
            (), built.infimum, {"description": "infimum of the risk (Bayes risk)", "units": "1"}
        )  # fmt: skip
    data.attrs |= attributes(experiment)
    return data


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


def _place(job: Job, widths: list[int], seeds: list[int]) -> tuple[int, ...]:
    if job.width is None:
        return (job.system,)
    return job.system, widths.index(job.width), seeds.index(job.seed)


def _sentence(state: Checkpoint) -> str:
    refused = f" ({state.rejected} rejected)" if state.rejected else ""
    return f"{state.driver}; {state.ensemble}: {state.steps} steps{refused}, {state.seconds:.1f} s"

"""Run an experiment in a folder: configuration, checkpoints, `results.nc`."""

from __future__ import annotations

from pathlib import Path

import jax
import xarray as xr

from . import results
from .build import build
from .config import Experiment
from .folder import CHECKPOINTS, RESULTS, check_data, keep_data, prepare_run, write_config
from .jobs import OnLeg, advance, jobs


def run(
    experiment: Experiment,
    folder: str | Path,
    resume: bool = False,
    overwrite: bool = False,
    on_record: OnLeg | None = None,
) -> xr.Dataset:
    """Run all jobs of an experiment and write its folder.

    Args:
        folder: created if it is not there.
        resume: go on from the checkpoints of the same experiment, if there are any; the
            results are those of a run never interrupted.
        overwrite: start anew where the folder holds a run.
        on_record: called with the job, its MF time and its risk at every record.

    Returns:
        the dataset written as `results.nc`.

    Raises:
        InvalidInput: a folder that holds something else, data that were edited since the run
            began, or input that does not fit.
        DivergenceError: a job left the finite numbers.
    """
    folder = Path(folder)
    prepare_run(experiment, folder, resume, overwrite)
    with jax.enable_x64(experiment.run.precision == "float64"):
        todo = list(jobs(experiment))
        built = build(experiment)
        check_data(experiment, built.digest, folder)
        write_config(experiment, folder)
        keep_data(experiment, built.digest, folder)
        states = {
            job: advance(experiment, built, job, folder / CHECKPOINTS, on_record) for job in todo
        }
        data = results.collect(experiment, built, states)
    results.write(data, folder / RESULTS)
    return data

"""Run an experiment in a folder: configuration, checkpoints, `results.nc`."""

from __future__ import annotations

from pathlib import Path

import jax
import xarray as xr

from ..records.record import OnRecord as OnRecords
from . import results
from .build import build
from .config import Experiment
from .folder import CHECKPOINTS, RESULTS, check_data, keep_data, locked, prepare_run, write_config
from .jobs import check_memory, jobs
from .legs import OnRecord, advance


def run(
    experiment: Experiment,
    folder: str | Path,
    resume: bool = False,
    overwrite: bool = False,
    on_record: OnRecord | None = None,
    tell: OnRecords | None = None,
) -> xr.Dataset:
    """Run all jobs of an experiment and write its folder.

    A run that is killed, at whatever moment, is gone on with by `resume`, to the same bits.

    Args:
        folder: created if it is not there.
        resume: go on from the checkpoints of the same experiment, if there are any; the
            results are those of a run never interrupted.
        overwrite: start anew where the folder holds a run.
        on_record: called with the job, its MF time and its risk at every record.
        tell: called with every `neuronal.records.Record`.

    Returns:
        the dataset written as `results.nc`.

    Raises:
        InvalidInput: a folder that holds something else, that another run is writing, or that
            holds the run of data that were edited since; or input that does not fit, or does not
            fit into memory.
        DivergenceError: a job left the finite numbers.

    Warns:
        RecoveryWarning: a checkpoint cannot be read, and the one before it is taken.
    """
    folder = Path(folder)
    with locked(folder), jax.enable_x64(experiment.run.precision == "float64"):
        todo = list(jobs(experiment))
        built = build(experiment)  # what cannot be used clears no folder
        prepare_run(experiment, folder, resume, overwrite)
        check_data(experiment, built.digest, folder)
        check_memory(experiment, built, todo)
        write_config(experiment, folder)
        keep_data(experiment, built.digest, folder)
        states = {
            job: advance(experiment, built, job, folder / CHECKPOINTS, on_record, tell)
            for job in todo
        }
        data = results.collect(experiment, built, states)
        results.write(data, folder / RESULTS)
    return data

"""All that a run of an experiment leaves: results, prediction, certificates, page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import xarray as xr

from ..experiments import certify as certificates
from ..experiments import predict as predictions
from ..experiments.config import Experiment
from ..experiments.interrupts import saved_at_stop
from ..experiments.jobs import Job
from ..experiments.legs import OnRecord
from ..experiments.runner import run
from ..records.record import OnRecord as OnRecords
from ..report import page
from .live import Live


def run_whole(
    experiment: Experiment,
    folder: Path,
    resume: bool = False,
    overwrite: bool = False,
    on_record: OnRecord | None = None,
    say: Callable[[str, float | None], None] = lambda words, share=None: None,
    tell: OnRecords | None = None,
) -> tuple[xr.Dataset, Path]:
    """Run an experiment and write its folder, certificates and page included.

    While it goes on its page is renewed every few seconds; if it ends early, the page says why.

    Args:
        resume, overwrite, on_record, tell: as `neuronal.experiments.run` takes them.
        say: called with what is being done after the run, and the share of it if it is known.

    Returns:
        the dataset of `results.nc`, and the page.

    Raises:
        InvalidInput, DivergenceError: as `neuronal.experiments.run`.
    """
    live = Live(experiment, folder)

    def record(job: Job, t: float, risk: float) -> None:
        if on_record:
            on_record(job, t, risk)
        live.record(job, t, risk)

    try:
        with saved_at_stop(live.end):
            data = run(experiment, folder, resume, overwrite, record, tell)
            foretold = predictions.predict_run(experiment, folder, data, say)
            say("certifying", None)
            found = certificates.certify_run(experiment, folder)
            return data, page.write(data, folder, found, foretold)
    except BaseException as error:
        live.end(error)
        raise

"""All that a run of an experiment leaves: results, prediction, certificates, page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import xarray as xr

from ..experiments import certify as certificates
from ..experiments import predict as predictions
from ..experiments.config import Experiment
from ..experiments.legs import OnRecord
from ..experiments.runner import run
from ..report import page


def run_whole(
    experiment: Experiment,
    folder: Path,
    resume: bool = False,
    overwrite: bool = False,
    on_record: OnRecord | None = None,
    say: Callable[[str, float | None], None] = lambda words, share=None: None,
) -> tuple[xr.Dataset, Path]:
    """Run an experiment and write its folder, certificates and page included.

    Args:
        resume, overwrite, on_record: as `neuronal.experiments.run` takes them.
        say: called with what is being done after the run, and the share of it if it is known.

    Returns:
        the dataset of `results.nc`, and the page.

    Raises:
        InvalidInput, DivergenceError: as `neuronal.experiments.run`.
    """
    data = run(experiment, folder, resume, overwrite, on_record)
    foretold = predictions.predict_run(experiment, folder, data, say)
    say("certifying", None)
    found = certificates.certify_run(experiment, folder)
    return data, page.write(data, folder, found, foretold)

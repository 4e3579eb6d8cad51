"""An experiment gone through in a moment, so that JAX has compiled all that its run needs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from . import certify
from .config import Experiment
from .runner import run

_RECORDS = 2


def rehearse(experiment: Experiment) -> None:
    """Run the first steps of every job and certify, in a folder that is thrown away.

    What is compiled depends on shapes, which are those of the experiment, and not on how long it
    runs.

    Raises:
        InvalidInput, DivergenceError: as in `run`.
    """
    step = experiment.grid or experiment.networks.learning_rate
    short = min(experiment.run.until, 2 * step)
    first = {"until": short, "records": _RECORDS, "checkpoints": 1, "spacing": "linear"}
    begun = experiment.model_copy(update={
        "run": experiment.run.model_copy(update=first),
        "limit": experiment.limit.model_copy(update={"until": None}),
    })  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(begun, folder)
        certify.certify_run(begun, folder)

"""Predict the risks of an experiment's networks from their limits alone: `prediction.nc`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import xarray as xr

from ..theory.fluctuations import Fluctuations, fluctuations
from . import results
from .build import build
from .config import Experiment
from .folder import PREDICTION


def predict_systems(
    experiment: Experiment, folder: Path, on_part: Callable[[str, float], None]
) -> tuple[xr.Dataset, Path]:
    """The risks of networks of every system and width, as the experiment's table asks.

    Args:
        folder: created if it is not there.
        on_part: called with words and the share of the work done.

    Returns:
        the dataset, along `system`, `width` and `time`, and the file written: `risk` of the limit,
        `risk_mean` and `risk_sd` over networks, and the standard error of each as `..._error`. Means
        are NaN where the limit does not have them.

    Raises:
        InvalidInput: input that does not fit.
        DivergenceError: a limit left the finite numbers.
    """
    asked = experiment.fluctuations
    with jax.enable_x64(experiment.run.precision == "float64"):
        systems = build(experiment).systems
        found = []
        for i, system in enumerate(systems):

            def tell(words: str, share: float, i: int = i, label: str = system.label) -> None:
                on_part(f"{label}: {words}", (i + share) / len(systems))

            law = fluctuations(
                system.problem,
                system.embedding,
                asked.until or experiment.run.until,
                asked.nodes,
                asked.rule,
                save_at=asked.records,
                data_nodes=asked.data_nodes,
                directions=asked.directions,
                key=experiment.run.seed,
                accuracy=asked.accuracy,
                rtol=asked.rtol,
                progress=tell,
            )
            found.append(_of_widths(law, experiment))
    labels = [system.label for system in systems]
    data = xr.concat(found, "system").assign_coords(system=labels)
    folder.mkdir(parents=True, exist_ok=True)
    results.write(data, folder / PREDICTION)
    return data, folder / PREDICTION


def _of_widths(law: Fluctuations, experiment: Experiment) -> xr.Dataset:
    asked = experiment.fluctuations
    at = lambda figure: np.stack(
        [figure(n, asked.learning_rate, asked.batch_size) for n in asked.widths]
    )
    unknown = lambda *_: np.full(len(law.times), np.nan)
    figures = {
        "risk_mean": law.risk_mean if law.complete else unknown,
        "risk_mean_error": law.risk_mean_error if law.complete else unknown,
        "risk_sd": law.risk_sd,
        "risk_sd_error": law.risk_sd_error,
    }
    data = xr.Dataset(
        {name: (("width", "time"), at(figure)) for name, figure in figures.items()},
        {"width": asked.widths, "time": law.times},
    )
    data["risk"], data["risk_error"] = law.data.risk, law.data.risk_error
    data["time"].attrs["units"] = "MF time"
    return data

"""Predict the risks of an experiment's networks from their limits alone: `prediction.nc`."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float

from ..drivers.recording import record_times
from ..errors import DivergenceError, InvalidInput
from ..theory.fluctuations import Fluctuations, fluctuations
from . import results
from .build import Built, System, build
from .config import Experiment
from .folder import DATA, PREDICTION, check_data, differing_tables, locked, prepare_prediction
from .jobs import times
from .running import FluctuationsSection

OnPart = Callable[[str, float], None]
"""Called with words and the share of the work done."""

_WIDTHS = [64, 128, 256, 512]
"""Of an experiment without networks."""


def predict_systems(
    experiment: Experiment, folder: Path, on_part: OnPart
) -> tuple[xr.Dataset, Path]:
    """The risks of networks of every system and width, as the experiment's table asks.

    Args:
        folder: created if it is not there; may hold the run of the same experiment.
        on_part: called with words and the share of the work done.

    Returns:
        the dataset, along `system`, `width` and `time`, and the file written: `risk` of the limit,
        `risk_mean` and `risk_sd` over networks, and the standard error of each as `..._error`. Means
        are NaN where the limit does not have them, and all of a system of which it can say nothing,
        the reason being in `unpredicted`.

    Raises:
        InvalidInput: input that does not fit, a folder that holds another experiment, or no system
            that can be predicted.
        DivergenceError: all limits left the finite numbers.
    """
    with locked(folder), jax.enable_x64(experiment.run.precision == "float64"):
        prepare_prediction(experiment, folder)
        built = build(experiment)
        check_data(experiment, built.digest, folder)
        data, errors = _predicted(experiment, built, on_part)
        if len(errors) == len(built.systems):
            raise errors[0]
        results.write(data, folder / PREDICTION)
    return data, folder / PREDICTION


def predict_run(
    experiment: Experiment, folder: Path, run: xr.Dataset, on_part: OnPart
) -> xr.Dataset | None:
    """The prediction for a run's report: made if the experiment has the table, or that in its folder.

    Args:
        run: the run's dataset.

    Returns:
        as `read`; what cannot be predicted is NaN.
    """
    if experiment.fluctuations is None:
        return read(folder, run)
    with locked(folder), jax.enable_x64(experiment.run.precision == "float64"):
        built = build(experiment)
        before = _open(folder / PREDICTION)
        kept = {"configuration": experiment.to_toml(), "data": built.digest}
        if before is None or any(before.attrs.get(name) != kept[name] for name in kept):
            data, _ = _predicted(experiment, built, on_part)
            results.write(data, folder / PREDICTION)
    return read(folder, run)


def read(folder: Path, run: xr.Dataset) -> xr.Dataset | None:
    """The prediction in a run's folder, if there is one and it is of the run's own networks.

    Args:
        run: the run's dataset.

    Warns:
        UserWarning: it is there and is of something else.
    """
    found = _open(folder / PREDICTION)
    if found is None:
        return None
    other = _other(found, run, folder)
    if not other:
        return found
    warnings.warn(
        f"{PREDICTION}: is {other} and left out of the page; `neuronal predict` writes it anew",
        stacklevel=2,
    )
    return None


def _other(found: xr.Dataset, run: xr.Dataset, folder: Path) -> str:
    """What a prediction is of, if it is not of the networks of the run; else nothing."""
    if "configuration" not in found.attrs:
        return "of another version"
    before, now = (tomllib.loads(str(data.attrs["configuration"])) for data in (found, run))
    differing = differing_tables(before, now)
    if differing:
        return f"of another configuration ({', '.join(differing)} differ)"
    digest = (folder / DATA).read_text(encoding="utf-8") if (folder / DATA).is_file() else ""
    if digest.strip() != found.attrs["data"]:
        return "of other data"
    own = now["networks"]
    if own["widths"] and any(
        found.attrs[name] != own[name] for name in ("learning_rate", "batch_size")
    ):
        rate, batch = found.attrs["learning_rate"], found.attrs["batch_size"]
        return f"of learning rate {rate:g} and batches of {batch}, not the networks' own,"
    return ""


def _open(path: Path) -> xr.Dataset | None:
    """The dataset of a file; None if there is none that can be read."""
    if not path.is_file():
        return None
    try:
        return results.read(path.parent, path.name)
    except InvalidInput:
        warnings.warn(
            f"{path.name}: cannot be read; `neuronal predict` writes it anew", stacklevel=3
        )
        return None


class _Asked(NamedTuple):
    """What an experiment asks of its prediction, all filled in."""

    table: FluctuationsSection
    widths: list[int]
    learning_rate: float
    batch_size: int
    times: Float[np.ndarray, "T"]


def _asked(experiment: Experiment) -> _Asked:
    table, own = experiment.fluctuations or FluctuationsSection(), experiment.networks
    rate = own.learning_rate if own.widths else 0.0
    grid = times(experiment)
    until = table.until or float(grid[-1])
    return _Asked(
        table,
        table.widths or own.widths or _WIDTHS,
        rate if table.learning_rate is None else table.learning_rate,
        table.batch_size or (own.batch_size if own.widths else 1),
        record_times(table.records or grid[grid <= until], 0.0, until),
    )


def _predicted(
    experiment: Experiment, built: Built, on_part: OnPart
) -> tuple[xr.Dataset, list[Exception]]:
    """The dataset of all systems, and what kept some of them from being predicted."""
    asked, found, errors = _asked(experiment), [], []
    for i, system in enumerate(built.systems):

        def tell(words: str, share: float, i: int = i, label: str = system.label) -> None:
            on_part(f"{label}, prediction: {words}", (i + share) / len(built.systems))

        reason = ""
        try:
            law = _law(experiment, system, asked, tell)
        except (InvalidInput, DivergenceError) as error:
            errors.append(error)
            law, reason = None, str(error)
        found.append(_of_widths(law, asked).assign(unpredicted=reason))
    labels = [system.label for system in built.systems]
    data: xr.Dataset = xr.concat(found, "system").assign_coords(system=labels)
    data["time"].attrs["units"] = "MF time"
    data.attrs |= results.attributes(experiment) | {
        "learning_rate": asked.learning_rate,
        "batch_size": asked.batch_size,
        "data": built.digest,
    }
    return data, errors


def _law(experiment: Experiment, system: System, asked: _Asked, tell: OnPart) -> Fluctuations:
    table = asked.table
    return fluctuations(
        system.problem,
        system.embedding,
        float(asked.times[-1]),
        table.nodes,
        table.rule,
        save_at=asked.times,
        data_nodes=table.data_nodes,
        directions=table.directions,
        key=experiment.run.seed,
        accuracy=table.accuracy,
        rtol=table.rtol,
        repeats=table.repeats,
        progress=tell,
    )


def _of_widths(law: Fluctuations | None, asked: _Asked) -> xr.Dataset:
    """The figures of all widths; NaN where there is no law, and means where it has none."""
    arguments = (asked.learning_rate, asked.batch_size)
    unknown = np.full(len(asked.times), np.nan)
    figures: dict[str, list[np.ndarray]] = {}
    for name in ("risk_mean", "risk_mean_error", "risk_sd", "risk_sd_error"):
        known = law is not None and (law.complete or name.startswith("risk_sd"))
        figures[name] = [
            getattr(law, name)(n, *arguments) if known else unknown for n in asked.widths
        ]
    data = xr.Dataset(
        {name: (("width", "time"), np.stack(values)) for name, values in figures.items()},
        {"width": asked.widths, "time": asked.times},
    )
    for name in ("risk", "risk_error"):
        data[name] = ("time", law.data[name].values if law is not None else unknown)
    return data

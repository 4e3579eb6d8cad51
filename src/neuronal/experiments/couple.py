"""Couple the systems of an experiment with their limits: `coupling.nc` in a folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import xarray as xr

from ..files import archive
from ..theory.coupling import coupled
from ..theory.systems import Run
from . import results
from .build import Built, build
from .checkpoints import RecoveryWarning
from .config import Experiment
from .folder import (
    CONFIG,
    COUPLING,
    COUPLING_RUNS,
    check_data,
    keep_data,
    locked,
    prepare_coupling,
    write_config,
)


def couple_systems(
    experiment: Experiment,
    folder: str | Path,
    overwrite: bool = False,
    on_run: Callable[[str, float], None] | None = None,
) -> xr.Dataset:
    """Couple every system of an experiment and write the folder.

    Each run is kept when it ends, so that a coupling that is killed goes on where it was when it is
    called again, to the same bits.

    Args:
        folder: created if it is not there; may hold the run of the same experiment.
        overwrite: replace the coupling that the folder holds.
        on_run: called after each run of SGD with words and the share done.

    Returns:
        the dataset written as `coupling.nc`: `Coupling.data` of each, along `system`.

    Raises:
        InvalidInput: a folder that holds something else, or the run of data that were edited
            since, or input that does not fit.
        DivergenceError: a run left the finite numbers.
    """
    folder = Path(folder)
    with locked(folder), jax.enable_x64(experiment.run.precision == "float64"):
        prepare_coupling(experiment, folder, overwrite)
        built = build(experiment)
        check_data(experiment, built.digest, folder)
        if not (folder / CONFIG).exists():
            write_config(experiment, folder)
        data = _coupled(experiment, built, folder, on_run)
        write_config(experiment, folder)
        keep_data(experiment, built.digest, folder)
        results.write(data, folder / COUPLING)
        shutil.rmtree(folder / COUPLING_RUNS, ignore_errors=True)
    return data


def _coupled(
    experiment: Experiment,
    built: Built,
    folder: Path,
    on_run: Callable[[str, float], None] | None,
) -> xr.Dataset:
    section = experiment.coupling
    found: list[xr.Dataset] = []
    runs = folder / COUPLING_RUNS / _digest(experiment, built)
    for i, system in enumerate(built.systems):

        def tell(words: str, share: float, i: int = i, label: str = system.label) -> None:
            if on_run:
                on_run(f"{label}, {words}", (i + share) / len(built.systems))

        data, _ = coupled(
            system.problem,
            system.embedding,
            section.widths,
            section.learning_rates,
            section.until or experiment.run.until,
            experiment.run.seed,
            seeds=section.seeds,
            batch_size=section.batch_size,
            nodes=section.nodes,
            rule=section.rule,
            carried=section.carried,
            rtol=section.rtol,
            atol=section.atol,
            save_at=section.records,
            data_nodes=experiment.limit.data_nodes,
            predicted=section.predicted,
            progress=tell,
            kept_runs=partial(_kept, runs, f"system{i}"),
        )
        found.append(data)
    labels = [system.label for system in built.systems]
    data: xr.Dataset = xr.concat(
        found, xr.Variable("system", labels), join="outer", coords="minimal"
    )
    data["depth"] = ("system", [s.embedding.depth for s in built.systems], {"units": "layers"})
    data.attrs |= results.attributes(experiment)
    return data


def _digest(experiment: Experiment, built: Built) -> str:
    """Of all that the runs of a coupling depend on."""
    words: Any = dict.fromkeys(("title", "description", "name", "plan"), True)
    words["coupling"] = {"predicted"}
    content = experiment.model_dump(mode="json", exclude=words)
    return hashlib.sha256(f"{json.dumps(content)}{built.digest}".encode()).hexdigest()[:16]


def _kept(folder: Path, system: str, name: str, make: Callable[[], Run]) -> Run:
    """A run read from the folder, or made and kept there."""
    path = folder / f"{system}-{name}.npz"
    if path.is_file():
        try:
            _, arrays = archive.read(path)
            layers = [arrays[f"weights_{i}"] for i in range(len(arrays) - 2)]
            return Run(arrays["loss"], arrays["predictions"], layers)
        except archive.UNREADABLE:
            warnings.warn(
                f"{path.name} cannot be read; its run is made anew", RecoveryWarning, stacklevel=2
            )
    run = make()
    arrays = {f"weights_{i}": layer for i, layer in enumerate(run.weights)}
    archive.write(path, {}, arrays | {"loss": run.loss, "predictions": run.predictions})
    return run

"""Couple the systems of an experiment with their limits: `coupling.nc` in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax
import xarray as xr

from ..theory.coupling import couple
from . import results
from .build import build
from .config import Experiment
from .folder import COUPLING, check_data, keep_data, prepare_coupling, write_config


def couple_systems(
    experiment: Experiment,
    folder: str | Path,
    overwrite: bool = False,
    on_run: Callable[[str, float], None] | None = None,
) -> xr.Dataset:
    """Couple every system of an experiment and write the folder.

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
    prepare_coupling(experiment, folder, overwrite)
    section = experiment.coupling
    found: list[xr.Dataset] = []
    with jax.enable_x64(experiment.run.precision == "float64"):
        built = build(experiment)
        check_data(experiment, built.digest, folder)
        for i, system in enumerate(built.systems):

            def tell(words: str, share: float, i: int = i, label: str = system.label) -> None:
                if on_run:
                    on_run(f"{label}, {words}", (i + share) / len(built.systems))

            coupling = couple(
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
                progress=tell,
            )
            found.append(coupling.data)
    labels = [system.label for system in built.systems]
    data: xr.Dataset = xr.concat(
        found, xr.Variable("system", labels), join="outer", coords="minimal"
    )
    data["depth"] = ("system", [s.embedding.depth for s in built.systems], {"units": "layers"})
    data.attrs |= results.attributes(experiment)
    write_config(experiment, folder)
    keep_data(experiment, built.digest, folder)
    results.write(data, folder / COUPLING)
    return data

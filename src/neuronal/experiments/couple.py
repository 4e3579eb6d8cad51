"""Couple the systems of an experiment with their limits: `coupling.nc` in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax
import xarray as xr

from ..checks import require
from ..theory.coupling import couple
from . import results
from .build import build
from .checkpoints import atomically
from .config import Experiment
from .runner import CONFIG, changed

FILE = "coupling.nc"


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
        InvalidInput: a folder that holds something else, or input that does not fit.
        DivergenceError: a run left the finite numbers.
    """
    folder = Path(folder)
    _check(experiment, folder, overwrite)
    section = experiment.coupling
    found: list[xr.Dataset] = []
    with jax.enable_x64(experiment.run.precision == "float64"):
        built = build(experiment)
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
    folder.mkdir(parents=True, exist_ok=True)
    atomically(folder / CONFIG, lambda file: file.write(experiment.to_toml().encode()))
    results.write(data, folder / FILE)
    return data


def _check(experiment: Experiment, folder: Path, overwrite: bool) -> None:
    """Refuse a folder that would lose something."""
    name = str(folder)
    require(not folder.exists() or folder.is_dir(), f"--out: {name!r} is a file; takes a folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    config = folder / CONFIG
    require(
        config.is_file(),
        f"--out: {name!r} holds files that are no run; take an empty or a new folder",
    )
    differing = changed(experiment, config)
    require(
        not differing,
        f"--out: {name!r} holds a run of another configuration ({', '.join(differing)} differ); "
        "take another --out",
    )
    require(
        overwrite or not (folder / FILE).exists(),
        f"--out: {name!r} holds a finished coupling; take another --out, or --overwrite",
    )

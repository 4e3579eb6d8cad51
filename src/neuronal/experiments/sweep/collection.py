"""What a sweep leaves as numbers: one labelled dataset, `sweep.nc`."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .. import results
from ..config import Experiment
from ..folder import SWEEP
from .attempts import Outcome
from .combinations import Point, coordinates


def collect(
    experiment: Experiment, points: list[Point], outcomes: dict[str, Outcome]
) -> xr.Dataset:
    """Final risks of all points, and how each ended.

    Dimensions: one per field, then `system`, and `width` and `seed` where there are networks.
    What was not run, or failed, is NaN.

    Args:
        points: all combinations, as `points` gives them.
        outcomes: by the points' names.
    """
    values = {
        field: list({repr(p.values[field]): p.values[field] for p in points}.values())
        for field in points[0].values
    }
    grid = {field: coordinates(given) for field, given in values.items()}
    shape = tuple(map(len, grid.values()))
    own = {
        "system": _union(s.label for p in points for s in p.experiment.systems),
        "width": _union(n for p in points for n in p.experiment.networks.widths),
    }
    own["seed"] = _union(
        n for p in points if p.experiment.networks.widths for n in p.experiment.networks.seeds
    )
    data = xr.Dataset(coords=grid | {name: kept for name, kept in own.items() if kept})
    for name, frame in _frames(points, outcomes).items():
        inner = {d: own[str(d)] for d in frame.dims}
        table = np.full((len(points), *map(len, inner.values())), np.nan)
        for place, point in enumerate(points):
            final = outcomes[point.name].final
            if final is not None and name in final:
                table[place] = final[name].reindex(inner).transpose(*inner).values
        whole = table.reshape(shape + table.shape[1:])
        data[name] = ((*grid, *frame.dims), whole, frame.attrs)
    ends = [outcomes[p.name] for p in points]
    for name, kept, words in (
        ("folder", [p.name for p in points], "the folder of each point"),
        ("status", [e.status for e in ends], "finished or failed; else begun or waiting"),
        ("error", [e.error for e in ends], "why a point failed"),
        ("tries", [e.tries for e in ends], "how often it was begun in the last sweep"),
        ("seconds", [e.seconds for e in ends], "wall time in the drivers"),
    ):
        data[name] = (tuple(grid), np.asarray(kept).reshape(shape), {"description": words})
    data.seconds.attrs["units"] = "s"
    data.attrs = results.attributes(experiment)
    return data


def read(folder: Path) -> xr.Dataset:
    """The dataset of a sweep's folder, in memory.

    Raises:
        InvalidInput: no finished sweep there.
    """
    return results.read(folder, SWEEP)


def _frames(points: list[Point], outcomes: dict[str, Outcome]) -> dict[Hashable, xr.DataArray]:
    """Of each series a variable that has its dimensions and words; risks also where all failed."""
    frames: dict[Hashable, xr.DataArray] = {}
    for point in points:
        final = outcomes[point.name].final
        for name, series in final.data_vars.items() if final is not None else ():
            frames.setdefault(name, series)
    experiments = [point.experiment for point in points]
    if "limit_risk" not in frames and any(e.limit.enabled for e in experiments):
        frames["limit_risk"] = xr.DataArray(np.empty(0), dims=["system"])
    if "risk" not in frames and any(e.networks.widths for e in experiments):
        frames["risk"] = xr.DataArray(np.empty((0, 0, 0)), dims=["system", "width", "seed"])
    return frames


def _union(items: Iterable[Any]) -> list[Any]:
    """Each once, in the order of their appearance."""
    return list(dict.fromkeys(items))

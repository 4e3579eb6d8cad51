"""Runs of many widths and seeds as one dataset, and exponents in the width of what is in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from ..checks import require
from ..theory.rates import Rate, exponent
from .records import Run

OF_LAYERS = ("inputs", "outputs", "influence", "influence_below")
_STILL = 1e-4
"""Of a part's largest effect over steps: below it, the part has not moved yet."""


def collected(runs: Sequence[Sequence[Run]], widths: Sequence[int]) -> xr.Dataset:
    """Runs of each width and seed as arrays.

    Raises:
        InvalidInput: models of other layers at other widths.
    """
    first = runs[0][0]
    layers, parts = list(first.layers), list(first.parts)
    for of_width in runs:
        for run in of_width:
            require(
                list(run.layers) == layers and list(run.parts) == parts,
                "model: its layers have other names, or act in another order, at other widths",
            )
            require(
                len(run.scores) == len(first.scores), "model: has other softmaxes at other widths"
            )

    def table(values: list) -> np.ndarray:
        return np.array(values, float)

    over = ("width", "seed")
    data = xr.Dataset(coords={"width": list(widths), "seed": np.arange(len(runs[0]))})
    data = data.assign_coords(layer=layers, part=parts)
    for name in OF_LAYERS:
        values = [[[getattr(r.layers[n], name) for n in layers] for r in row] for row in runs]
        data[name] = (*over, "layer", "step"), table(values)
    moved = [[[r.layers[n].moved for n in layers] for r in row] for row in runs]
    data["moved"] = (*over, "layer", "state"), table(moved)
    for name in ("size", "size_below"):
        values = [[getattr(row[0].layers[n], name) for n in layers] for row in runs]
        data[name] = ("width", "layer"), table(values)
    effects = [[[r.parts[n].effects for n in parts] for r in row] for row in runs]
    data["effect"] = (*over, "part", "step"), table(effects)
    for name in ("shrink", "rate", "start"):
        values = [[[getattr(r.parts[n], name) for n in parts] for r in row] for row in runs]
        data[name] = (*over, "part"), table(values)
    for name in ("prediction", "change", "loss"):
        data[name] = (*over, "state"), table([[getattr(r, name) for r in row] for row in runs])
    data["felt"] = (*over, "step"), table([[r.felt for r in row] for row in runs])
    if first.scores:
        reach = [[[s.reach for s in r.scores] for r in row] for row in runs]
        data["reach"] = (*over, "softmax", "step"), table(reach)
        data["before"] = ("softmax",), np.array([s.before for s in first.scores])
        names = [" and ".join(s.layers) for s in first.scores]
        data["scored_by"] = ("softmax",), np.array(names, object)
    degrees = [first.parts[n].degree for n in parts]
    known = [d for d in degrees if np.isfinite(d)]
    middle = float(np.median(known)) if known else 1.0
    data["degree"] = ("part",), table([d if np.isfinite(d) else middle for d in degrees])
    data["matrix"] = ("part",), np.array([first.parts[n].dimensions > 1 for n in parts])
    data["whole"] = ("layer",), np.array([first.layers[n].whole for n in layers])
    data["layer_of"] = ("part",), np.array([first.parts[n].layer for n in parts], object)
    data["parameter"] = ("part",), np.array([first.parts[n].of for n in parts], object)
    return data


def slope(data: xr.Dataset, table: xr.DataArray | Float[np.ndarray, "V S"]) -> Rate:
    """The exponent in the width of a table over widths and seeds; NaN if it holds 0 or infinite values."""
    values = table.transpose("width", "seed").values if isinstance(table, xr.DataArray) else table
    if not (np.isfinite(values).all() and (values > 0).all()):
        return Rate(np.nan, np.nan, np.nan)
    return exponent(data.width.values.astype(float), values)


def first_move(data: xr.Dataset, part: str) -> int | None:
    """The first step in which a part moves at every width and seed."""
    effect = data.effect.sel(part=part)
    largest = effect.where(np.isfinite(effect)).max("step")
    moves = ((effect > _STILL * largest) & np.isfinite(effect)).all(["width", "seed"]).values
    return int(np.argmax(moves)) if moves.any() else None


def first_felt(data: xr.Dataset, layer: str) -> int:
    """The first step in which the loss depends on a layer at every width and seed; 0 if it never does."""
    influence = data.influence.sel(layer=layer)
    return int(np.argmax(((influence > 0) & np.isfinite(influence)).all(["width", "seed"]).values))


def grows(sizes: xr.DataArray) -> bool:
    """Whether a number of coordinates grows with the width."""
    return bool(sizes[-1] > sizes[0])

r"""What is fitted to a coupling's dataset: exponents of its distances, and prefactors.

Sampling of neurons takes the flow away from the limit by $C n^{-1/2}$, SGD's samples take it from its flow by
$C \epsilon^{1/2}$; to first order C is the limit's own (`neuronal.fluctuations`).
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from ..checks import require, shown
from .rates import Prefactor, Rate, exponent, prefactor

PAIRS = ("sgd-flow", "flow-limit", "sgd-limit")
QUANTITIES = ("prediction", "risk", "weight_rms", "weight_max")
POWERS = {"width": -0.5, "learning_rate": 0.5}
"""Of a distance in what it falls with."""
PARTED = {"width": "flow-limit", "learning_rate": "sgd-flow"}
"""The pair whose distance falls with it."""


def fitted(
    data: xr.Dataset, along: str, pair: str, of: str = "prediction", layer: int | None = None
) -> Rate:
    """`Coupling.rate` from the dataset alone."""
    at, table = chosen(data, along, pair, of, layer)
    require(len(at) > 1, f"{along}: a rate takes at least two values")
    return exponent(at, table)


def chosen(
    data: xr.Dataset, along: str, pair: str, of: str = "prediction", layer: int | None = None
) -> tuple[Float[np.ndarray, "V"], Float[np.ndarray, "V S"]]:
    """The widths or rates of a fit, and the distances of all seeds there."""
    require(
        along in ("width", "learning_rate"), f"along: width or learning_rate, got {shown(along)}"
    )
    require(pair in PAIRS, f"pair: {pair!r} is none of {', '.join(PAIRS)}")
    require(of in QUANTITIES, f"of: {of!r} is none of {', '.join(QUANTITIES)}")
    found = data[of].sel(pair=pair)
    if of.startswith("weight"):
        require(layer is not None, f"layer: {of} takes a layer, 1..{data.sizes['layer']}")
        found = found.sel(layer=layer)
    if along == "width":
        found = found.sel(learning_rate=float(data.learning_rate.min()))
    else:
        found = found.sel(width=int(data.width.max()))
    return np.asarray(found[along]), np.asarray(found.transpose(along, "seed"))


def fitted_prefactor(data: xr.Dataset, along: str) -> Prefactor:
    """`Coupling.prefactor` from the dataset alone."""
    require(along in POWERS, f"along: width or learning_rate, got {shown(along)}")
    if along == "width":
        place = {"learning_rate": float(data.learning_rate.min())}
    else:
        place = {"width": int(data.width.max())}
    distances = data[["prediction", *(["predicted"] if "predicted" in data else [])]]
    distances = distances.sel({"pair": PARTED[along]} | place)
    at, power = distances[along].values, POWERS[along]
    predicted = (
        float(distances.predicted[0]) / at[0] ** power if "predicted" in distances else np.nan
    )
    table = distances.prediction.transpose(along, "seed").values
    return prefactor(at, table, power, float(predicted))

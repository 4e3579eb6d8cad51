"""What the limit alone says of section 4's distances, before any network is trained."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import PRNGKeyArray

from ..embeddings import AbstractEmbedding
from ..errors import DivergenceError, InvalidInput
from ..problem import Problem
from .fluctuations import fluctuations

_MOST_NODES = 512
"""Of the limit's derivatives, on which the distances depend by a few per cent."""


def predict_distances(
    data: xr.Dataset,
    problem: Problem,
    embedding: AbstractEmbedding,
    key: PRNGKeyArray,
    *,
    batch_size: int,
    nodes: int,
    rule: str,
    data_nodes: int,
) -> xr.Dataset:
    """Variables of a coupling's dataset: what the limit says of its distances of predictions.

    Args:
        data: of the coupling; its widths, learning rates and times count.
        nodes: of the limit; at most 512 are taken.

    Returns:
        `predicted`, along `pair`, `learning_rate` and `width`, NaN where the limit cannot say; and
        `unpredicted`, the reason, empty where it can.
    """
    shape = {name: data[name].values for name in ("pair", "learning_rate", "width")}
    reason = ""
    try:
        law = fluctuations(
            problem,
            embedding,
            float(data.time[-1]),
            min(nodes, _MOST_NODES),
            rule,
            save_at=data.time.values,
            data_nodes=data_nodes,
            key=key,
        )
        rates = [float(rate) for rate in data.learning_rate.values]
        found = law.distances([int(n) for n in data.width.values], rates, batch_size)
        values = found.sel(pair=shape["pair"]).values
    except (InvalidInput, DivergenceError) as error:  # what was measured is not lost
        reason, values = str(error), np.full([len(v) for v in shape.values()], np.nan)
    predicted = xr.DataArray(values, shape, tuple(shape))
    predicted.attrs["description"] = "distance of predictions, predicted by the limit alone"
    return xr.Dataset({"predicted": predicted, "unpredicted": reason})

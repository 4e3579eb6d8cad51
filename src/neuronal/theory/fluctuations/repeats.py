"""Figures of several sets of nodes: their means, and standard errors from their scatter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr


def averaged(found: Sequence[xr.Dataset]) -> xr.Dataset:
    """The mean over independent datasets of `Fluctuations`; draws are put together.

    The standard error of a figure is that of the scatter, and no less than what directions and the
    limit's two rules alone give, for the scatter of a few sets can be small by chance.
    """
    sets = xr.concat([data.drop_vars("square_draws") for data in found], "set")
    mean = sets.mean("set", keep_attrs=True)
    for name in map(str, found[0].data_vars):
        error = f"{name}_error"
        if error in sets:
            scatter = sets[name].std("set", ddof=1) / np.sqrt(len(found))
            own = np.sqrt((sets[error] ** 2).sum("set")) / len(found)
            mean[error] = np.maximum(scatter, own)
    draws = xr.concat([data.square_draws for data in found], "draw")
    return mean.assign(square_draws=draws)

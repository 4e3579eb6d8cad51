"""The dataset that `Fluctuations` reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

SAMPLES = "samples"
"""The source that the samples of SGD are; the others are hidden layers, 1 to L - 1."""


def dataset(
    times: Float[np.ndarray, "T"],
    of_sources: Sequence[dict[str, tuple[np.ndarray, np.ndarray]]],
    quadratic: Float[np.ndarray, "sources sources T"],
    of_time: dict[str, tuple[tuple[str, ...], np.ndarray]],
    law: tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "m"]],
) -> xr.Dataset:
    """Everything under names."""
    layers = [f"layer {i}" for i in range(1, len(of_sources))]
    arrays = dict(of_time)
    for name, (value, _) in of_sources[0].items():
        dims = ("source", "time", "input", "output", "other_input", "other_output")
        dims = dims[: 1 + value.ndim]
        for suffix, part in (("", 0), ("_error", 1)):
            arrays[name + suffix] = (dims, np.stack([of[name][part] for of in of_sources]))
    arrays["risk_quadratic"] = (("source", "other", "time"), quadratic)
    names = [*layers, SAMPLES]
    coords = {"time": times, "source": names, "other": names}
    data = xr.Dataset(arrays, coords)
    data = data.assign_coords(x=(("input", "coordinate"), law[0]), mass=("input", law[1]))
    data["time"].attrs["units"] = "MF time"
    return data

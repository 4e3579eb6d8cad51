"""Matrices, and functions of the plane, as images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from matplotlib.colors import CenteredNorm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIGNED = "RdBu_r"


def matrix(ax: Axes, values: Float[np.ndarray, "a b"], name: str = "") -> Axes:
    """Values of two signs, white at 0, one in a hundred beyond the colours; the first row at the top."""
    most = CenteredNorm(halfrange=float(np.quantile(np.abs(values), 0.99)) or 1.0)
    image = ax.imshow(values, cmap=_SIGNED, norm=most, interpolation="nearest", aspect="auto")
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label=name, extend="both")
    return ax


def surface(
    ax: Axes,
    across: Float[np.ndarray, "a"],
    up: Float[np.ndarray, "b"],
    values: Float[np.ndarray, "b a"],
    signed: bool = False,
    name: str = "",
) -> Axes:
    """A function at the points of a grid; `signed`: white at 0."""
    colors: dict[str, Any] = (
        {"cmap": _SIGNED, "norm": CenteredNorm()} if signed else {"cmap": "viridis"}
    )
    image = ax.pcolormesh(across, up, values, shading="nearest", rasterized=True, **colors)
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label=name)
    return ax

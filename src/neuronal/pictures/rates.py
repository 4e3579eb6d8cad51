"""Risk against learning rate, at several sizes of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from .drawings import told
from .style import current, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def by_size(
    ax: Axes,
    rates: Float[np.ndarray, "R"],
    risks: Mapping[int, Float[np.ndarray, "R S"]],
    letter: str,
) -> Axes:
    """A line per size, of the geometric mean over seeds; a dot at its least; rates that diverge left out."""
    for place, (size, values) in enumerate(risks.items()):
        with np.errstate(invalid="ignore", divide="ignore"):
            middle = np.exp(np.log(values).mean(axis=1))
        shown = np.isfinite(middle)
        color = shade(current(), place, len(risks))
        ax.plot(rates[shown], middle[shown], lw=1.8, color=color, label=f"${letter} = {size}$")
        if shown.any():
            best = int(np.nanargmin(np.where(shown, middle, np.nan)))
            ax.plot(rates[best], middle[best], "o", ms=6, mec="white", mew=0.8, color=color)
    ax.set_xscale("log", base=2)
    ax.set(xlabel=r"learning rate $\epsilon$", ylabel="risk", yscale="log")
    return told(ax)

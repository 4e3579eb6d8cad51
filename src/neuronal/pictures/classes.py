"""What a classifier gets right, and how sure it is: scikit-learn's displays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from .style import current

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def confusion(
    ax: Axes,
    labels: Int[np.ndarray, "m"],
    predicted: Int[np.ndarray, "m"],
    weights: Float[np.ndarray, "m"],
    count: int,
    names: Sequence[str] | None = None,
    **options: Any,
) -> Axes:
    """Shares of each class that are taken for each, by `sklearn.metrics.ConfusionMatrixDisplay`."""
    from sklearn.metrics import ConfusionMatrixDisplay

    how: dict[str, Any] = {
        "normalize": "true",
        "values_format": ".2f",
        "cmap": "Blues",
        "colorbar": False,
    }
    numbers = list(range(count))
    how |= {"labels": numbers, "display_labels": names or numbers, "sample_weight": weights}
    ConfusionMatrixDisplay.from_predictions(labels, predicted, ax=ax, **(how | options))
    ax.grid(False)
    return ax


def calibration(
    ax: Axes,
    right: Int[np.ndarray, "m"],
    probability: Float[np.ndarray, "m"],
    weights: Float[np.ndarray, "m"],
    bins: int,
    label: str,
) -> Axes:
    """How often it is right where it says p, by `sklearn.calibration.CalibrationDisplay`."""
    from sklearn.calibration import CalibrationDisplay

    place = np.minimum((probability * bins).astype(int), bins - 1)
    mass = np.bincount(place, weights, bins)
    there = mass > 0
    often, said = (
        np.bincount(place, weights * values, bins)[there] / mass[there]
        for values in (right, probability)
    )
    display = CalibrationDisplay(often, said, probability)
    display.plot(ax=ax, name=label or None, color=current().series[0])
    ax.lines[0].set_color(current().faint)  # that of perfect calibration, which is black
    ax.legend(loc="lower right")
    ax.set(xlabel="probability", ylabel="share that is right")
    return ax

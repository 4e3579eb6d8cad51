"""Pictures of a run that learns classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike

from ..checks import whole
from .numbers import Numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ClassPlots:
    """Confusion, calibration and margins; of estimators scikit-learn's displays draw them."""

    _numbers: Numbers

    def confusion(
        self,
        ax: Axes | None = None,
        *,
        x: ArrayLike | None = None,
        y: ArrayLike | None = None,
        names: Sequence[str] | None = None,
        **options: Any,
    ) -> Axes:
        """Draw which classes are taken for which at the end: `sklearn.metrics.ConfusionMatrixDisplay`.

        Args:
            ax: to draw on.
            x, y: samples, such as those held out; those of the run's $E_Z$ if left out.
            names: of the classes.
            options: of `ConfusionMatrixDisplay.from_predictions`.

        Raises:
            InvalidInput: a loss without classes.
        """
        from ..pictures import classes, drawings

        scores, labels, weights = self._numbers.scores(self._numbers.run.network, x, y)
        ax = drawings.on(ax, (4.2, 3.8))
        return classes.confusion(
            ax, labels, scores.argmax(1), weights, scores.shape[1], names, **options
        )

    def calibration(
        self,
        ax: Axes | None = None,
        *,
        x: ArrayLike | None = None,
        y: ArrayLike | None = None,
        bins: int = 10,
        label: str = "",
    ) -> Axes:
        """Draw how often the class predicted at the end is right, against its probability.

        Args:
            ax: to draw on.
            x, y: as for `confusion`.
            bins: of equal width in the probability.
            label: in the legend.

        Raises:
            InvalidInput: a loss without classes.
        """
        from scipy import special

        from ..pictures import classes, drawings

        scores, labels, weights = self._numbers.scores(self._numbers.run.network, x, y)
        sure = special.softmax(scores, axis=1)
        right = (sure.argmax(1) == labels).astype(int)
        ax = drawings.on(ax, (4.2, 3.8))
        return classes.calibration(ax, right, sure.max(1), weights, whole("bins", bins, 1), label)

    def margins(
        self, ax: Axes | None = None, *, x: ArrayLike | None = None, y: ArrayLike | None = None
    ) -> Axes:
        """Draw the law of the margin over time: the score of the right class less the best of the others.

        Args:
            ax: to draw on.
            x, y: as for `confusion`.

        Raises:
            InvalidInput: a loss without classes.
        """
        from ..pictures import drawings

        found, weights = [], np.ones(1)
        for t in self._numbers.run.times:
            scores, labels, weights = self._numbers.scores(self._numbers.run.at(t), x, y)
            rows = np.arange(len(labels))
            right = scores[rows, labels].copy()
            scores[rows, labels] = -np.inf
            found.append(right - scores.max(1))
        ax = drawings.laws(
            drawings.on(ax), self._numbers.run.times, np.stack(found), weights, name="margin"
        )
        ax.axhline(0.0, lw=1.0, color="0.5")
        return ax

"""Final risks at every width, depth and rate."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import PRNGKeyArray

from ..checks import choice
from ..recipes import RATES, Recipe, final_risk, increasing, keys_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def scan(
    recipe: Recipe,
    widths: Sequence[int],
    depths: Sequence[int],
    rates: Sequence[float] = RATES,
    seeds: int = 1,
    key: PRNGKeyArray | int = 0,
    on_risk: Callable[[int, int, float, float], None] | None = None,
) -> xr.DataArray:
    """Final risks at every width, depth and rate: does the best rate move?

    Args:
        on_risk: called with `(depth, width, rate, risk)` as each is known.

    Returns:
        risks over `(depth, width, learning_rate, seed)`, infinite where a run diverged.

    Warns:
        UserWarning: the best rate of a size is the first or the last, of three or more.

    Raises:
        InvalidInput: arguments that do not fit.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> recipe = nr.transfer.Recipe(problem, nr.transfer.bidirectional_for(problem), steps=4)
        >>> risks = nr.transfer.scan(recipe, widths=[4], depths=[3], rates=[0.1, 0.2])
        >>> dict(risks.sizes)
        {'depth': 1, 'width': 1, 'learning_rate': 2, 'seed': 1}
        >>> nr.transfer.plot(risks).get_ylabel()
        'risk'
        >>> bool(nr.transfer.final_risk(recipe, 4, 3, 0.1, 0) > 0)
        True

        ```
    """
    import xarray as xr  # takes long to import, and estimators need none of it

    rates = increasing("rates", rates)
    keys = keys_of(key, seeds)
    shape = (len(depths), len(widths), len(rates), seeds)
    risks = xr.DataArray(
        np.full(shape, np.inf),
        dims=("depth", "width", "learning_rate", "seed"),
        coords={
            "depth": list(depths),
            "width": list(widths),
            "learning_rate": list(rates),
            "seed": np.arange(seeds),
        },
    )
    for i, depth in enumerate(depths):
        for j, width in enumerate(widths):
            for r, rate in enumerate(rates):
                for s in range(seeds):
                    risk = final_risk(recipe, width, depth, rate, keys[s])
                    risks[i, j, r, s] = risk
                    if on_risk:
                        on_risk(depth, width, rate, risk)
    _warn_of_edges(risks)
    return risks


def _warn_of_edges(risks: xr.DataArray) -> None:
    """Warn of sizes whose best rate, of three or more, is the first or the last."""
    if risks.sizes["learning_rate"] < 3:
        return
    mean = risks.mean("seed").transpose("depth", "width", "learning_rate")
    for i, words in ((0, "smaller"), (risks.sizes["learning_rate"] - 1, "larger")):
        at = np.argwhere(np.argmin(mean.values, axis=-1) == i)
        if len(at):
            sizes = ", ".join(
                f"width {mean.width.values[j]} at L = {mean.depth.values[d]}" for d, j in at
            )
            warnings.warn(
                f"rates: the best is at the edge, {mean.learning_rate.values[i]:g}, for {sizes}; "
                f"give {words} ones",
                stacklevel=3,
            )


def plot(
    risks: xr.DataArray, along: str = "width", infimum: float = 0.0, ax: Axes | None = None
) -> Axes:
    """Draw a scan: risk against learning rate, a line per size, a dot at each best rate.

    Args:
        risks: as `scan` gives them; of the sizes that are not along the line, the first.
        along: ``width`` or ``depth``.
        infimum: of the risk, which is taken off.
        ax: Matplotlib's axes; new ones if left out.

    Raises:
        InvalidInput: another `along`.
    """
    from ..pictures import drawings, rates

    choice("along", along, ["width", "depth"])
    other = {"width": "depth", "depth": "width"}[along]
    chosen = risks.isel({other: 0}).transpose(along, "learning_rate", "seed") - infimum
    of_sizes = {int(size): chosen.sel({along: size}).values for size in chosen[along].values}
    letter = {"width": "n", "depth": "L"}[along]
    ax = rates.by_size(drawings.on(ax), risks.learning_rate.values, of_sizes, letter)
    ax.set_ylabel("excess risk" if infimum else "risk")
    return ax

"""A run's networks beside what the limit alone predicts of them: a figure and a table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from matplotlib.figure import Figure

from ..pictures import drawings
from ..pictures.style import Theme, plain
from . import sheets
from .document import Table, number
from .figures import Picture

_COLUMNS = 4
_WIDTH, _HEIGHT = 2.35, 2.2
"""Of a panel, in inches."""
_BAND = 1.96
"""Standard deviations on either side that 95 % of a normal law is within."""
_SEVERAL = 8
"""Networks from which on a band is drawn of them, as of the prediction; fewer are drawn one by one."""


class Beside(NamedTuple):
    """A system's networks of one width, and their prediction at the run's times.

    Attributes:
        networks: risks, `(seeds, T)`; none where the run has no such networks.
        mean, sd: predicted, NaN where the prediction does not reach; `mean` is the limit's risk where
            its shift is not known.
        mean_error, sd_error: standard errors.
        shifted: whether the mean's shift is known.
    """

    networks: Float[np.ndarray, "S T"]
    mean: Float[np.ndarray, "T"]
    sd: Float[np.ndarray, "T"]
    mean_error: Float[np.ndarray, "T"]
    sd_error: Float[np.ndarray, "T"]
    shifted: bool

    @property
    def within(self) -> float:
        """The share of the networks' records inside the band; NaN without networks."""
        known = np.isfinite(self.sd) & np.isfinite(self.networks)
        inside = np.abs(self.networks - self.mean) <= _BAND * self.sd
        return float(inside[known].mean()) if known.any() else np.nan


def beside(data: xr.Dataset, prediction: xr.Dataset, system: int, width: int) -> Beside:
    """What the run and its prediction say of a system's networks of a width."""
    networks = np.empty((0, data.sizes["time"]))
    if "risk" in data and width in data.width.values:
        chosen = data["risk"].isel(system=system).sel(width=width)
        networks = chosen.transpose("seed", "time").values
    own = prediction.isel(system=system).sel(width=width)
    t, foretold = data.time.values, prediction.time.values
    reached = t <= foretold[-1] * (1 + 1e-9)
    at = lambda name: np.where(reached, np.interp(t, foretold, own[name].values), np.nan)
    shifted = bool(own.risk_mean.notnull().all())
    mean, error = ("risk_mean", "risk_mean_error") if shifted else ("risk", "risk_error")
    return Beside(networks, at(mean), at("risk_sd"), at(error), at("risk_sd_error"), shifted)


def widths(data: xr.Dataset, prediction: xr.Dataset) -> list[int]:
    """The widths that are predicted, and are networks of the run if it has any of them."""
    own = set(data.width.values.tolist()) if "risk" in data else set()
    foretold = prediction.width.values.tolist()
    return [n for n in foretold if n in own] or foretold


def known(prediction: xr.Dataset) -> list[int]:
    """Positions of the systems that are predicted."""
    return [i for i, why in enumerate(prediction.unpredicted.values) if not str(why)]


def pictures(data: xr.Dataset, prediction: xr.Dataset) -> Iterator[Picture]:
    """The figure of networks and prediction, if a system is predicted."""
    if known(prediction):
        yield Picture(
            "prediction",
            "Networks and their prediction",
            caption(data, prediction),
            partial(risks, data, prediction),
            partial(numbers, data, prediction),
        )


def risks(data: xr.Dataset, prediction: xr.Dataset, theme: Theme) -> Figure:
    """Risk against MF time, a panel per system and width: networks and prediction."""
    chosen, systems = widths(data, prediction), known(prediction)
    columns = min(len(chosen), _COLUMNS if theme.columns > 1 else 1)
    rows = -(-len(chosen) // columns)
    across = max(columns, 2) * _WIDTH + 0.4 if theme.columns > 1 else sheets.NARROW
    figure = Figure(figsize=(across, len(systems) * rows * _HEIGHT + 0.5))
    grid = figure.subplots(len(systems) * rows, columns, sharex=True, sharey=True, squeeze=False)
    networks, foretold = theme.series[:2]
    low, high = np.inf, -np.inf
    for k, i in enumerate(systems):
        panels = grid[k * rows : (k + 1) * rows].ravel()
        for axis in panels[len(chosen) :]:
            axis.set_visible(False)
        for axis, n in zip(panels, chosen, strict=False):
            found = beside(data, prediction, i, n)
            t = data.time.values
            if len(found.networks) >= _SEVERAL:
                of = _about(found.networks.mean(0), found.networks.std(0, ddof=1))
                drawings.band(axis, t, of, networks, "networks")
            else:
                for one in found.networks:
                    drawings.band(axis, t, drawings.Range(one, one, one), networks, "networks")
            drawings.band(axis, t, _about(found.mean, found.sd), foretold, "predicted")
            seen = (
                found.networks if len(found.networks) else found.mean + np.outer([-2, 2], found.sd)
            )
            low, high = min(low, np.nanmin(seen)), max(high, np.nanmax(seen))
            axis.set_title(plain(f"{data.system.values[i]}, n = {n}"))
            sheets.time_axis(axis, data)
            axis.set(xlabel="", ylabel="")
    for axis in grid[:, 0]:
        axis.set_ylabel("risk")
    for axis in grid[-1]:
        axis.set_xlabel(drawings.TIME)
    margin = 0.08 * (high - low) or 1.0
    grid[0, 0].set_ylim(low - margin, high + margin)
    sheets.legend(figure, first=["networks"])
    return figure


def numbers(data: xr.Dataset, prediction: xr.Dataset) -> pd.DataFrame:
    """What the figure draws: risks of networks, and of the prediction mean and standard deviation."""
    chosen, systems = widths(data, prediction), known(prediction)
    found = []
    for i in systems:
        for n in chosen:
            own = beside(data, prediction, i, n)
            place = {"system": str(data.system.values[i]), "width": n, "time": data.time.values}
            for seed, values in zip(data.get("seed", ()), own.networks, strict=False):
                found.append(
                    pd.DataFrame({"of": "network", **place, "seed": int(seed), "value": values})
                )
            for of, values in (("predicted mean", own.mean), ("predicted sd", own.sd)):
                found.append(pd.DataFrame({"of": of, **place, "value": values}))
    whole = pd.concat(found, ignore_index=True).dropna(subset="value")
    if "seed" in whole:
        whole["seed"] = whole["seed"].astype("Int64")
    return whole


def caption(data: xr.Dataset, prediction: xr.Dataset) -> str:
    """What the figure shows, in words."""
    words = "Risk against mean-field time, for each system and width. "
    if "risk" in data:
        several = data.sizes["seed"] >= _SEVERAL
        seeds = f"{data.sizes['seed']} seeds"
        words += (
            f"Networks: {f'mean and 95 % band of {seeds}' if several else f'each of {seeds}'}. "
        )
    words += (
        "Predicted: mean and 95 % band over networks, from the limit alone, to first order in 1/n and "
        f"the learning rate {prediction.attrs['learning_rate']:g}, batches of "
        f"{prediction.attrs['batch_size']}."
    )
    own = [prediction.isel(system=i) for i in known(prediction)]
    unknown = [str(one.system.values) for one in own if one.risk_mean.isnull().any()]
    if unknown:
        words += (
            f" Of {', '.join(unknown)} the mean's shift is not known: the band is about the limit's "
            "own risk."
        )
    return words


def table(data: xr.Dataset, prediction: xr.Dataset) -> Table:
    """Final risks: measured and predicted, and the share of records in the band."""
    end = int(np.flatnonzero(data.time.values <= prediction.time.values[-1] * (1 + 1e-9))[-1])
    groups = [list(_rows(data, prediction, i, end)) for i in known(prediction)]
    heads = ["system", "width", "networks", "predicted", "standard errors", "in the band"]
    note = (
        f"Risk at MF time {number(float(data.time.values[end]))}: mean ± standard deviation, measured "
        "over seeds, and predicted over networks, with the standard error of both. In the band: the share "
        "of all records of these networks in the predicted 95 % band."
    )
    unknown = [
        f"Not predicted, {label}: {why}."
        for label, why in zip(prediction.system.values, prediction.unpredicted.values, strict=True)
        if str(why)
    ]
    return Table(heads, groups, [note, *unknown])


def _rows(data: xr.Dataset, prediction: xr.Dataset, system: int, end: int) -> Iterator[list[str]]:
    for n in widths(data, prediction):
        found = beside(data, prediction, system, n)
        ends, foretold = found.networks[:, end], number(found.sd[end])
        measured = number(float(ends.mean())) if len(ends) else "–"
        if len(ends) > 1:
            measured += f" ± {number(float(ends.std(ddof=1)))}"
        mean, error = (
            (number(float(v[end])) for v in (found.mean, found.mean_error))
            if found.shifted
            else ("–", "–")
        )
        yield [
            str(data.system.values[system]),
            str(n),
            measured,
            f"{mean} ± {foretold}",
            f"{error}, {number(float(found.sd_error[end]))}",
            "–" if np.isnan(found.within) else f"{100 * found.within:.0f}\u00a0%",
        ]


def _about(mean: Float[np.ndarray, "T"], sd: Float[np.ndarray, "T"]) -> drawings.Range:
    """A mean and its band: of networks and of the prediction alike."""
    return drawings.Range.about(mean, _BAND * sd)

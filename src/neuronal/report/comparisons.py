"""The figures of a sweep: final risks against a field, and the curves of all points."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..pictures import drawings
from ..pictures.style import Theme, shade
from .sheets import labels, legend, panels

Curve = tuple[dict[str, int], xr.Dataset]
"""Where a point stands among the fields, and its results."""

_MOST_CURVES = 300
_MOST_ENTRIES = 8
"""Of a legend: of more lines, some are named."""


def final(data: xr.Dataset) -> dict[str, xr.DataArray]:
    """Final risks by their kind: of the limit, and of each width the median over seeds."""
    kinds = {"limit": data["limit_risk"]} if "limit_risk" in data else {}
    if "risk" in data and data.sizes.get("width"):
        risks = data["risk"].median("seed")
        kinds |= {f"width {n}": risks.sel(width=n) for n in data.width.values}
    return kinds


def leading(data: xr.Dataset) -> str:
    """The field by which curves are coloured: the first of several values."""
    fields = [str(d) for d in data.status.dims]
    return next((field for field in fields if data.sizes[field] > 1), fields[0])


def thinned(curves: list[Curve]) -> list[Curve]:
    """Evenly chosen curves where there are too many to be seen."""
    if len(curves) <= _MOST_CURVES:
        return curves
    chosen = np.linspace(0, len(curves) - 1, _MOST_CURVES).round().astype(int)
    return [curves[i] for i in chosen]


def final_risks(data: xr.Dataset, field: str, theme: Theme) -> Figure:
    """Final risk against a field, a panel per system, a line per combination of other fields."""
    figure, axes = panels(data, theme)
    values = data[field].values
    numeric = values.dtype.kind in "iuf"
    at = values if numeric else np.arange(len(values))
    order = np.argsort(at, kind="stable")
    kinds = final(data)
    others = [str(d) for d in data.status.dims if d != field and data.sizes[d] > 1]
    combinations = list(itertools.product(*(range(data.sizes[d]) for d in others)))
    fixed = {str(d): 0 for d in data.status.dims if data.sizes[d] == 1}
    last = list(kinds)[-1] if len(kinds) > ("limit" in kinds) else None
    for i, axis in axes:
        for k, index in enumerate(combinations):
            place = fixed | dict(zip(others, index, strict=True))
            for j, (kind, risks) in enumerate(kinds.items()):
                if others and kind not in ("limit", last):
                    continue
                style = (
                    _among_others(theme, kind, k, len(combinations))
                    if others
                    else _alone(
                        theme, kind, j - ("limit" in kinds), len(kinds) - ("limit" in kinds)
                    )
                )
                line = risks.isel({**place, "system": i}).values
                name = "" if others else _named(kind)
                axis.plot(at[order], line[order], marker="o", ms=3.4, label=name, **style)
        _axis(axis, values, at, numeric)
        _logarithmic(axis, np.concatenate([risks.values.ravel() for risks in kinds.values()]))
    labels(axes, "final risk", theme, _plain(field))
    if others:
        words = [
            ", ".join(str(data[d].values[i]) for d, i in zip(others, index, strict=True))
            for index in combinations
        ]
        _legend(figure, theme, words, ", ".join(others))
    else:
        legend(figure)
    return figure


def risk_curves(data: xr.Dataset, curves: list[Curve], theme: Theme) -> Figure:
    """Risk against MF time of all points on one axis per system, coloured by the leading field."""
    figure, axes = panels(data, theme)
    field = leading(data)
    until = max(float(results.time.values[-1]) for _, results in curves)
    thin = 1.0 if len(curves) <= 12 else 0.5
    for i, axis in axes:
        label = data.system.values[i]
        seen = [np.empty(0)]
        for place, results in curves:
            color = _colour(theme, place[field], data.sizes[field])
            for of, line in _lines(results, label).items():
                dashes, lw = ("-", 1.6) if of == "limit" else ("--", 1.1)
                how = {"color": color, "ls": dashes, "lw": lw * thin}
                drawings.risk(axis, results.time.values, line, **how)
                seen.append(line)
        axis.set_xlim(0, until)
        axis.set_yscale("linear")
        _logarithmic(axis, np.concatenate(seen))
    labels(axes, "risk", theme)
    _legend(figure, theme, [str(v) for v in data[field].values], field)
    return figure


def numbers(data: xr.Dataset, curves: list[Curve]) -> pd.DataFrame:
    """The curves as rows: the point's values, the system, MF time, and the risk."""
    found = []
    for place, results in curves:
        values = {field: data[field].values[k] for field, k in place.items()}
        for label in results.system.values:
            for of, line in _lines(results, label).items():
                words = {"of": of, **values, "system": str(label)}
                found.append(pd.DataFrame({**words, "time": results.time.values, "value": line}))
    return pd.concat(found, ignore_index=True).dropna(subset="value")


def _lines(results: xr.Dataset, label: Any) -> dict[str, np.ndarray]:
    """What is drawn of a system's run: its limit, and the median of its widest networks."""
    if label not in results.system.values:
        return {}
    own, found = results.sel(system=label), {}
    if "limit_risk" in own:
        found["limit"] = own.limit_risk.values
    if "risk" in own:
        found["network"] = own.risk.isel(width=-1).median("seed").values
    return found


def _named(kind: str) -> str:
    """A kind of final risk, as legends have it."""
    return kind if kind == "limit" else f"$n = {kind.removeprefix('width ')}$"


def _alone(theme: Theme, kind: str, place: int, count: int) -> dict[str, Any]:
    if kind == "limit":
        return {"color": theme.limit, "lw": 2.3, "zorder": 3}
    return {"color": shade(theme, place, count), "lw": 1.4}


def _among_others(theme: Theme, kind: str, place: int, count: int) -> dict[str, Any]:
    dashes = ("-", 1.8) if kind == "limit" else ("--", 1.3)
    return {"color": _colour(theme, place, count), "ls": dashes[0], "lw": dashes[1]}


def _colour(theme: Theme, place: int, count: int) -> Any:
    """One of the categorical colours, or of a range where there are more lines than those."""
    return theme.series[place] if count <= len(theme.series) else shade(theme, place, count)


def _axis(axis: Axes, values: np.ndarray, at: np.ndarray, numeric: bool) -> None:
    """Ticks at the values, if they are few; logarithmic where they span much."""
    if numeric and at.min() > 0 and at.max() >= 8 * at.min():
        axis.set_xscale("log")
        axis.minorticks_off()
    if len(values) <= 6:
        axis.set_xticks(at, [_plain(f"{v:g}" if numeric else str(v)) for v in values])


def _logarithmic(axis: Axes, values: np.ndarray) -> None:
    """A logarithmic axis of risks, where they are positive and span more than a power of ten."""
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        axis.set_yscale("log")


def _legend(figure: Figure, theme: Theme, words: list[str], title: str) -> None:
    """The colours of several lines, some of them if they are many."""
    count = len(words)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _MOST_ENTRIES)).round().astype(int))
    handles = [
        Line2D([], [], color=_colour(theme, int(k), count), lw=1.8, label=_plain(words[k]))
        for k in chosen
    ]
    columns = min(
        len(handles), max(1, int(figure.get_figwidth() * 12 / (max(map(len, words)) + 8)))
    )
    figure.legend(
        handles=handles, loc="outside upper center", ncols=columns, handlelength=1.6,
        title=_plain(title), title_fontsize=10,
    )  # fmt: skip


def _plain(text: str) -> str:
    """Words that Matplotlib does not take for mathematics, and that fit."""
    short = text if len(text) <= 48 else f"{text[:45]}..."
    return short.replace("$", r"\$")

"""Tables of runs, couplings, predictions and sweeps in the terminal."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import xarray as xr
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from .comparisons import final
from .coupling import prefactors, rates, unpredicted


def summary(data: xr.Dataset) -> Group:
    """The final risk of each run, as a table."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("system", style="bold")
    accuracy = "test_accuracy" in data or "limit_test_accuracy" in data
    kinds = ["limit"] if "limit_risk" in data else []
    kinds += [f"width {n}" for n in data.width.values] if "risk" in data else []
    for kind in kinds:
        table.add_column(kind, justify="right")
    for i, label in enumerate(data.system.values):
        cells = []
        for kind in kinds:
            cell = f"{_final(data, i, kind, 'risk'):.4g}"
            if accuracy:
                cell += f"  ({100 * _final(data, i, kind, 'test_accuracy'):.1f} %)"
            cells.append(cell)
        table.add_row(escape(str(label)), *cells)
    known = f", infimum {float(data.infimum):.4g}" if "infimum" in data else ""
    heading = (
        f"risk at MF time {float(data.time[-1]):g}{' (test accuracy)' if accuracy else ''}, "
        f"best constant {float(data.constant_risk):.4g}{known}"
    )
    return Group(heading, table)


def _final(data: xr.Dataset, system: int, kind: str, name: str) -> float:
    """The last value of a series; of several seeds the median."""
    if kind == "limit":
        values = data[f"limit_{name}"].isel(system=system)
    else:
        width = int(kind.removeprefix("width "))
        values = data[name].isel(system=system).sel(width=width).median("seed")
    return float(values.dropna("time")[-1])


def coupled(data: xr.Dataset) -> Group:
    """The rates fitted to a coupling: a row per system and distance."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("system", style="bold")
    for head in ("distance", "flow to the limit, in n", "SGD to its flow, in ε"):
        table.add_column(head)
    for i, label in enumerate(data.system.values):
        for k, (name, *fitted) in enumerate(rates(data, i)):
            cells = [str(rate) if rate else "–" for rate in fitted]
            table.add_row("" if k else escape(str(label)), name, *cells)
    factors = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    factors.add_column("system", style="bold")
    for head in ("flow to the limit, in n", "SGD to its flow, in ε"):
        factors.add_column(head)
    for i, label in enumerate(data.system.values):
        factors.add_row(escape(str(label)), *map(str, prefactors(data, i).values()))
    reasons = [escape(f"not predicted, {label}: {reason}") for label, reason in unpredicted(data)]
    return Group(
        "fitted exponents, 95 % intervals over seeds",
        table,
        "\nprefactors C of the distance of predictions, C n^(-1/2) and C ε^(1/2)",
        factors,
        *reasons,
    )


def predicted(data: xr.Dataset) -> Group:
    """Predicted risks at the last time: a row per system, mean and deviation of each width."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("system", style="bold")
    for head in ("limit", *(f"width {n}" for n in data.width.values)):
        table.add_column(head, justify="right")
    for i, label in enumerate(data.system.values):
        last = data.isel(system=i, time=-1)
        pairs = zip(last.risk_mean.values, last.risk_sd.values, strict=True)
        cells = [f"{'–' if mean != mean else f'{mean:.4g}'} ± {sd:.2g}" for mean, sd in pairs]
        table.add_row(escape(str(label)), f"{float(last.risk):.4g}", *cells)
    heading = f"risk at MF time {float(data.time[-1]):g}: mean ± standard deviation over networks"
    reasons = [escape(f"not predicted, {label}: {reason}") for label, reason in unpredicted(data)]
    return Group(heading, table, *reasons)


def swept(data: xr.Dataset, fields: Sequence[str]) -> Table:
    """Final risks of a sweep: a row per combination and system."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for field in (*fields, "system"):
        table.add_column(escape(field), style="bold", overflow="fold")
    kinds = final(data)
    for kind in kinds:
        table.add_column(f"risk, {kind}", justify="right", overflow="fold")
    for index in itertools.product(*(range(data.sizes[d]) for d in (*fields, "system"))):
        at = dict(zip((*fields, "system"), index, strict=True))
        names = [str(data[d].values[i]) for d, i in at.items()]
        failed = str(data.status.isel({d: at[d] for d in fields}).values) == "failed"
        values = [float(risk.isel(at)) for risk in kinds.values()]
        missing = "failed" if failed else "–"
        table.add_row(*map(escape, names), *(f"{v:.4g}" if v == v else missing for v in values))
    return table

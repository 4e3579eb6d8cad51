"""The bundled example `regression_1d`: the limit and networks at depth 2, 4 and 8, one learning rate for all.

Its curves are kept beside the table; `docs/figures.py` draws the pictures of the documentation from them.
"""

from __future__ import annotations

import tempfile

import xarray as xr

from neuronal.experiments import Experiment, load, run
from neuronal.experiments.examples import example

from .common import report

CURVES = [
    "risk",
    "limit_risk",
    "prediction",
    "limit_prediction",
    "target",
    "infimum",
    "constant_risk",
]
DIGITS = 6


def measured(experiment: Experiment) -> xr.Dataset:
    """The series of a run of that experiment."""
    with tempfile.TemporaryDirectory() as folder:
        return run(experiment, folder, overwrite=True)


def rounded(numbers: object) -> object:
    """Nested lists of numbers to so many digits, which a picture does not need more of."""
    if isinstance(numbers, list):
        return [rounded(number) for number in numbers]
    return float(f"{numbers:.{DIGITS}g}") if isinstance(numbers, float) else numbers


def main() -> None:
    experiment = load(example("regression_1d"))
    tell(experiment, measured(experiment))


def tell(experiment: Experiment, data: xr.Dataset) -> None:
    """Write the table, and the curves."""
    infimum = float(data.infimum)
    rows = []
    for system in data.system.values:
        here = data.sel(system=system).isel(time=-1)
        row = {"system": str(system), "limit, excess risk": float(here.limit_risk) - infimum}
        for width in data.width.values:
            row[f"width {width}, excess risk"] = (
                float(here.risk.sel(width=width).mean("seed")) - infimum
            )
        rows.append(row)
    curves = data[CURVES].drop_attrs().to_dict()
    for variable in [*curves["coords"].values(), *curves["data_vars"].values()]:
        variable["data"] = rounded(variable["data"])
    curves["attrs"] = {"configuration": data.attrs["configuration"]}
    settings = experiment.networks
    report(
        "regression_1d",
        f"excess risk at t = {experiment.run.until:g}, learning rate {settings.learning_rate} at every depth",
        rows,
        f"networks: means over {len(settings.seeds)} seeds; a constant's excess risk is "
        f"{float(data.constant_risk) - infimum:.3f}",
        curves=curves,
    )


if __name__ == "__main__":
    main()

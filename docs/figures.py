"""Draw the pictures of the documentation anew, from `benchmarks/results/*.json` alone.

`python docs/figures.py` writes those of `docs/assets/`. A test draws them and compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import xarray as xr
from matplotlib.figure import Figure

from neuronal.pictures import style
from neuronal.pictures.style import Theme
from neuronal.report import plots
from neuronal.works.panels import Panel, drawn

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "docs" / "assets"
DPI = 200

sys.path.insert(0, str(ROOT))
from benchmarks.transfer_plot import risks_by_rate  # noqa: E402
from benchmarks.works_plot import deviations  # noqa: E402


def record(name: str) -> dict:
    """What a benchmark left."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def example() -> xr.Dataset:
    """The curves of the bundled example, as its report has them."""
    return xr.Dataset.from_dict(record("regression_1d")["curves"])


def excess(theme: Theme) -> Figure:
    return plots.excess(example(), theme)


def predictions(theme: Theme) -> Figure:
    return plots.predictions(example(), theme)


def transfer(theme: Theme) -> Figure:
    points = record("transfer")["points"]
    (width,) = {point["width"] for point in points if point["depth"] > 3}
    return risks_by_rate(points, theme, width)


def works(theme: Theme) -> Figure:
    return deviations(record("works")["works"], theme)


def work(rows: list[dict]) -> Callable[[Theme], Figure]:
    """The curves of one work."""
    panels = [Panel.from_dict(row["panel"]) for row in rows if "panel" in row]
    return lambda theme: drawn(panels, theme)


FIGURES: dict[str, Callable[[Theme], Figure]] = {
    "regression_1d.png": excess,
    "regression_1d_predictions.png": predictions,
    "transfer.png": transfer,
    "works.png": works,
    **{
        f"works_{name}.png": work(rows)
        for name, rows in record("works")["works"].items()
        if any("panel" in row for row in rows)
    },
}


THEMES = {"": style.LIGHT, "-dark": style.DARK}


def files() -> list[str]:
    """Each picture, on white, and transparent for dark pages."""
    return [f"{Path(name).stem}{end}.png" for name in FIGURES for end in THEMES]


def draw(name: str, path: Path) -> None:
    """Write one of `files`, without the versions of what drew it."""
    dark = name.endswith("-dark.png")
    theme = style.DARK if dark else style.LIGHT
    with style.using(theme):
        figure = FIGURES[name.replace("-dark.png", ".png")](theme)
        ground = "none" if dark else "white"
        figure.savefig(path, dpi=DPI, facecolor=ground, metadata={"Software": None})


if __name__ == "__main__":
    mpl.use("agg")
    for name in files():
        draw(name, ASSETS / name)

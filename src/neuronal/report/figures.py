"""A page's figures: in the page for wide and narrow windows, light and dark, and as files beside it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from ..experiments.folder import FIGURES
from ..files.writing import atomically, write_text
from ..pictures.saved import darkened, saved
from ..pictures.style import LIGHT, NARROW, Theme, using

KINDS = ("pdf", "svg", "png")


@dataclass(frozen=True)
class Picture:
    """A figure that a page shows.

    Attributes:
        name: of its files, and its anchor.
        title: in a word or two.
        caption: what it shows.
        draw: the figure in a theme.
        table: the numbers drawn, a row each.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Theme], Figure]
    table: Callable[[], pd.DataFrame]


@dataclass(frozen=True)
class Shown:
    """A figure as the page has it: images as data, and the files beside it.

    Attributes:
        number: from 1.
        light, dark, narrow, narrow_dark: addresses of images.
        files: their kinds and addresses from the page; none if there are no files.
    """

    template: ClassVar = "figure.html"
    number: int
    name: str
    title: str
    caption: str
    light: str
    dark: str
    narrow: str
    narrow_dark: str
    files: Sequence[tuple[str, str]]


def shown(pictures: Iterable[Picture], folder: Path | None, first: int = 1) -> list[Shown]:
    """Draw figures, numbered from `first`, and write their files.

    Args:
        folder: of the page; files are in `figures/` there, each written whole or not at all. None are
            written if it is None.

    Raises:
        OSError: a file cannot be written.
    """
    return [_shown(picture, number, folder) for number, picture in enumerate(pictures, first)]


def _shown(picture: Picture, number: int, folder: Path | None) -> Shown:
    wide, narrow = (_drawn(picture, theme) for theme in (LIGHT, NARROW))
    svg, small = saved(wide, LIGHT, "svg"), saved(narrow, NARROW, "svg")
    files: list[tuple[str, str]] = []
    if folder is not None:
        place = lambda kind: folder / FIGURES / f"{picture.name}.{kind}"
        for kind in KINDS:
            content = svg if kind == "svg" else saved(wide, LIGHT, kind)
            atomically(place(kind), lambda file, of=content: file.write(of))
        write_text(place("csv"), picture.table().to_csv(index=False))
        files = [(kind, f"{FIGURES}/{picture.name}.{kind}") for kind in (*KINDS, "csv")]
    words = (picture.name, picture.title, picture.caption)
    images = map(_inline, (svg, darkened(svg), small, darkened(small)))
    return Shown(number, *words, *images, files)  # pyright: ignore[reportCallIssue]


def _drawn(picture: Picture, theme: Theme) -> Figure:
    with using(theme):
        return picture.draw(theme)


def _inline(image: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(image).decode()


def rows(data: xr.Dataset, names: Mapping[str, str]) -> pd.DataFrame:
    """Variables of a dataset one below the other, a row per number.

    Args:
        names: of the variables, by what the column `of` calls them; those that are not there are left
            out.

    Returns:
        a column per dimension, then `of` and `value`; what is not known has no row.
    """
    found: list[pd.DataFrame] = []
    for of, name in names.items():
        if name not in data:
            continue
        series = data[name].drop_vars([c for c in data[name].coords if c not in data[name].dims])
        if series.dims:
            table = series.to_series().dropna().rename("value").reset_index()
        else:
            table = pd.DataFrame({"value": [float(series)]})
        for column in ("width", "seed", "layer"):
            if column in table:
                table[column] = table[column].astype("Int64")
        found.append(table.assign(of=of))
    whole = pd.concat(found, ignore_index=True)
    dims = [str(d) for d in data.dims if d in whole]
    return whole.reindex(columns=["of", *dims, "value"])

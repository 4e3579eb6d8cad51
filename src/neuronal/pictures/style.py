"""One look for every figure: a light and a dark theme, colours safe for colour blindness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import matplotlib.colors


@dataclass(frozen=True)
class Theme:
    """Colours of a figure, and how many of its panels are side by side.

    Every line's contrast to the ground is at least 3 : 1, a grid's aside; that of text is 4.5 : 1.

    Attributes:
        ground: what figures are drawn on.
        ink, faint, grid: text and axes, secondary text, grid lines.
        limit: of the limit's line; `line` of the infimum.
        shades: the range of the sequential map from the narrowest to the widest network.
        series: categorical colours (after Okabe and Ito).
        columns: of panels.
    """

    ground: str
    ink: str
    faint: str
    grid: str
    limit: str
    line: str
    shades: tuple[float, float]
    series: tuple[str, ...]
    columns: int = 3


LIGHT = Theme(
    ground="#ffffff", ink="#1d2129", faint="#69707d", grid="#e4e6ea", limit="#15181e", line="#c2410c",
    shades=(0.58, 0.05),
    series=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#2C8FC9", "#B8860B", "#5B4A9C"),
)  # fmt: skip
DARK = Theme(
    ground="#15181d", ink="#e8eaee", faint="#9aa1ae", grid="#2e333c", limit="#ffffff", line="#fb923c",
    shades=(0.36, 0.95),
    series=("#56B4E9", "#E69F00", "#2FC79A", "#E39CC6", "#8FB8FF", "#F0E442", "#A99CF0"),
)  # fmt: skip
NARROW = replace(LIGHT, columns=1)
"""For telephones: panels below each other."""


def current() -> Theme:
    """That of Matplotlib's settings: `DARK` where text is light."""
    return DARK if sum(matplotlib.colors.to_rgb(mpl.rcParams["text.color"])) > 1.5 else LIGHT


def settings(theme: Theme) -> dict[Any, Any]:
    """Matplotlib's settings for that theme."""
    return {
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "font.family": "STIXGeneral",
        "mathtext.fontset": "stix",
        "font.size": 11,
        "axes.titlesize": 11.5,
        "axes.titlelocation": "left",
        "axes.titlepad": 7,
        "axes.labelsize": 11,
        "axes.edgecolor": theme.faint,
        "axes.linewidth": 0.7,
        "axes.labelcolor": theme.ink,
        "axes.titlecolor": theme.ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.grid,
        "grid.linewidth": 0.7,
        "text.color": theme.ink,
        "xtick.color": theme.faint,
        "ytick.color": theme.faint,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "xtick.labelsize": 9.5,
        "ytick.labelsize": 9.5,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "legend.frameon": False,
        "legend.fontsize": 10,
        "lines.solid_capstyle": "round",
        "pdf.fonttype": 42,
        "svg.fonttype": "path",
        "svg.hashsalt": "neuronal",
        "figure.constrained_layout.use": True,
    }


@contextmanager
def using(theme: Theme) -> Iterator[None]:
    """Those settings, restored afterwards."""
    with mpl.rc_context(settings(theme)):
        yield


def shade(theme: Theme, position: int, count: int) -> tuple[float, float, float, float]:
    """Colour of the network at `position` among `count` widths.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.pictures.shade(nr.pictures.LIGHT, 0, 3) == nr.pictures.shades(3)[0]
        True

        ```
    """
    return share_of_shades(theme, position / (count - 1) if count > 1 else 0.6)


def share_of_shades(theme: Theme, share: float) -> tuple[float, float, float, float]:
    """Colour at that share, 0 to 1, of the theme's range."""
    low, high = theme.shades
    return mpl.colormaps["viridis"](low + (high - low) * share)


def shades(count: int, theme: Theme | None = None) -> list[tuple[float, float, float, float]]:
    """Colours of that many networks, from the narrowest to the widest; `theme`: the current one.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> len(nr.pictures.shades(4))
        4

        ```
    """
    theme = theme or current()
    return [shade(theme, i, count) for i in range(count)]


def plain(words: object) -> str:
    """A user's words as Matplotlib prints them: no formula, and no name that a legend leaves out."""
    text = str(words).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text

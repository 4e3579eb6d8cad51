"""Figures as bytes: SVG, PDF and PNG, the same for the same numbers; and in dark colours."""

from __future__ import annotations

import io
import re
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from .style import DARK, LIGHT, Theme, share_of_shades, using

DPI = 200
"""Of PNG."""
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
"""What would tell the day, or the version that drew it."""
_COLOUR = re.compile(rb"#[0-9a-f]{6}\b")


def saved(figure: Figure, theme: Theme, kind: str) -> bytes:
    """A figure as ``svg``, its text as paths, ``pdf`` or ``png``; laid out the first time it is saved.

    By the canvases themselves: `Figure.savefig` draws everything twice, the first time for its layout.
    """
    buffer = io.BytesIO()
    figure.set(facecolor=theme.ground, dpi=DPI)
    with using(theme):
        if kind == "svg":
            FigureCanvasSVG(figure).print_svg(buffer, metadata=_METADATA[kind])
        elif kind == "pdf":
            FigureCanvasPdf(figure).print_pdf(buffer, metadata=_METADATA[kind])
        else:
            FigureCanvasAgg(figure).print_png(buffer, metadata=_METADATA[kind])
    figure.set_layout_engine("none")
    return buffer.getvalue()


def darkened(svg: bytes) -> bytes:
    """An SVG in the colours of `LIGHT` in those of `DARK`."""
    colours = _colours()
    return _COLOUR.sub(lambda found: colours.get(found[0], found[0]), svg)


@cache
def _colours() -> dict[bytes, bytes]:
    """Each colour of `LIGHT` with its counterpart."""
    pairs: list[tuple[object, object]] = []
    for share in np.linspace(0, 1, 1025):
        pairs.append((share_of_shades(LIGHT, share), share_of_shades(DARK, share)))
    for field in fields(Theme):
        light, dark = getattr(LIGHT, field.name), getattr(DARK, field.name)
        if field.name == "series":
            pairs += zip(light, dark, strict=True)
        elif isinstance(light, str):
            pairs.append((light, dark))
    return {to_hex(light).encode(): to_hex(dark).encode() for light, dark in pairs}  # pyright: ignore[reportArgumentType]

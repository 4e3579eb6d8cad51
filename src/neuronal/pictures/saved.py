"""Figures as bytes: SVG, PDF and PNG, the same for the same numbers; and in dark colours."""

from __future__ import annotations

import io
import re
from dataclasses import fields
from functools import cache

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from .style import DARK, LIGHT, Theme, share_of_shades, using

DPI = 200
"""Of PNG."""
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
"""What would tell the day, or the version that drew it."""
_COLOUR = re.compile(rb"#[0-9a-f]{6}\b")


def saved(figure: Figure, theme: Theme, kind: str) -> bytes:
    """A figure as ``svg``, its text as paths, ``pdf`` or ``png``; laid out the first time it is saved."""
    buffer = io.BytesIO()
    with using(theme):
        figure.savefig(
            buffer, format=kind, dpi=DPI, facecolor=theme.ground, metadata=_METADATA[kind]
        )
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

"""How large a figure is that fits a column of a page."""

from __future__ import annotations

from ..errors import require

COLUMNS = {
    "neurips": (5.5, 5.5),
    "iclr": (5.5, 5.5),
    "icml": (3.25, 6.75),
    "jmlr": (6.0, 6.0),
    "ieee": (3.5, 7.16),
    "pnas": (3.42, 7.0),
}
"""Widths in inches of a column and of a page of text."""


def size(
    where: str = "neurips", whole: bool = False, share: float = 1.0, ratio: float = 0.62
) -> tuple[float, float]:
    """The `figsize` of a figure that fits a journal or a conference without being scaled.

    Args:
        where: ``neurips``, ``iclr``, ``icml``, ``jmlr``, ``ieee`` or ``pnas``.
        whole: over all columns of the page.
        share: of that width.
        ratio: height over width.

    Raises:
        InvalidInput: an unknown name, or numbers that are not positive.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.pictures.size("icml", ratio=0.8)
        (3.25, 2.6)

        ```
    """
    require(where in COLUMNS, f"where: {where!r} is none of {', '.join(COLUMNS)}")
    require(share > 0 and ratio > 0, "share, ratio: take positive numbers")
    width = COLUMNS[where][int(whole)] * share
    return width, width * ratio

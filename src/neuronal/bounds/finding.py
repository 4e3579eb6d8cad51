"""An answer to a condition: its status, the figure, and how it was got."""

from __future__ import annotations

from typing import NamedTuple

PROVED = "proved"
MEASURED = "measured"
UNKNOWN = "unknown"
VIOLATED = "violated"
STATUSES = (PROVED, MEASURED, UNKNOWN, VIOLATED)
"""From best to worst."""


class Finding(NamedTuple):
    """An answer, before it is known to which condition.

    Attributes:
        status: ``proved``: by an argument or by verified arithmetic; ``measured``: a figure
            from a computation that could miss a counterexample; ``violated``; ``unknown``.
        figure: a number, or words where one number is not enough.
        how: one sentence on how it was got.
    """

    status: str
    figure: float | str
    how: str

"""Rows: a claim of a work, what it states, the figure, and whether they agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .panels import Panel

MEASURED = "measured"
VIOLATED = "violated"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Row:
    """One claim and how it was checked.

    Attributes:
        claim: in a few words.
        where: where it is stated; ``as we computed it`` if the source's own text was not at hand.
        stated: the value that the claim, or a computation that shares nothing with the figure's, gives.
        figure: what the package computed.
        tolerance: by which `figure` may leave `stated` (``=``) or pass it (``<=``, ``>=``).
        how: how `stated` was obtained, and of what `figure` is.
        relation: of `figure` to `stated`: ``=``, ``<=`` or ``>=``.
        decided: False of a claim on limits that a run of this size cannot decide.
        seconds: that the row took.
        panel: the curves behind the figure, where they are shown.
    """

    claim: str
    where: str
    stated: float
    figure: float
    tolerance: float
    how: str
    relation: str = "="
    decided: bool = True
    seconds: float = math.nan
    panel: Panel | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure stands in the relation to the stated value; a NaN does not."""
        excess = self.figure - self.stated
        if self.relation == "=":
            excess = abs(excess)
        return (-excess if self.relation == ">=" else excess) <= self.tolerance

    @property
    def status(self) -> str:
        """``measured``, ``violated``, or ``unknown`` where the run does not decide."""
        if not self.decided:
            return UNKNOWN
        return MEASURED if self.holds else VIOLATED

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON holds it."""
        kept: dict[str, Any] = {
            "claim": self.claim,
            "where": self.where,
            "stated": float(self.stated),
            "relation": self.relation,
            "figure": float(self.figure),
            "tolerance": float(self.tolerance),
            "how": self.how,
            "seconds": round(self.seconds, 2),
            "status": self.status,
        }
        return kept if self.panel is None else {**kept, "panel": self.panel.as_dict()}

"""A work: what it is, how its scaling maps to the package's, and its claims as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .rows import Row


@dataclass(frozen=True)
class Work:
    """One work.

    Attributes:
        title: its title.
        reference: authors, year and address.
        settings: of the full run, in a sentence or two.
        step: of the source's algorithm, in its own letters.
        scaling: the same in this package's.
        out_of_reach: what of the work is not run here, and why; empty if nothing.
        rows: its claims; the argument asks for the run of seconds.
    """

    title: str
    reference: str
    settings: str
    step: str
    scaling: str
    out_of_reach: str
    rows: Callable[[bool], Iterator[Row]]

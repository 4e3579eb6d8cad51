"""How often a page is drawn anew while something goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

EVERY = 5.0
"""Seconds between two pages at least."""
SHARE = 0.03
"""Of the time that its pages may take."""


class Renewal:
    """When the next page is due: some seconds after the last one, and for a share of the time."""

    def __init__(self):
        self._next = time.monotonic() + EVERY

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self._next

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """A page is drawn in this block: the time that it takes is counted."""
        began = time.monotonic()
        yield
        now = time.monotonic()
        self._next = now + max(EVERY, (now - began) / SHARE)


def renewed() -> str:
    """What a page says that is drawn anew: when it was."""
    return f"The page is of {time.strftime('%H:%M:%S')} and renews itself."


def refresh() -> int:
    """Seconds after which a browser reads it again."""
    return max(1, round(EVERY))

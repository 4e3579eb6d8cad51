"""The page of a run: figures and one self-contained `report.html`."""

from .page import write

__all__ = ["write"]

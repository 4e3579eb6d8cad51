"""Pages of runs and of couplings: figures, and self-contained HTML."""

from .page import write

__all__ = ["write"]

"""The finite network beforehand: its first fluctuations, from the limit alone."""

from .expand import fluctuations
from .law import Fluctuations

__all__ = ["Fluctuations", "fluctuations"]

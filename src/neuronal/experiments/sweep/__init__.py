"""Sweeps: one experiment at every combination of some settings, each a run in a folder of its own."""

from .attempts import Outcome
from .collection import read
from .combinations import Point, Settings, points, setting, settings_of
from .conduct import sweep

__all__ = ["Outcome", "Point", "Settings", "points", "read", "setting", "settings_of", "sweep"]

"""Experiments: a TOML file in, a folder with results, checkpoints and a page out."""

from .config import Experiment, load, parse
from .runner import run

__all__ = ["Experiment", "load", "parse", "run"]

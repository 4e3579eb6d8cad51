from .config import Experiment, load, parse
from .runner import run

__all__ = ["Experiment", "load", "parse", "run"]

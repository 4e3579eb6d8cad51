"""The law of motion: equation (2)'s right-hand side (`motion`), and terms added to it, a file each."""

from .birth_death import BirthDeath
from .change import Change
from .decay import Decay
from .momentum import Momentum
from .motion import Motion
from .penalty import Penalty
from .temperature import Temperature
from .term import Term

__all__ = ["BirthDeath", "Change", "Decay", "Momentum", "Motion", "Penalty", "Temperature", "Term"]

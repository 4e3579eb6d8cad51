"""The law of motion: equation (2)'s right-hand side (`motion`), and terms added to it, a file each."""

from .change import Change
from .decay import Decay
from .motion import Motion
from .term import Term

__all__ = ["Change", "Decay", "Motion", "Term"]

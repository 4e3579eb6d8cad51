"""Assumption 1 and Theorem 2, condition by condition: proved, measured, violated or unknown."""

from .conditions import certify
from .document import Certificate

__all__ = ["Certificate", "certify"]

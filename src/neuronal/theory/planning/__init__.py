"""Width, depth, learning rate and steps for a budget, from limits and their fluctuations alone."""

from .chosen import Plan
from .search import plan

__all__ = ["Plan", "plan"]

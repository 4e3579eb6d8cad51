"""Weights $w_i$ between two layers as operators: the only place that knows how they are stored.

The passes use three verbs and nothing else: average over incoming neurons, average over
outgoing neurons, and the outer product by which every velocity changes a weight. The averages
dispatch on the kind of kernel; a plain array is a dense one.
"""

from .delayed import Delayed
from .dense import average_incoming, average_outgoing, outer

__all__ = ["Delayed", "average_incoming", "average_outgoing", "outer"]

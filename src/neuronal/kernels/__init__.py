"""Weights $w_i$ between two layers as operators: the only place that knows how they are stored.

The passes use three verbs and nothing else: average over incoming neurons, average over
outgoing neurons, and the outer product by which every velocity changes a weight. They dispatch
on the kind of kernel; a plain array is a dense one. `kernels.shards` says where their parts are if
there are several devices.
"""

from .compression import compressed, rows_for, thinned
from .delayed import Delayed
from .dense import added, added_in_place, average_incoming, average_outgoing, mean_square, outer
from .factored import Factored, factored

__all__ = [
    "Delayed",
    "Factored",
    "added",
    "added_in_place",
    "average_incoming",
    "average_outgoing",
    "compressed",
    "factored",
    "mean_square",
    "outer",
    "rows_for",
    "thinned",
]

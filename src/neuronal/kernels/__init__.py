"""Weights $w_i$ between two layers as operators: the only place that knows how they are stored.

The passes use three verbs: average over incoming neurons, average over outgoing neurons, and the
outer product by which every velocity changes a weight. They and the other verbs here take a plain array,
the dense kernel (`dense`), or a `Kernel` (`base`), each kind a file. `updates` is how weights take
SGD's steps, `compression` how sums of products are brought back to few, `shards` where the
parts of a kernel are if there are several devices, `views` what a picture shows of one.
"""

from .. import programs
from .base import Kernel
from .biases import Affine, affine
from .compression import (
    as_factors,
    compressed,
    room,
    rows_together,
    thinned,
    with_room_for,
    with_room_to_grow,
    with_rows,
)
from .delayed import Delayed
from .dense import (
    added,
    added_in_place,
    average_incoming,
    average_outgoing,
    grows,
    is_finite,
    mapped,
    matrix,
    mean_square,
    neurons,
    outer,
    outer_as,
    placed,
    rank,
    scaled,
    seeing,
)
from .factors import Factored, factored
from .views import between, singular_values

programs.keep()  # whatever compiles imports this folder first

__all__ = [
    "Affine",
    "Delayed",
    "Factored",
    "Kernel",
    "added",
    "added_in_place",
    "affine",
    "as_factors",
    "average_incoming",
    "average_outgoing",
    "between",
    "compressed",
    "factored",
    "grows",
    "is_finite",
    "mapped",
    "matrix",
    "mean_square",
    "neurons",
    "outer",
    "outer_as",
    "placed",
    "rank",
    "room",
    "rows_together",
    "scaled",
    "seeing",
    "singular_values",
    "thinned",
    "with_room_for",
    "with_room_to_grow",
    "with_rows",
]

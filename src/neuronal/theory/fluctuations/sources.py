"""Directions sent along the limit, a few at a time, and what comes of each source of randomness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...distributions import Samples
from ...network import Network
from ...problem import Problem
from . import propagation
from .directions import Drawn
from .estimates import Source
from .records import SAMPLES

_CHUNK = 8
"""Directions of one call, at most; between calls progress is told."""
_MOST_READ = 256
"""Ends of steps that are read, at most."""
_NUMBERS = 2**25
"""Derivatives of one source that are kept, at most."""


class Grid(NamedTuple):
    """Ends of steps, 0 first, and the numbers of those that are read."""

    times: Float[np.ndarray, "K"]
    reads: Int[np.ndarray, "_"]


@dataclass
class Work:
    """Directions sent along the limit, a few at a time.

    Attributes:
        rows: the samples at which predictions are told.
        directions: of each source; `done` are done, of all sources.
    """

    network: Network
    problem: Problem
    data: Samples
    rows: slice
    say: Callable[[str, float], None]
    directions: int
    done: int = 0

    def kept(self, steps: int) -> Int[np.ndarray, "_"]:
        """Of so many ends of steps those to read."""
        most = _NUMBERS // (len(self.data.x[self.rows]) * self.network.output_dim * self.directions)
        count = min(steps, _MOST_READ, max(most, 16))
        return np.unique(np.linspace(0, steps - 1, count).round().astype(int))

    def of_neurons(self, layer: int, drawn: Drawn, grid: Grid) -> Source:
        """The derivatives along directions of one hidden layer, 1..L-1."""
        none = [np.zeros((len(drawn.deltas), n)) for n in self.network.widths]
        whole = tuple(drawn.deltas if i == layer else zero for i, zero in enumerate(none, start=1))
        words = f"layer {layer}"
        return self._along(propagation.along_neurons, whole, drawn.fixed, grid, words)

    def of_samples(self, paths: Float[np.ndarray, "S steps 2 m"], fixed: int, grid: Grid) -> Source:
        """The derivatives along paths of noise in the samples."""
        return self._along(propagation.along_noises, paths, fixed, grid, SAMPLES)

    def _along(self, propagate: Any, directions: Any, fixed: int, grid: Grid, words: str) -> Source:
        leaves, form = jax.tree.flatten(directions)
        count = len(leaves[0])
        times = jnp.asarray(grid.times, self.network.weights[0].dtype)
        # As equal pieces as may be: each is as large as the largest, which is compiled once.
        size = -(-count // max(1, -(-count // _CHUNK)))
        shape = (0, len(grid.reads), len(self.data.x[self.rows]), self.network.output_dim)
        first, second = [np.zeros(shape)], [np.zeros(shape)]
        for begin in range(0, count, max(size, 1)):
            some = form.unflatten([self._piece(a, begin, size) for a in leaves])
            readings = propagate(self.network, self.problem, self.data, times, some)
            found = [
                np.asarray(a[: count - begin, :, self.rows][:, grid.reads], np.float64)
                for a in readings
            ]
            first.append(found[0])
            second.append(found[1])
            self.done += len(found[0])
            self.say(words, min(1.0, self.done / (self.network.depth * self.directions)))
        return Source(np.concatenate(first), np.concatenate(second), fixed)

    def _piece(
        self, directions: Float[np.ndarray, "S *rest"], begin: int, size: int
    ) -> Float[Array, "size *rest"]:
        """Some of the directions, with zeros behind where there are fewer."""
        some = directions[begin : begin + size]
        rest = [(0, size - len(some)), *((0, 0) for _ in some.shape[1:])]
        return jnp.asarray(np.pad(some, rest), self.network.weights[0].dtype)

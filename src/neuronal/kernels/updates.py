"""How a weight takes the updates of SGD: at once, held back, in place, or as further rows.

A step changes a weight by one outer product per sample. Large matrices take them many at once
(`Delayed`), or, in batches too large for that, in place. Factored weights take them as further
rows, and at the end of each window of steps the sum is brought back to its numerical rank: nothing
is lost but roundings. A weight is `opened` at the start of a window, `written` before each step reads
it, takes each change by `taking`, and is `closed` at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .base import Kernel
from .compression import compressed
from .delayed import Delayed
from .dense import added, added_in_place, scaled
from .factors import Factored

WINDOW = 32
"""Steps whose updates are held back: at widths 256 to 2048 and batch 1, on two cores, the fastest of
16, 32 and 64 or within a twentieth of it."""
HELD_ROWS = 64
"""Rows that they may come to: at widths 256 to 4096 and batches 1 to 64, on one core, the fastest or
within an eighth of it."""
DELAYED_FROM = 64
"""Neurons per sample from which holding back pays, of either layer if both are equal."""
IN_PLACE_FROM = 2**22
"""Numbers of a matrix from which it is written in pieces, before a step reads it. At batch 64 that saves
a tenth of the step's time at 2^22 and 2^24, and loses as much at 2^20."""
FACTORED_ROWS = 64
"""Rows of updates that factored weights take before they are compressed."""


def window(weights: Sequence[Any], batch: int, most: int) -> int:
    """Steps between two times at which what was held back goes into the weights, at most `most`."""
    if any(isinstance(w, Kernel) and w.grows for w in weights):
        return max(1, FACTORED_ROWS // batch)
    if any(delays(w, batch) for w in weights[1:-1]):
        return held_steps(batch)
    return most


def held_steps(batch: int) -> int:
    """Steps whose updates are held back at that batch; one is none."""
    return min(WINDOW, max(1, HELD_ROWS // batch))


def delays(w: Any, batch: int) -> bool:
    """Whether what is saved, writing `w` at each step, outweighs the thin products."""
    if isinstance(w, Kernel) or held_steps(batch) == 1:
        return False
    n, n_out = w.shape
    return 2 * n * n_out >= DELAYED_FROM * max(batch, 2) * (n + n_out)


class Waiting(eqx.Module):
    """A weight whose newest update is not in it, or in its rows, yet.

    XLA writes to a buffer in place if the write comes before the reads of a step, and copies
    the buffer at each step otherwise.

    Attributes:
        f, g: factors of the update.
        kept: the share of the weight that decay leaves; None is all of it. Of a matrix it waits
            too, other kernels have it in them.
    """

    kernel: Delayed | Factored | Float[Array, "n n_out"]
    f: Float[Array, "batch n"]
    g: Float[Array, "batch n_out"]
    kept: Float[Array, ""] | None = None


def opened(w: Any, rows: int, batch: int, decays: bool = False) -> Any:
    """A weight ready to take updates in that many rows; none waits but zeros."""
    if isinstance(w, Factored):
        wide = w.with_room(len(w.s) + rows)
        kernel = Factored(wide.f, wide.g, wide.s.at[len(w.s) :].set(1))
    elif delays(w, batch):
        kernel = Delayed.empty(w, rows, decays)
    elif batch > 1 and not isinstance(w, Kernel) and w.size >= IN_PLACE_FROM:
        kernel = w
    else:
        return w
    f, g = (jnp.zeros((batch, size), w.dtype) for size in w.shape)
    return Waiting(kernel, f, g, jnp.ones((), w.dtype) if decays else None)


def written(w: Any, place: Int[Array, ""], rows: int) -> Any:
    """The weight with the update that waits, in row `place` of those for updates; below 0 none waits."""
    if not isinstance(w, Waiting):
        return w
    wanted, place = (
        place >= 0,
        jnp.maximum(place, 0),
    )  # zeros at first, which the first update replaces
    return _written(w.kernel, w, wanted, place, rows)


@singledispatch
def _written(kernel: Array, w: Waiting, wanted: Array, place: Array, rows: int) -> Any:
    return added_in_place(kernel, w.f, w.g, wanted, w.kept)


@_written.register
def _(kernel: Delayed, w: Waiting, wanted: Array, place: Array, rows: int) -> Any:
    return kernel.hold(w.f, w.g, place)


@_written.register
def _(kernel: Factored, w: Waiting, wanted: Array, place: Array, rows: int) -> Any:
    scale = None if w.kept is None else 1.0
    return kernel.put(w.f, w.g, len(kernel.s) - rows + place, scale)


def taking(before: Any, w: Any, f: Array, g: Array, kept: Array | None = None) -> Any:
    """`kept` times w and `outer(f, g)`, w being `written(before)`; waiting, if it did before."""
    if not isinstance(before, Waiting):
        return added(w if kept is None else scaled(w, kept), f, g)
    if kept is not None and isinstance(w, Kernel):
        w = w.scaled(kept)
    return Waiting(w, f, g, kept)


class Closed(NamedTuple):
    """A weight at the end of a window.

    Attributes:
        weight: with all updates in it.
        needed, lost: of a kernel that grows, the rank that it asks for and the norm of what was
            cut off; None of others.
        fits: whether it had room for that rank.
    """

    weight: Any
    needed: Int[Array, ""] | None = None
    lost: Float[Array, ""] | None = None
    fits: Bool[Array, ""] | bool = True


@singledispatch
def closed(
    w: Any, before: Any, incoming: Float[Array, "n"], outgoing: Float[Array, "n_out"]
) -> Closed:
    """The window's updates in the weight that it was `before`, between layers of these measures."""
    return Closed(w)


@closed.register
def _(w: Delayed, before: Any, incoming: Array, outgoing: Array) -> Closed:
    return Closed(w.matrix())


@closed.register
def _(w: Factored, before: Factored, incoming: Array, outgoing: Array) -> Closed:
    room, size = len(before.s), jnp.sqrt(jnp.sum(before.s**2))
    rounding = 10 * jnp.finfo(w.dtype).eps * size
    found = compressed(w, incoming, outgoing, rounding, room)
    needed = found.needed.astype(jnp.int32)
    return Closed(found.kernel, needed, found.discarded, found.needed <= room)

r"""A kernel $w(c, c')$ stored as the matrix `w (n, n')` of its values at the nodes.

Arrays over the data have shape `(m, n)`. XLA's matrix product on a CPU is at its peak where
neither operand is transposed, and loses a fifth where one is: here the thin one is written out
transposed first, which costs nearly nothing.

Over several devices a matrix is cut by rows, its incoming neurons, and arrays over the data along
their neurons (`kernels.shards`). An average over incoming neurons adds up the devices' parts, m
n' numbers; one over outgoing neurons and an outer product are each device's own work once it
has all of g, as many again. The matrix stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..checks import all_finite
from .shards import ALONG, ROWS, WHOLE, on_each, summed

PIECE = 512
"""Rows written at once by `added_in_place`."""


@singledispatch
def average_incoming(
    w: Float[Array, "n n_out"], measure: Float[Array, "n"], f: Float[Array, "m n"]
) -> Float[Array, "m n_out"]:
    r"""$\mathbb{E}_{C}[w(C, c')\, f(x, C)]$ for every node $c'$ and sample $x$."""
    return summed(w.shape[0], _incoming, (ROWS, ROWS, ALONG), w.shape[1])(w, measure, f)


@singledispatch
def average_outgoing(
    w: Float[Array, "n n_out"], measure: Float[Array, "n_out"], g: Float[Array, "m n_out"]
) -> Float[Array, "m n"]:
    r"""$\mathbb{E}_{C'}[w(c, C')\, g(x, C')]$ for every node $c$ and sample $x$."""
    return on_each(w.shape[0], _outgoing, (ROWS, WHOLE, WHOLE), ALONG)(w, measure, g)


def outer(f: Float[Array, "m n"], g: Float[Array, "m n_out"]) -> Float[Array, "n n_out"]:
    r"""$\sum_x f(x, c)\, g(x, c')$: the velocity's outer products, summed over the data."""
    return on_each(f.shape[1], _outer, (ALONG, WHOLE), ROWS)(f, g)


@singledispatch
def outer_as(w: Float[Array, "n n_out"], f: Float[Array, "m n"], g: Float[Array, "m n_out"]) -> Any:
    """`outer(f, g)`, kept in the way that `w` is."""
    return outer(f, g)


@singledispatch
def seeing(w: Float[Array, "n n_out"], f: Float[Array, "m n"]) -> Float[Array, "m _"]:
    """What the weights are multiplied by where incoming neurons have the values f: the f of `outer`."""
    return f


@singledispatch
def added(
    w: Float[Array, "n n_out"],
    f: Float[Array, "m n"],
    g: Float[Array, "m n_out"],
    scale: Array | float = 1.0,
) -> Any:
    """$w$ and `scale` times `outer(f, g)`."""
    return w + scale * outer(f, g)


def added_in_place(
    w: Float[Array, "n n_out"],
    f: Float[Array, "m n"],
    g: Float[Array, "m n_out"],
    wanted: Bool[Array, ""],
    kept: Float[Array, ""] | None = None,
) -> Float[Array, "n n_out"]:
    """`added(w, f, g)` where it is wanted, else `w`, some rows at a time; `kept` times w if given.

    The products of all rows at once would be written to memory and read again. In a loop that
    carries `w`, this has to come before `w` is read, or XLA copies it.
    """
    share = () if kept is None else (kept,)
    takes = (ROWS, ALONG, WHOLE, WHOLE, *(WHOLE for _ in share))
    return on_each(w.shape[0], _added_in_place, takes, ROWS)(w, f, g, wanted, *share)


@singledispatch
def mean_square(
    w: Float[Array, "n n_out"], incoming: Float[Array, "n"], outgoing: Float[Array, "n_out"]
) -> Float[Array, ""]:
    r"""The square of the norm in $L^2(P \times P')$."""
    return incoming @ (w**2 @ outgoing)


@singledispatch
def scaled(w: Float[Array, "n n_out"], factor: Array | float) -> Any:
    """`factor` times $w$."""
    return factor * w


@singledispatch
def matrix(w: Float[Array, "n n_out"]) -> Float[Array, "n n_out"]:
    """$w$ as a matrix."""
    return jnp.asarray(w)


@singledispatch
def neurons(w: Float[Array, "n n_out"], rows: Int[Array, "a"], columns: Int[Array, "b"]) -> Any:
    """$w$ between these incoming and those outgoing neurons."""
    return w[rows[:, None], columns]


@singledispatch
def mapped(
    w: Float[Array, "n n_out"],
    function: Callable[[np.ndarray], np.ndarray],
    columns: Int[np.ndarray, "b"] | slice,
) -> Any:
    """`function` of the neurons' outgoing weights, linear in each row, and some columns of it."""
    return function(np.asarray(w))[:, columns]


@singledispatch
def placed(w: Float[Array, "n n_out"], put: Callable[..., Array]) -> Any:
    """$w$ with its arrays put on devices by `put(array, specification, neurons)`."""
    return put(w, ROWS, w.shape[0])


@singledispatch
def is_finite(w: Float[Array, "n n_out"]) -> bool:
    """Whether $w$ holds neither NaN nor infinite values."""
    return all_finite(w)


@singledispatch
def rank(w: Float[Array, "n n_out"]) -> int | None:
    """The products that $w$ is kept as a sum of; None for a matrix."""
    return None


@singledispatch
def grows(w: Float[Array, "n n_out"]) -> bool:
    """Whether each update makes $w$ larger."""
    return False


def _incoming(w: Array, measure: Array, f: Array) -> Array:
    if f.shape[0] == 1:  # one sample: the matrix-vector product avoids a slow code path of XLA
        return jnp.dot(f[0] * measure, w)[None]
    return _formed(f * measure) @ w


def _outgoing(w: Array, measure: Array, g: Array) -> Array:
    if g.shape[0] == 1:
        return jnp.dot(w, g[0] * measure)[None]
    return _formed(w @ _formed((g * measure).T)).T


def _outer(f: Array, g: Array) -> Array:
    if f.shape[0] == 1:  # elementwise, so that XLA fuses it into the update of the weights
        return f[0][:, None] * g[0][None, :]
    if f.shape[1] > g.shape[1]:
        return _formed(_formed(g.T) @ f).T
    return _formed(f.T) @ g


def _added_in_place(
    w: Array, f: Array, g: Array, wanted: Array, kept: Array | None = None
) -> Array:
    columns = _formed(f.T)

    def add(w: Array, first: int, size: int, count: int) -> Array:
        """To `count` pieces from row `first` on; a loop of none leaves the buffer as it is."""

        def one(j: Array, w: Array) -> Array:
            start = first + j * size
            some = jax.lax.dynamic_slice_in_dim(columns, start, size) @ g
            before = jax.lax.dynamic_slice_in_dim(w, start, size)
            some += before if kept is None else kept * before
            return jax.lax.dynamic_update_slice_in_dim(w, some, start, 0)

        return jax.lax.fori_loop(0, jnp.where(wanted, count, 0), one, w)

    whole, rest = divmod(w.shape[0], PIECE)
    if whole:
        w = add(w, 0, PIECE, whole)
    return add(w, whole * PIECE, rest, 1) if rest else w


def _formed(a: Array) -> Array:
    """The array in memory as written: XLA would move a transposition into the product."""
    return jax.lax.optimization_barrier(a)

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

from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .shards import ALONG, ROWS, WHOLE, on_each, summed


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
def added(
    w: Float[Array, "n n_out"],
    f: Float[Array, "m n"],
    g: Float[Array, "m n_out"],
    scale: Array | float = 1.0,
) -> Any:
    """$w$ and `scale` times `outer(f, g)`."""
    return w + scale * outer(f, g)


@singledispatch
def mean_square(
    w: Float[Array, "n n_out"], incoming: Float[Array, "n"], outgoing: Float[Array, "n_out"]
) -> Float[Array, ""]:
    r"""The square of the norm in $L^2(P \times P')$."""
    return incoming @ (w**2 @ outgoing)


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


def _formed(a: Array) -> Array:
    """The array in memory as written: XLA would move a transposition into the product."""
    return jax.lax.optimization_barrier(a)

r"""A kernel $w(c, c')$ stored as the matrix `w (n, n')` of its values at the nodes.

Arrays over the data have shape `(m, n)`: with the data first, all three products are of a
kind that XLA's matrix product on a CPU runs at its peak (`(n, m)` layouts fall to half).
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float


@singledispatch
def average_incoming(
    w: Float[Array, "n n_out"], measure: Float[Array, "n"], f: Float[Array, "m n"]
) -> Float[Array, "m n_out"]:
    r"""$\mathbb{E}_{C}[w(C, c')\, f(x, C)]$ for every node $c'$ and sample $x$."""
    if f.shape[0] == 1:  # one sample: the matrix-vector product avoids a slow code path of XLA
        return jnp.dot(f[0] * measure, w)[None]
    return (f * measure) @ w


@singledispatch
def average_outgoing(
    w: Float[Array, "n n_out"], measure: Float[Array, "n_out"], g: Float[Array, "m n_out"]
) -> Float[Array, "m n"]:
    r"""$\mathbb{E}_{C'}[w(c, C')\, g(x, C')]$ for every node $c$ and sample $x$."""
    if g.shape[0] == 1:
        return jnp.dot(w, g[0] * measure)[None]
    return (g * measure) @ w.T


def outer(f: Float[Array, "m n"], g: Float[Array, "m n_out"]) -> Float[Array, "n n_out"]:
    r"""$\sum_x f(x, c)\, g(x, c')$: the velocity's outer products, summed over the data."""
    if f.shape[0] == 1:  # elementwise, so that XLA fuses it into the update of the weights
        return f[0][:, None] * g[0][None, :]
    return f.T @ g


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

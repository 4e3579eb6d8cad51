r"""What a kernel is: a weight $w_i$ between two layers, as an operator on functions of neurons.

A plain array is the dense kernel (`kernels.dense`). Any other way to keep a weight is a subclass of
`Kernel`, which the verbs of `kernels` hand over to its methods; everything outside this folder
uses the verbs alone and never asks how a weight is kept.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Int

from . import dense

Put = Callable[[Array, PartitionSpec, int], Array]
"""Puts an array of n neurons on devices, cut as its specification says."""


class Kernel(eqx.Module):
    r"""A weight `(n, n_out)` that is not kept as a matrix.

    A subclass says how it averages, how it is multiplied by a number, and what its matrix is. The
    other methods go by the matrix here; a kernel that is to be large overrides them.
    """

    ndim = 2
    grows = False
    """Whether each update makes it larger, so that SGD has to bring it back (`kernels.updates`)."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """`(n, n_out)`."""

    @property
    @abc.abstractmethod
    def dtype(self) -> jnp.dtype:
        """Of its numbers."""

    @abc.abstractmethod
    def average_incoming(
        self, measure: Float[Array, "n"], f: Float[Array, "m n"]
    ) -> Float[Array, "m n_out"]:
        r"""$\mathbb{E}_{C}[w(C, c')\, f(x, C)]$ for every node $c'$ and sample $x$."""

    @abc.abstractmethod
    def average_outgoing(
        self, measure: Float[Array, "n_out"], g: Float[Array, "m n_out"]
    ) -> Float[Array, "m n"]:
        r"""$\mathbb{E}_{C'}[w(c, C')\, g(x, C')]$ for every node $c$ and sample $x$."""

    @abc.abstractmethod
    def scaled(self, factor: Array | float) -> Self:
        """`factor` times the kernel."""

    @abc.abstractmethod
    def matrix(self) -> Float[Array, "n n_out"]:
        """Its values at all pairs of nodes; n times n_out numbers."""

    def seeing(self, f: Float[Array, "m n"]) -> Float[Array, "m _"]:
        """What the weights are multiplied by where incoming neurons have the values f."""
        return f

    def outer_as(self, f: Float[Array, "m n"], g: Float[Array, "m n_out"]) -> Any:
        """`outer(f, g)`, kept in the way that this kernel is."""
        return dense.outer(f, g)

    def added(
        self, f: Float[Array, "m n"], g: Float[Array, "m n_out"], scale: Array | float
    ) -> Any:
        """The kernel and `scale` times `outer(f, g)`, in whatever form."""
        return dense.added(self.matrix(), f, g, scale)

    def mean_square(
        self, incoming: Float[Array, "n"], outgoing: Float[Array, "n_out"]
    ) -> Float[Array, ""]:
        r"""The square of the norm in $L^2(P \times P')$."""
        return dense.mean_square(self.matrix(), incoming, outgoing)

    def neurons(self, rows: Int[Array, "a"], columns: Int[Array, "b"]) -> Any:
        """The kernel between these incoming and those outgoing neurons."""
        return dense.neurons(self.matrix(), rows, columns)

    def mapped(
        self,
        function: Callable[[np.ndarray], np.ndarray],
        columns: Int[np.ndarray, "b"] | slice,
    ) -> Any:
        """`function` of the neurons' outgoing weights (linear in them), and some columns of it."""
        return dense.mapped(self.matrix(), function, columns)

    def placed(self, put: Put) -> Any:
        """The kernel with its arrays put on devices."""
        return dense.placed(self.matrix(), put)

    def is_finite(self) -> bool:
        """Whether it holds neither NaN nor infinite values."""
        return all(bool(jnp.all(jnp.isfinite(part))) for part in jax.tree.leaves(self))

    @property
    def rank(self) -> Int[Array, ""] | None:
        """The products that it is a sum of, None where it is none."""
        return None

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(part.nbytes for part in jax.tree.leaves(self))

    def astype(self, dtype: jnp.dtype) -> Self:
        """The same kernel in another precision."""
        return jax.tree.map(lambda part: part.astype(dtype), self)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.matrix(), dtype)


@dense.average_incoming.register(Kernel)
def _(w: Kernel, measure: Array, f: Array) -> Array:
    return w.average_incoming(measure, f)


@dense.average_outgoing.register(Kernel)
def _(w: Kernel, measure: Array, g: Array) -> Array:
    return w.average_outgoing(measure, g)


@dense.scaled.register(Kernel)
def _(w: Kernel, factor: Array | float) -> Kernel:
    return w.scaled(factor)


@dense.seeing.register(Kernel)
def _(w: Kernel, f: Array) -> Array:
    return w.seeing(f)


@dense.outer_as.register(Kernel)
def _(w: Kernel, f: Array, g: Array) -> Any:
    return w.outer_as(f, g)


@dense.added.register(Kernel)
def _(w: Kernel, f: Array, g: Array, scale: Array | float = 1.0) -> Any:
    return w.added(f, g, scale)


@dense.mean_square.register(Kernel)
def _(w: Kernel, incoming: Array, outgoing: Array) -> Array:
    return w.mean_square(incoming, outgoing)


@dense.matrix.register(Kernel)
def _(w: Kernel) -> Array:
    return w.matrix()


@dense.neurons.register(Kernel)
def _(w: Kernel, rows: Array, columns: Array) -> Any:
    return w.neurons(rows, columns)


@dense.mapped.register(Kernel)
def _(w: Kernel, function: Any, columns: Any) -> Any:
    return w.mapped(function, columns)


@dense.placed.register(Kernel)
def _(w: Kernel, put: Put) -> Any:
    return w.placed(put)


@dense.is_finite.register(Kernel)
def _(w: Kernel) -> bool:
    return w.is_finite()


@dense.rank.register(Kernel)
def _(w: Kernel) -> int | None:
    return None if w.rank is None else int(w.rank)


@dense.grows.register(Kernel)
def _(w: Kernel) -> bool:
    return w.grows

r"""A dense weight with biases of the outgoing neurons: $\mathbb{E}_C[w(C, c')\, f(x, C)] + b(c')$.

The biases are the row of one more incoming neuron, of value 1 and measure 1, so that all that is linear
in a matrix is linear in both, and $\Delta^b = \Delta^H$ is what the outer product with that value
gives. Averages over outgoing neurons do not see them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..errors import InvalidInput
from . import dense
from .base import Kernel, Put

_REFUSED = "weights with biases are no matrices; what is asked for takes those of layers without"


class Affine(Kernel):
    """A matrix and biases.

    Attributes:
        rows: the matrix, and the biases as its last row.
    """

    rows: Float[Array, "n1 n_out"]

    @property
    def weight(self) -> Float[Array, "n n_out"]:
        """The matrix."""
        return self.rows[:-1]

    @property
    def bias(self) -> Float[Array, "n_out"]:
        """The biases."""
        return self.rows[-1]

    @property
    def shape(self) -> tuple[int, int]:
        n, n_out = self.rows.shape
        return n - 1, n_out

    @property
    def dtype(self) -> jnp.dtype:
        return self.rows.dtype

    def seeing(self, f: Float[Array, "m n"]) -> Float[Array, "m n1"]:
        return jnp.concatenate([f, jnp.ones((len(f), 1), f.dtype)], axis=1)

    def average_incoming(self, measure: Array, f: Array) -> Array:
        return dense.average_incoming(self.rows, _with_one(measure), self.seeing(f))

    def average_outgoing(self, measure: Array, g: Array) -> Array:
        return dense.average_outgoing(self.rows, measure, g)[:, :-1]

    def scaled(self, factor: Array | float) -> Affine:
        return Affine(factor * self.rows)

    def matrix(self) -> Float[Array, "n n_out"]:
        raise InvalidInput(_REFUSED)

    def outer_as(self, f: Float[Array, "m n1"], g: Float[Array, "m n_out"]) -> Affine:
        """`f` as `seeing` gives it."""
        return Affine(dense.outer(f, g))

    def added(
        self, f: Float[Array, "m n1"], g: Float[Array, "m n_out"], scale: Array | float
    ) -> Affine:
        return Affine(dense.added(self.rows, f, g, scale))

    def mean_square(self, incoming: Array, outgoing: Array) -> Array:
        return dense.mean_square(self.rows, _with_one(incoming), outgoing)

    def neurons(self, rows: Array, columns: Array) -> Affine:
        both = jnp.append(jnp.asarray(rows), self.shape[0])
        return Affine(dense.neurons(self.rows, both, columns))

    def mapped(
        self, function: Callable[[np.ndarray], np.ndarray], columns: np.ndarray | slice
    ) -> Affine:
        weight = function(np.asarray(self.weight))
        return affine(weight[:, columns], np.asarray(self.bias)[columns])

    def placed(self, put: Put) -> Any:
        raise InvalidInput(f"devices: {_REFUSED}")


def affine(weight: ArrayLike, bias: ArrayLike) -> Affine:
    """The kernel of a matrix `(n, n_out)` and biases `(n_out,)`."""
    w, b = jnp.asarray(weight), jnp.asarray(bias)
    return Affine(jnp.concatenate([w, b[None].astype(w.dtype)]))


def _with_one(measure: Float[Array, "n"]) -> Float[Array, "n1"]:
    return jnp.append(measure, jnp.ones((), measure.dtype))

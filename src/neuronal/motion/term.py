r"""What may be added to equation (2)'s right-hand side: the contract of a term."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..dynamics import Kernels, Measures
from .change import Change


class Term(eqx.Module):
    """A term of the motion of all L layers, given as `Problem(..., terms=[...])`.

    It may add to the `decay` of any layer, and rows to f and g in the first and the last; between,
    SGD takes one row per sample. In a compiled program its arrays are arguments, other fields
    constants.

    Attributes:
        outside: why the paper's statements do not cover it, for certificates.
    """

    outside: ClassVar[str]

    @abc.abstractmethod
    def added(
        self, changes: list[Change], rates: Sequence[Float[Array, ""]], t: Float[Array, ""]
    ) -> list[Change]:
        r"""The changes of layers 1..L with this term in them; factors keep their m rows.

        Args:
            changes: those of equation (2) and of the terms before this one.
            rates: $\xi_1(t), \dots, \xi_L(t)$, times what is common to the caller's step.
            t: MF time.
        """

    def objective(
        self, weights: Kernels, measures: Measures, t: Float[Array, ""]
    ) -> Float[Array, ""]:
        """What it adds to the risk in the objective whose gradient flow this is; 0 if it is none."""
        return jnp.zeros((), t.dtype)

    @abc.abstractmethod
    def of_layers(self, first: int, last: int) -> Term:
        """The same term of layers `first` to `last` alone, numbered from 1."""

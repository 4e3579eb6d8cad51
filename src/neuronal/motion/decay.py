r"""Weight decay: $\partial_t w_i = \xi_i(t)\,(-\mathbb{E}_Z[\Delta^w_i] - \lambda_i(t)\,w_i)$.

The gradient flow of the risk with $\sum_i \frac{\lambda_i}{2} \|w_i\|^2$ added, norms being those of
$L^2(P_{i-1} \times P_i)$: the velocity in mean-field scaling carries no $1/n$, and so neither does
the decay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..dynamics import Kernels, Measures, layer_mean_squares
from ..schedules import Schedule, at
from .change import Change
from .term import Term


class Decay(Term):
    r"""The decay of weights.

    Attributes:
        layers: $\lambda_1, \dots, \lambda_L$, functions of MF time.
    """

    layers: tuple[Schedule, ...]

    outside: ClassVar[str] = "weights decay, which Assumption 1 and Theorem 2 do not have"

    def added(
        self, changes: list[Change], rates: Sequence[Float[Array, ""]], t: Float[Array, ""]
    ) -> list[Change]:
        def decayed(change: Change, rate: Array, strength: Schedule) -> Change:
            more = rate * jnp.asarray(strength(t), t.dtype)
            return change._replace(decay=more if change.decay is None else change.decay + more)

        return [decayed(*of) for of in zip(changes, rates, self.layers, strict=True)]

    def objective(
        self, weights: Kernels, measures: Measures, t: Float[Array, ""]
    ) -> Float[Array, ""]:
        r"""$\sum_i \frac{\lambda_i}{2} \|w_i\|^2$, summed over coordinates of inputs and outputs."""
        squares = layer_mean_squares(weights, measures)
        # Norms average over coordinates, of which each decays by itself.
        squares = squares.at[0].multiply(weights[0].shape[1])
        squares = squares.at[-1].multiply(weights[-1].shape[1])
        return jnp.sum(jnp.stack(at(self.layers, t)) * squares) / 2

    def of_layers(self, first: int, last: int) -> Decay:
        return Decay(self.layers[first - 1 : last])

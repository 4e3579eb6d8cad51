r"""The penalty $\lambda\,\mathbb{E}[|w_L|]$, the total variation of the last layer, by proximal steps.

A step of length $\epsilon$ ends with the proximal map of $\epsilon\,\xi_L\,\lambda$ times the absolute value,
the soft threshold: weights within it are 0, exactly, and others come nearer to 0 by as much
(forward-backward splitting). Its fixed points are those of the penalised risk, whatever the step. For
two layers, with w_2 as the mass of a neuron, this is the Lasso over the measures of neurons
(Chizat and Bach, 2018).

With momentum the step is $w \leftarrow \text{prox}(w + \epsilon v)$ with the threshold
$\epsilon^2\,\xi_L\,\lambda$, and the velocity is what the weight then has moved, over $\epsilon$
(Ochs, Chen, Brox and Pock, iPiano, SIAM J. Imaging Sciences 7, 2014).
"""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..schedules import Schedule


class Penalty(eqx.Module):
    r"""The absolute value of the last layer's weights.

    Attributes:
        strength: $\lambda$, a function of MF time.
    """

    strength: Schedule

    outside: ClassVar[str] = (
        "the last layer's absolute values are penalised, which Assumption 1 and Theorem 2 do not have"
    )

    def at(self, t: Float[Array, ""]) -> Float[Array, ""]:
        r"""$\lambda(t)$."""
        return jnp.asarray(self.strength(t), t.dtype)

    def proximal(
        self, t: Float[Array, ""], w: Float[Array, "n k"], length: Float[Array, ""]
    ) -> Float[Array, "n k"]:
        """The soft threshold at `length` times the strength."""
        return jnp.sign(w) * jnp.maximum(jnp.abs(w) - length * self.at(t), 0)

    def objective(
        self, t: Float[Array, ""], w: Float[Array, "n k"], measure: Float[Array, "n"]
    ) -> Float[Array, ""]:
        r"""$\lambda\,\mathbb{E}[|w_L|]$, summed over outputs."""
        return self.at(t) * (measure @ jnp.sum(jnp.abs(w), axis=1))

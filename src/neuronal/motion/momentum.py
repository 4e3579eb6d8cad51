r"""Momentum, the heavy ball: $dw_i = v_i\,dt$ and $dv_i = (F_i - \gamma_i(t)\,v_i)\,dt$.

$F_i$ is the velocity that equation (2) and its terms give to a weight at rest. All start at rest, $v_i(0)
= 0$. Without friction the risk and $\sum_i \frac12 \|v_i\|^2$ are constant in sum, for $\xi_i = 1$; with
much of it the motion is that of equation (2) in the time $t / \gamma$.

SGD's step is $v_i \leftarrow (1 - \epsilon\gamma_i)\,v_i + \epsilon F_i$, then $w_i \leftarrow w_i +
\epsilon v_i$. This is `torch.optim.SGD` with the momentum $1 - \epsilon\gamma$ and the rate $\epsilon^2$
(times the layer's factor of width), its buffer being $-v / \epsilon$, and the symplectic Euler method of
the equations, whose error is of order $\epsilon$.

Reference: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, USSR
Computational Mathematics and Mathematical Physics 4 (1964) 1-17.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..kernels import added, scaled
from ..schedules import Schedule, at
from .change import Change


class Momentum(eqx.Module):
    r"""The momentum of weights that are kept as matrices.

    Attributes:
        layers: $\gamma_1, \dots, \gamma_L$, functions of MF time.
    """

    layers: tuple[Schedule, ...]

    outside: ClassVar[str] = "weights have momentum, which Assumption 1 and Theorem 2 do not have"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the velocities, as a state keeps them."""
        return tuple(f"velocity_{i}" for i in range(1, len(self.layers) + 1))

    def frictions(self, t: Float[Array, ""]) -> list[Float[Array, ""]]:
        r"""$\gamma_1(t), \dots, \gamma_L(t)$."""
        return at(self.layers, t)

    def of_layers(self, first: int, last: int) -> Momentum:
        """That of layers `first` to `last` alone, numbered from 1."""
        return Momentum(self.layers[first - 1 : last])

    def at_rest(self, weights: Sequence[Any]) -> tuple[Any, ...]:
        """Velocities of weights that have not moved, kept as these are."""
        return tuple(jax.tree.map(jnp.zeros_like, w) for w in weights)

    def flow(
        self, t: Float[Array, ""], velocities: Sequence[Any], forces: Sequence[Any]
    ) -> tuple[Any, ...]:
        """The time derivatives of all weights, then of all velocities, at MF time t."""
        given = zip(forces, velocities, self.frictions(t), strict=True)
        return (*velocities, *(plus(force, v, -friction) for force, v, friction in given))

    def pushed(
        self,
        v: Any,
        w: Any,
        change: Change,
        step: Float[Array, ""],
        friction: Float[Array, ""],
    ) -> Any:
        """A velocity one step later, by SGD.

        Args:
            change: of the weight w in this step, without momentum: the step times its force.
        """
        after = added(scaled(v, 1 - step * friction), change.f, change.g)
        return after if change.decay is None else plus(after, w, -change.decay)


def plus(a: Any, b: Any, factor: Array) -> Any:
    """`a` and `factor` times `b`, of matrices, or of kernels that are linear in their arrays."""
    return jax.tree.map(lambda x, y: x + factor * y, a, b)

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

    def at_rest(self, weights: Sequence[Any]) -> tuple[Array, ...]:
        """Velocities of weights that have not moved."""
        return jax.tree.map(jnp.zeros_like, tuple(weights))

    def flow(
        self, t: Float[Array, ""], velocities: Sequence[Array], forces: Sequence[Array]
    ) -> tuple[Array, ...]:
        """The time derivatives of all weights, then of all velocities, at MF time t."""
        given = zip(forces, self.frictions(t), velocities, strict=True)
        less = lambda force, friction, v: jax.tree.map(lambda f, u: f - friction * u, force, v)
        return (*velocities, *(less(*of_layer) for of_layer in given))

    def pushed(
        self,
        v: Float[Array, "n n_out"],
        w: Float[Array, "n n_out"],
        change: Change,
        step: Float[Array, ""],
        friction: Float[Array, ""],
    ) -> Float[Array, "n n_out"]:
        """A velocity one step later, by SGD.

        Args:
            change: of the weight w in this step, without momentum: the step times its force.
        """
        after = added(scaled(v, 1 - step * friction), change.f, change.g)
        if change.decay is None:
            return after
        return jax.tree.map(lambda a, b: a - change.decay * b, after, w)

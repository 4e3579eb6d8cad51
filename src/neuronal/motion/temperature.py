r"""Temperature: Langevin noise, $dw_i = \dots + \sqrt{2\,\xi_i(t)\,\tau_i(t)}\,dB$, in the outer layers.

Every weight of the first and of the last layer has a Brownian motion of its own, per neuron and per
coordinate, whose size belongs to no width: the force on a neuron carries no $1/n$, and so neither does
its noise. For $\xi = 1$ and constant $\tau$ the stationary law of a neuron in the limit is proportional to
$\exp(-\Psi / \tau)$, with $\Psi$ the first variation of the risk and of its decay (Mei, Montanari and Nguyen,
PNAS 115, 2018). With momentum the noise is $\sqrt{2\,\gamma_i\,\xi_i\,\tau_i}\,dB$ in the velocity, which has
the same stationary law of weights.

A weight between two hidden layers belongs to a pair of neurons, and noise that is independent over pairs
averages out of every $\mathbb{E}_{C}$: the limit would not know of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ..errors import require
from ..schedules import Schedule, constant_value, is_frozen

STREAM = 2**32 - 1
"""Folded into a run's key for the noise; SGD's samples fold in numbers of steps, which are below 2^31."""


class Temperature(eqx.Module):
    r"""The temperature of the first and the last layer.

    Attributes:
        layers: $\tau_1, \dots, \tau_L$, functions of MF time; `schedules.Frozen` where there is none.
    """

    layers: tuple[Schedule, ...]

    outside: ClassVar[str] = (
        "noise is added to weights, which Assumption 1 and Theorem 2 do not have"
    )

    def check(self) -> None:
        """Raise `InvalidInput` for a temperature of layers between hidden neurons."""
        for i, tau in enumerate(self.layers[1:-1], start=2):
            require(
                constant_value(tau) == 0,
                f"temperature: takes 0 in layer {i}, between hidden neurons, where noise that is "
                "independent over pairs of neurons averages out of every expectation; give one "
                f"number per layer, such as {self._example()}",
            )

    def _example(self) -> list[float]:
        return [0.1, *(0.0 for _ in self.layers[1:-1]), 0.1]

    def kicks(
        self,
        key: PRNGKeyArray,
        k: Array,
        t: Float[Array, ""],
        weights: Sequence[Array],
        variances: Sequence[Float[Array, ""]],
    ) -> dict[int, Array]:
        r"""The noise of step k, by layer from 0, where there is any.

        Args:
            key: of the run.
            variances: per layer, those of a temperature 1/2: $\epsilon\,\xi_i$, with friction times it.
        """
        of_step = jax.random.fold_in(jax.random.fold_in(key, STREAM), k)
        found = {}
        for place, i in enumerate((0, len(self.layers) - 1)):
            tau, w = self.layers[i], weights[i]
            if is_frozen(tau):
                continue
            size = jnp.sqrt(2 * variances[i] * jnp.asarray(tau(t), t.dtype))
            normal = jax.random.normal(jax.random.fold_in(of_step, place), w.shape, w.dtype)
            found[i] = size * normal
        return found

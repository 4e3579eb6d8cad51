r"""Birth and death: measures move, $\partial_t p_i = -\alpha_i(t)\,p_i\,(V_i - \mathbb{E}_{C_i}[V_i])$.

$V_i = \mathbb{E}_Z[\varphi_i(H_i)\,\mathbb{E}_{C_{i+1}}[\Delta^H_{i+1} w_{i+1}]]$ is the first variation $\partial R /
\partial p_i$ of the risk, with that of what decay adds to it. Mass goes to neurons that lower the
risk, and with the weights' flow

$$\frac{dR}{dt} = -\sum_i \xi_i\,\|\mathbb{E}_Z[\Delta^w_i]\|^2 - \sum_i \alpha_i \mathrm{Var}_{P_i}(V_i).$$

What moves is $\log p_i$, whatever its normalisation, so that measures stay positive and of sum 1. A
neuron of measure zero keeps it.

Reference: G. Rotskoff, S. Jelassi, J. Bruna and E. Vanden-Eijnden, Global convergence of neuron
birth-death dynamics, ICML 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..dynamics import Measures
from ..schedules import Schedule, at

LEAST = -1e5
"""The logarithm in place of that of 0: its exponential is 0 in any precision."""
_NAME = "log_measure_{}"


class BirthDeath(eqx.Module):
    r"""The rates of birth and death.

    Attributes:
        layers: $\alpha_1, \dots, \alpha_{L-1}$ of the hidden layers, functions of MF time.
    """

    layers: tuple[Schedule, ...]

    outside: ClassVar[str] = "measures move, which Assumption 1 and Theorem 2 do not have"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the logarithms, as a state keeps them."""
        return tuple(_NAME.format(i) for i in range(1, len(self.layers) + 1))

    def flow(
        self, t: Float[Array, ""], measures: Measures, potentials: Sequence[Float[Array, "n"]]
    ) -> tuple[Float[Array, "n"], ...]:
        r"""$\partial_t \log p_i$ at MF time t."""
        given = zip(at(self.layers, t), measures, potentials, strict=True)
        return tuple(-rate * (v - p @ v) for rate, p, v in given)


def logs_of(measures: Measures) -> tuple[Float[Array, "n"], ...]:
    """Logarithms of measures."""
    return tuple(jnp.maximum(jnp.log(p), LEAST) for p in measures)


def measures_of(logs: Sequence[Float[Array, "n"]]) -> Measures:
    """The measures of sum 1 with these logarithms, up to constants."""
    return tuple(map(jax.nn.softmax, logs))


def measures_in(memory: Mapping[str, Any] | None) -> Measures | None:
    """The measures that a state's memory has, if they move."""
    count = 0 if memory is None else sum(_NAME.format(i + 1) in memory for i in range(len(memory)))
    if memory is None or count == 0:
        return None
    return measures_of([memory[_NAME.format(i)] for i in range(1, count + 1)])

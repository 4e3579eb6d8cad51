r"""Birth and death: measures move, $\partial_t p_i = -\alpha_i(t)\,p_i\,(V_i - \mathbb{E}_{C_i}[V_i])$.

$V_i = \mathbb{E}_Z[\varphi_i(H_i)\,\mathbb{E}_{C_{i+1}}[\Delta^H_{i+1} w_{i+1}]]$ is the first
variation of the risk, $\partial R / \partial p_i$, with that of what decay adds to it. Mass goes to
neurons that lower the risk, and with the weights' flow

$$\frac{dR}{dt} = -\sum_i \xi_i\,\|\mathbb{E}_Z[\Delta^w_i]\|^2 - \sum_i \alpha_i \mathrm{Var}_{P_i}(V_i).$$

The ODE moves $\log p_i$, whatever its normalisation, so that measures stay positive and of sum 1; a
neuron of measure zero keeps it. In a step of SGD a neuron dies with probability $1 - e^{-\epsilon\alpha (V -
\bar V)}$ or is copied with $1 - e^{-\epsilon\alpha (\bar V - V)}$, V being that of the step's samples; then
neurons drawn at random die or are copied until there are as many as before. With an embedding to
reinject from, none is copied: those that die are replaced by newborn ones of its law $\mu_0$, of
outgoing weights 0, $\partial_t p = \alpha\,(\mathbb{E}[(V - \bar V)_+]\,\mu_0 - (V - \bar V)_+\,p)$, so that
mass comes to where no neuron was.

Reference: G. Rotskoff, S. Jelassi, J. Bruna and E. Vanden-Eijnden, Global convergence of neuron
birth-death dynamics, ICML 2019.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..dynamics import Measures
from ..embeddings import AbstractEmbedding
from ..kernels import neurons
from ..schedules import Schedule, at

LEAST = -1e5
"""The logarithm in place of that of 0: its exponential is 0 in any precision."""
STREAM = 2**32 - 2
"""Folded into a run's key for births and deaths; `temperature.STREAM` is its neighbour."""
_NAME = "log_measure_{}"


class BirthDeath(eqx.Module):
    r"""The rates of birth and death.

    Attributes:
        layers: $\alpha_1, \dots, \alpha_{L-1}$ of the hidden layers, functions of MF time.
        reinject: whence newborn neurons are, of networks of two layers; None where neurons are copied.
    """

    layers: tuple[Schedule, ...]
    reinject: AbstractEmbedding | None = None

    outside: ClassVar[str] = "measures move, which Assumption 1 and Theorem 2 do not have"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the logarithms, as a state keeps them."""
        return tuple(_NAME.format(i) for i in range(1, len(self.layers) + 1))

    def renewed(
        self,
        key: PRNGKeyArray,
        k: Array,
        t: Float[Array, ""],
        step: Float[Array, ""],
        weights: Sequence[Any],
        potentials: Sequence[Float[Array, "n"]],
    ) -> tuple[Any, ...]:
        """The weights after births and deaths in step k of SGD, of neurons of equal measures.

        Args:
            key: of the run.
            step: its length in MF time.
        """
        of_step = jax.random.fold_in(jax.random.fold_in(key, STREAM), k)
        rates = at(self.layers, t)
        if self.reinject is not None:
            v = potentials[0]
            return self._replaced(
                of_step, self.reinject, step * rates[0] * (v - jnp.mean(v)), weights
            )
        parents = [
            parents_after(jax.random.fold_in(of_step, i), step * rate * (jnp.mean(v) - v))
            for i, (rate, v) in enumerate(zip(rates, potentials, strict=True))
        ]
        still = [jnp.all(p == jnp.arange(len(p))) for p in parents]

        def replaced() -> tuple[Any, ...]:
            first, *middle, last = weights
            sides = itertools.pairwise(parents)
            between = [neurons(w, p, q) for w, (p, q) in zip(middle, sides, strict=True)]
            return (first[parents[0]], *between, last[parents[-1]])

        return jax.lax.cond(jnp.all(jnp.stack(still)), lambda: tuple(weights), replaced)

    def _replaced(
        self,
        key: PRNGKeyArray,
        source: AbstractEmbedding,
        rate: Float[Array, "n"],
        weights: Sequence[Any],
    ) -> tuple[Any, ...]:
        """Those that die replaced by newborn ones."""
        for_deaths, for_births = jax.random.split(key)
        n = len(rate)
        chance = -jnp.expm1(-jnp.maximum(rate, 0))
        dies = (jax.random.uniform(for_deaths, (n,), rate.dtype) < chance)[:, None]

        def born() -> tuple[Any, ...]:
            first, last = weights
            newborn = source.initial_weights([source.latents(1, n, for_births)])[0]
            return jnp.where(dies, newborn.astype(first.dtype), first), jnp.where(dies, 0, last)

        return jax.lax.cond(jnp.any(dies), born, lambda: tuple(weights))

    def flow(
        self, t: Float[Array, ""], measures: Measures, potentials: Sequence[Float[Array, "n"]]
    ) -> tuple[Float[Array, "n"], ...]:
        r"""$\partial_t \log p_i$ at MF time t."""
        given = zip(at(self.layers, t), measures, potentials, strict=True)
        return tuple(-rate * (v - p @ v) for rate, p, v in given)


def parents_after(key: PRNGKeyArray, change: Float[Array, "n"]) -> Int[Array, "n"]:
    """For each place the neuron whose weights it has after births and deaths; survivors keep theirs.

    Args:
        change: of the number of each neuron, as expected to first order.
    """
    n = len(change)
    for_events, for_population, for_more = jax.random.split(key, 3)
    events = jax.random.uniform(for_events, (n,), change.dtype) < -jnp.expm1(-jnp.abs(change))
    alive, copied = ~(events & (change < 0)), events & (change > 0)
    excess = jnp.sum(copied) - jnp.sum(~alive)
    # Too many: so many of the survivors and copies go, each as likely. Too few: so many survivors are copied.
    population = jnp.concatenate([alive, copied])
    gone = population & (_ranks(for_population, population) < excess)
    copies = (copied & ~gone[n:]).astype(int) + (alive & (_ranks(for_more, alive) < -excess))
    vacant = ~alive | gone[:n]
    fillers = jnp.repeat(jnp.arange(n), copies, total_repeat_length=n)
    filled = fillers[jnp.cumsum(vacant) - 1]
    return jnp.where(vacant & jnp.any(copies > 0), filled, jnp.arange(n))


def _ranks(key: PRNGKeyArray, among: Bool[Array, "n"]) -> Int[Array, "n"]:
    """Numbers 0, 1, ... at random among those that are true, which come first."""
    order = jnp.argsort(jnp.where(among, jax.random.uniform(key, among.shape), 2.0))
    return jnp.argsort(order)


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

r"""The motion of weights: equation (2)'s right-hand side and what is added to it, once for all.

SGD, the ODE, the flows of equations (3) and (4), Picard's iteration and the certificate ask this object
for the velocity. `Problem.motion` makes it for an ensemble of neurons. Without terms it is the
paper's system, $\partial_t w_i = -\xi_i(t)\,\mathbb{E}_Z[\Delta^w_i]$. With momentum that is a force, and
what moves is a `phase`: all weights, and behind them their velocities.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import dynamics
from ..activations import Activation
from ..distributions import Samples
from ..kernels import average_incoming, average_outgoing, grows
from ..losses import Loss
from ..schedules import Schedule, at, is_frozen
from ..units.base import Unit
from ..units.linear import LINEAR
from .birth_death import BirthDeath, logs_of, measures_of
from .change import Change
from .momentum import Momentum
from .penalty import Penalty
from .temperature import Temperature
from .term import Term


class Motion(eqx.Module):
    r"""The law by which the weights of an ensemble of neurons move.

    Attributes:
        loss: $\mathcal{L}$.
        schedules: $\xi_1, \dots, \xi_L$.
        terms: what is added to equation (2).
        measures: of the neurons of the L - 1 hidden layers.
        activations: $\varphi_1, \dots, \varphi_L$.
        unit: the first layer.
        momentum: by which forces change velocities; None where they are velocities.
        birth_death: by which measures move; None where they stay.
        temperature, penalty: what steps do besides; None where they do nothing (`motion.steps`).
    """

    loss: Loss = eqx.field(static=True)
    schedules: tuple[Schedule, ...]
    terms: tuple[Term, ...]
    measures: dynamics.Measures
    activations: tuple[Activation, ...] = eqx.field(static=True)
    unit: Unit = eqx.field(static=True, default=LINEAR)
    momentum: Momentum | None = None
    temperature: Temperature | None = None
    penalty: Penalty | None = None
    birth_death: BirthDeath | None = None

    @property
    def memory(self) -> tuple[str, ...]:
        """Names of what moves besides the weights, in the order of a phase."""
        carried = self.momentum or self.birth_death
        return () if carried is None else carried.names

    @property
    def frozen(self) -> tuple[bool, ...]:
        """Which layers stay as they are, known when programs are compiled."""
        return tuple(map(is_frozen, self.schedules))

    def kept(self, before: dynamics.Kernels, after: dynamics.Kernels) -> dynamics.Kernels:
        """The phase `after`, the weights of frozen layers being those `before` to the sign of a zero."""
        if not any(self.frozen):
            return after
        pairs = zip(self.frozen, before, after, strict=False)
        weights = [old if frozen else new for frozen, old, new in pairs]
        return (*weights, *after[len(weights) :])

    @property
    def decays(self) -> bool:
        """Whether changes hold a share of the weight itself: where there are terms, all do."""
        return bool(self.terms)

    def rates(self, t: Float[Array, ""]) -> list[Float[Array, ""]]:
        r"""$\xi_1(t), \dots, \xi_L(t)$."""
        return at(self.schedules, t)

    def changes(
        self,
        t: Float[Array, ""],
        weights: dynamics.Kernels,
        samples: Samples,
        step: Float[Array, ""] | None = None,
    ) -> tuple[list[Change], Float[Array, "m k"]]:
        r"""The velocity of every layer at MF time t, as changes, and the prediction $\hat y$.

        Args:
            samples: the law of $Z$.
            step: a time by which all are multiplied, as Euler's method does.
        """
        rates = self.rates(t)
        if step is not None:
            rates = [step * rate for rate in rates]
        pairs, prediction, _ = self._factors(rates, weights, samples)
        changes = self._with_terms([Change(f, g) for f, g in pairs], rates, t)
        return self._frozen(changes, weights), prediction

    def velocity(
        self, t: Float[Array, ""], weights: dynamics.Kernels, samples: Samples
    ) -> dynamics.Kernels:
        """The velocity of every layer at MF time t, kept as its weights are; with momentum its force."""
        changes, _ = self.changes(t, weights, samples)
        return tuple(change.velocity(w) for change, w in zip(changes, weights, strict=True))

    def at_rest(self, weights: dynamics.Kernels) -> dynamics.Kernels:
        """The phase of weights that have not moved yet."""
        if self.birth_death is not None:
            return (*weights, *logs_of(self.measures))
        return weights if self.momentum is None else (*weights, *self.momentum.at_rest(weights))

    def flow(
        self, t: Float[Array, ""], phase: dynamics.Kernels, samples: Samples
    ) -> dynamics.Kernels:
        """The time derivative of a phase at MF time t."""
        if self.birth_death is not None:
            return self._with_measures(t, phase, samples)
        if self.momentum is None:
            return self.velocity(t, phase, samples)
        depth = len(self.schedules)
        forces = self.velocity(t, phase[:depth], samples)
        return self.momentum.flow(t, phase[depth:], forces)

    def potentials(
        self, t: Float[Array, ""], weights: dynamics.Kernels, samples: Samples
    ) -> list[Float[Array, "n_i"]]:
        r"""$V_i = \partial R / \partial p_i$ of the hidden layers, and of what terms add to the risk."""
        found = self._factors(self.rates(t), weights, samples)[2]
        if not self.terms:
            return found
        added = lambda measures: sum(term.objective(weights, measures, t) for term in self.terms)
        more = jax.grad(added)(self.measures)
        return [v + extra for v, extra in zip(found, more, strict=True)]

    def _with_measures(
        self, t: Float[Array, ""], phase: dynamics.Kernels, samples: Samples
    ) -> dynamics.Kernels:
        """The time derivative of weights and of the measures' logarithms."""
        assert self.birth_death is not None
        depth = len(self.schedules)
        weights, measures = phase[:depth], measures_of(phase[depth:])
        there = eqx.tree_at(lambda motion: motion.measures, self, measures)
        moved = there.velocity(t, weights, samples)
        potentials = there.potentials(t, weights, samples)
        return (*moved, *self.birth_death.flow(t, measures, potentials))

    def norms(self, phase: dynamics.Kernels) -> Float[Array, "_"]:
        """Norms of all that a phase holds, or an error of it, as `dynamics.layer_norms` takes them."""
        depth = len(self.schedules)
        if self.birth_death is not None:
            pairs = zip(phase[depth:], self.measures, strict=True)
            logs = jnp.sqrt(jnp.stack([p @ jnp.square(log) for log, p in pairs]))
            return jnp.concatenate([dynamics.layer_norms(phase[:depth], self.measures), logs])
        if self.momentum is None:
            return dynamics.layer_norms(phase, self.measures)
        parts = (phase[:depth], phase[depth:])
        return jnp.concatenate([dynamics.layer_norms(part, self.measures) for part in parts])

    def of_neurons(
        self,
        layer: int,
        t: Float[Array, ""],
        neurons: tuple[Float[Array, "many n_in"], Float[Array, "many n_out"]],
        seen: tuple[Float[Array, "m n_in"], Float[Array, "m n_out"]],
        sample_weights: Float[Array, "m"],
    ) -> tuple[Change, Change]:
        r"""Equation (3): the velocity of neurons that have no mass, incoming and outgoing weights.

        Args:
            layer: i, 1..L-1, of the neurons; `self` has the measures of the nodes around it.
            neurons: $w_i(\cdot, a)$ (p numbers for i = 1) and $w_{i+1}(a, \cdot)$ at the nodes.
            seen: $\varphi_{i-1}(H_{i-1})$ (x for i = 1) and $\Delta^H_{i+1}$ at the nodes; the first with a
                1 behind where the layer has biases, which are then the last of the incoming weights.
        """
        (incoming, outgoing), (before, after) = neurons, seen
        last = layer == len(self.measures)
        nodes_after = jnp.ones(after.shape[1], after.dtype) if last else self.measures[layer]
        if layer == 1:  # H^a, (m, many)
            h = self.unit.value(incoming, before)
        else:
            nodes_before = self.measures[layer - 2]
            if before.shape[1] > len(nodes_before):  # the value 1 that biases are multiplied by
                nodes_before = jnp.append(nodes_before, jnp.ones((), before.dtype))
            h = average_incoming(incoming.T, nodes_before, before)
        value, slope = self.activations[layer - 1].value_and_derivative(h)
        # Delta^a = E[Delta_{i+1} a_{i+1}] phi'_i(H^a)
        sensitivity = average_outgoing(outgoing, nodes_after, after) * slope
        q = sample_weights[:, None]
        rates = self.rates(t)[layer - 1 : layer + 1]
        pulled = q * sensitivity, before
        if layer == 1:
            pulled = self.unit.factors(incoming, before, q * sensitivity)
        changes = [
            Change(pulled[0], -rates[0] * pulled[1]),
            Change(q * value, -rates[1] * after),
        ]
        incoming_change, outgoing_change = self._with_terms(changes, rates, t, layer)
        return incoming_change, outgoing_change

    def _factors(
        self, rates: list[Float[Array, ""]], weights: dynamics.Kernels, samples: Samples
    ) -> tuple[list[tuple[Array, Array]], Float[Array, "m k"], list[Float[Array, "n_i"]]]:
        return dynamics.velocity_factors_and_potentials(
            weights, self.measures, self.activations, self.loss, rates, *samples, self.unit
        )

    def _with_terms(
        self,
        changes: list[Change],
        rates: list[Float[Array, ""]],
        t: Float[Array, ""],
        layer: int | None = None,
    ) -> list[Change]:
        """All terms added, of layers `layer` and the next if it is given; decays are 0 where none is."""
        for term in self.terms:
            term = term if layer is None else term.of_layers(layer, layer + 1)
            changes = term.added(changes, rates, t)
        if not self.decays:
            return changes
        zero = jnp.zeros((), t.dtype)
        return [c._replace(decay=zero) if c.decay is None else c for c in changes]

    def _frozen(self, changes: list[Change], weights: dynamics.Kernels) -> list[Change]:
        """Changes of which those of frozen layers are nothing: of no rows, where their kernel takes that."""
        if not any(self.frozen):
            return changes

        def still(change: Change, w: Any) -> Change:
            rows = len(change.f) if grows(w) else 0
            f, g = (jnp.zeros((rows, a.shape[1]), a.dtype) for a in (change.f, change.g))
            return Change(f, g, None if change.decay is None else jnp.zeros_like(change.decay))

        given = zip(self.frozen, changes, weights, strict=True)
        return [still(change, w) if frozen else change for frozen, change, w in given]

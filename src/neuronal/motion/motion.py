r"""The motion of weights: equation (2)'s right-hand side and what is added to it, once for all.

SGD, the ODE, the flows of equations (3) and (4), Picard's iteration and the certificate ask this object
for the velocity. `Problem.motion` makes it for an ensemble of neurons. Without terms it is the
paper's system, $\partial_t w_i = -\xi_i(t)\,\mathbb{E}_Z[\Delta^w_i]$.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import dynamics
from ..activations import Activation
from ..distributions import Samples
from ..kernels import average_incoming, average_outgoing
from ..losses import Loss
from ..schedules import Schedule, at
from .change import Change
from .term import Term


class Motion(eqx.Module):
    r"""The law by which the weights of an ensemble of neurons move.

    Attributes:
        loss: $\mathcal{L}$.
        schedules: $\xi_1, \dots, \xi_L$.
        terms: what is added to equation (2).
        measures: of the neurons of the L - 1 hidden layers.
        activations: $\varphi_1, \dots, \varphi_L$.
    """

    loss: Loss = eqx.field(static=True)
    schedules: tuple[Schedule, ...]
    terms: tuple[Term, ...]
    measures: dynamics.Measures
    activations: tuple[Activation, ...] = eqx.field(static=True)

    @property
    def decays(self) -> bool:
        """Whether a change may hold a share of the weight itself."""
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
        pairs, prediction = dynamics.velocity_factors(
            weights, self.measures, self.activations, self.loss, rates, *samples
        )
        changes = [Change(f, g) for f, g in pairs]
        for term in self.terms:
            changes = term.added(changes, rates, t)
        if self.decays:  # of one structure in all layers, also in those that no term decays
            none = jnp.zeros((), t.dtype)
            changes = [c._replace(decay=none) if c.decay is None else c for c in changes]
        return changes, prediction

    def velocity(
        self, t: Float[Array, ""], weights: dynamics.Kernels, samples: Samples
    ) -> dynamics.Kernels:
        """The velocity of every layer at MF time t, kept as its weights are."""
        changes, _ = self.changes(t, weights, samples)
        return tuple(change.velocity(w) for change, w in zip(changes, weights, strict=True))

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
            neurons: $w_i(\cdot, a)$ and $w_{i+1}(a, \cdot)$ at the nodes.
            seen: $\varphi_{i-1}(H_{i-1})$ (x for i = 1) and $\Delta^H_{i+1}$ at the nodes.
        """
        (incoming, outgoing), (before, after) = neurons, seen
        ones = lambda values: jnp.ones(values.shape[1], values.dtype)
        nodes_before = self.measures[layer - 2] if layer > 1 else ones(before)
        nodes_after = self.measures[layer] if layer < len(self.measures) else ones(after)
        h = average_incoming(incoming.T, nodes_before, before)  # H^a, (m, many)
        value, slope = self.activations[layer - 1].value_and_derivative(h)
        # Delta^a = E[Delta_{i+1} a_{i+1}] phi'_i(H^a)
        sensitivity = average_outgoing(outgoing, nodes_after, after) * slope
        q = sample_weights[:, None]
        rates = self.rates(t)[layer - 1 : layer + 1]
        changes = [
            Change(q * sensitivity, -rates[0] * before),
            Change(q * value, -rates[1] * after),
        ]
        for term in self.terms:
            changes = term.of_layers(layer, layer + 1).added(changes, rates, t)
        return changes[0], changes[1]

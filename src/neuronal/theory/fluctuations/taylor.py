r"""The motion and the prediction to second order along perturbed measures, by forward derivatives.

With measures $p + a\,\delta$, signed, the weights are $W + a\,W' + \frac{a^2}{2} W'' + O(a^3)$. One
system carries all three. It is equation (2)'s right-hand side, differentiated twice; no pass is
written anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ... import dynamics
from ...distributions import Samples
from ...motion.change import Change
from ...motion.motion import Motion

Direction = tuple[Float[Array, "_"], ...]
"""Signed measures $\\delta_i$ of each hidden layer."""


class Expansion(NamedTuple):
    """Weights of the limit, and their first and second derivatives along a direction."""

    weights: dynamics.Weights
    first: dynamics.Weights
    second: dynamics.Weights


def at_rest(weights: dynamics.Weights) -> Expansion:
    """The expansion at t = 0: initial weights are functions of neurons, whatever the measures."""
    zeros = jax.tree.map(jnp.zeros_like, weights)
    return Expansion(weights, zeros, zeros)


def second_order(
    function: Callable[[dynamics.Weights, dynamics.Measures], Any],
    measures: dynamics.Measures,
    at: Expansion,
    direction: Direction,
) -> tuple[Any, Any, Any]:
    """`function` of weights and measures, and its first and second derivative along the direction."""

    def slope(weights: Any, measures: Any, first: Any) -> tuple[Any, Any]:
        return jax.jvp(function, (weights, measures), (first, direction))

    (value, once), (_, twice) = jax.jvp(
        slope, (at.weights, measures, at.first), (at.first, direction, at.second)
    )
    return value, once, twice


def rate(
    motion: Motion, t: Float[Array, ""], at: Expansion, direction: Direction, samples: Samples
) -> Expansion:
    """The expansion's velocity at MF time t."""

    def changes(weights: dynamics.Weights, measures: dynamics.Measures) -> list[Change]:
        return with_measures(motion, measures).changes(t, weights, samples)[0]

    along = second_order(changes, motion.measures, at, direction)
    layers = [
        _layer_rate(*of_layer, w)
        for of_layer, w in zip(zip(*along, strict=True), zip(*at, strict=True), strict=True)
    ]
    return Expansion(*map(tuple, zip(*layers, strict=True)))


def _layer_rate(change: Change, once: Change, twice: Change, w: tuple[Any, Any, Any]) -> list[Any]:
    """The velocities of a weight and its derivatives, each as one product of factors.

    Of a product the second derivative is f''g + 2f'g' + fg''; their matrices would be more to write
    and to read than the products cost. Decay is a function of time.
    """
    (f, g, decay), (f1, g1, _), (f2, g2, _) = change, once, twice
    rows = jnp.concatenate
    all_changes = (
        change,
        Change(rows([f1, f]), rows([g, g1]), decay),
        Change(rows([f2, 2 * f1, f]), rows([g, g1, g2]), decay),
    )
    return [change.velocity(weight) for change, weight in zip(all_changes, w, strict=True)]


def prediction(
    motion: Motion, at: Expansion, direction: Direction, x: Float[Array, "m d"]
) -> tuple[Float[Array, "m k"], Float[Array, "m k"], Float[Array, "m k"]]:
    r"""$\hat y(x)$ and its first and second derivative along the direction."""

    def predict(weights: dynamics.Weights, measures: dynamics.Measures) -> Float[Array, "m k"]:
        return dynamics.forward(weights, measures, motion.activations, x, motion.unit)[1][-1]

    return second_order(predict, motion.measures, at, direction)


def kick(
    motion: Motion,
    t: Float[Array, ""],
    weights: dynamics.Weights,
    samples: Samples,
    noise: Float[Array, "m"],
) -> dynamics.Weights:
    """The velocity's derivative in the weights of the samples, along a signed measure on them."""

    def velocity(sample_weights: Float[Array, "m"]) -> dynamics.Weights:
        return motion.velocity(t, weights, samples._replace(weights=sample_weights))

    return jax.jvp(velocity, (samples.weights,), (noise,))[1]


def acceleration(
    motion: Motion, t: Float[Array, ""], weights: dynamics.Weights, samples: Samples
) -> dynamics.Weights:
    r"""$\frac{d}{dt}$ of the velocity along the limit, $\partial_t v + Dv\,[v]$."""
    velocity = lambda t, weights: motion.velocity(t, weights, samples)
    return jax.jvp(velocity, (t, weights), (jnp.ones_like(t), velocity(t, weights)))[1]


def with_measures(motion: Motion, measures: dynamics.Measures) -> Motion:
    """The same law of motion on neurons of other measures, which may be signed."""
    return eqx.tree_at(lambda motion: motion.measures, motion, measures)

r"""An explicit Runge-Kutta step on weights kept as matrices."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ... import dynamics
from .runge_kutta import between, tableau
from .stepper import AbstractStepper, Dense, RightHandSide, Step


class Taken(NamedTuple):
    """The last step tried.

    Attributes:
        velocities: of its stages.
        length: in MF time.
        kept: whether it was.
    """

    velocities: tuple[dynamics.Weights, ...]
    length: Float[Array, ""]
    kept: Bool[Array, ""]


class DenseRungeKutta(AbstractStepper):
    """An explicit Runge-Kutta method on matrices; it knows the weights within its steps."""

    solver: diffrax.AbstractSolver

    interpolates: ClassVar[bool] = True

    def start(
        self, right_hand_side: RightHandSide, t: Array, t_next: Array, weights: dynamics.Kernels
    ) -> Taken:
        method = tableau(self.solver)
        zeros = jax.tree.map(jnp.zeros_like, weights)
        first = right_hand_side.flow(t, weights) if method.first_is_last else zeros
        others = [zeros] * (len(method.nodes) - 1)
        return Taken((first, *others), jnp.zeros_like(t), jnp.asarray(False))

    def error_scale(
        self, weights: dynamics.Kernels, measures: dynamics.Measures
    ) -> dynamics.Kernels:
        return weights

    def step(
        self,
        right_hand_side: RightHandSide,
        measures: dynamics.Measures,
        t: Array,
        t_next: Array,
        weights: dynamics.Kernels,
        state: Taken,
    ) -> Step:
        method, h = tableau(self.solver), t_next - t
        after = weights
        if method.first_is_last:
            first, *_, last = state.velocities
            velocities = [jax.tree.map(lambda a, b: jnp.where(state.kept, b, a), first, last)]
        else:
            velocities = [right_hand_side.flow(t, weights)]
        for row, node in zip(method.matrix[1:], method.nodes[1:], strict=True):
            after = _moved(weights, h, row, velocities)
            velocities.append(right_hand_side.flow(t + float(node) * h, after))
        if not method.first_is_last:
            after = _moved(weights, h, method.solution, velocities)
        nothing = jax.tree.map(jnp.zeros_like, weights)
        error = _moved(nothing, h, method.error, velocities)
        taken = Taken(tuple(velocities), h, jnp.asarray(True))
        return Step(after, error, taken, jnp.asarray(True))

    def carry_over(self, new: Taken, old: Taken, keep: Bool[Array, ""]) -> Taken:
        return new._replace(kept=keep)

    def first_step(
        self,
        right_hand_side: RightHandSide,
        weights: dynamics.Kernels,
        measures: dynamics.Measures,
        controller: diffrax.AbstractStepSizeController,
    ) -> Float[Array, ""]:
        """Diffrax's choice, that of Hairer, Norsett and Wanner."""
        return Dense(self.solver).first_step(right_hand_side, weights, measures, controller)

    def between(
        self, weights: dynamics.Kernels, state: Taken, share: Float[Array, ""]
    ) -> dynamics.Kernels:
        at_the_end = jnp.asarray(tableau(self.solver).solution, share.dtype)
        to_the_end = between(self.solver, share) - at_the_end
        for coefficient, velocity in zip(to_the_end, state.velocities, strict=True):
            scale = coefficient * state.length
            weights = jax.tree.map(lambda w, k, a=scale: w + a * k, weights, velocity)
        return weights


def _moved(
    weights: dynamics.Weights, h: Array, row: np.ndarray, velocities: list[dynamics.Weights]
) -> dynamics.Weights:
    """The weights and h times the velocities, as often as the row of a tableau says."""
    terms = [(float(a), k) for a, k in zip(row, velocities, strict=False) if a]

    def moved(w: Array, *of: Array) -> Array:
        return w + h * sum(a * k for (a, _), k in zip(terms, of, strict=True))

    return jax.tree.map(moved, weights, *(k for _, k in terms))

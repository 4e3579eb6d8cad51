"""The stages of an explicit Runge-Kutta step on factored weights."""

from __future__ import annotations

from typing import Any

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .errors import InvalidInput
from .kernels import Factored


class Stages(eqx.Module):
    """The weights at a step's start and the velocities of the stages done so far.

    Attributes:
        middle: kernels whose rows behind those of the weights are the stages' velocities.
        first_last, end_speeds: weights and velocities `(stages, ...)` of the outer layers.
        lost: norms of what thinning the velocities lost, `(stages, layers)`.
        rows: what a velocity needed at most; `room` is what it has.
    """

    middle: tuple[Factored, ...]
    first_last: tuple[Array, Array]
    end_speeds: tuple[Array, Array]
    lost: Float[Array, "stages layers"]
    rows: Int[Array, "layers"]
    room: tuple[int, ...] = eqx.field(static=True)

    def kernels(self, coefficients: Float[Array, "stages"]) -> tuple[Factored, ...]:
        """Middle weights with the stages' velocities added, times coefficients."""
        return tuple(
            Factored(w.f, w.g, w.s + scales)
            for w, scales in zip(self.middle, self.scales(coefficients), strict=True)
        )

    def scales(self, coefficients: Float[Array, "stages"]) -> list[Float[Array, "r"]]:
        """Those of the velocities alone: zero in the rows of the weights."""
        added = [jnp.repeat(coefficients, k) for k in self.room]
        return [
            jnp.zeros_like(w.s).at[len(w.s) - len(a) :].set(a)
            for w, a in zip(self.middle, added, strict=True)
        ]

    def ends(self, coefficients: Float[Array, "stages"]) -> list[Array]:
        """The first and the last layer's weights, likewise."""
        return [
            w + jnp.tensordot(coefficients, k, 1)
            for w, k in zip(self.first_last, self.end_speeds, strict=True)
        ]

    def replaced(self, middle: Any, end_speeds: Any, lost: Array, rows: Array) -> Stages:
        return Stages(middle, self.first_last, end_speeds, lost, rows, self.room)


def tableau(solver: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients of an explicit Runge-Kutta method: matrix, nodes, solution, error."""
    if isinstance(solver, diffrax.Euler):
        return np.zeros((1, 1)), np.zeros(1), np.ones(1), np.zeros(1)
    given = getattr(solver, "tableau", None)
    if not isinstance(given, diffrax.ButcherTableau) or given.implicit:
        raise InvalidInput(
            "solver: factored kernels take an explicit Runge-Kutta method, got "
            f"{type(solver).__name__}"
        )
    matrix = np.zeros((given.num_stages, given.num_stages))
    for i, row in enumerate(given.a_lower, start=1):
        matrix[i, :i] = row
    return matrix, np.concatenate([[given.c1], given.c]), given.b_sol, given.b_error

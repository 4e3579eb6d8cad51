"""One step of the MF ODE: what the integration asks of a step, and Diffrax's solvers on matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ... import dynamics
from ...kernels import outer

Field = Callable[[Array, dynamics.Kernels], list[tuple[Array, Array]]]
"""`dynamics.changes` as a function of time and weights."""


class Step(NamedTuple):
    """A step tried: where it leads, its error as the controller sees it, what to remember."""

    weights: dynamics.Kernels
    error: Any
    memory: Any
    fits: Bool[Array, ""]


class Dense(eqx.Module):
    """A Diffrax solver on weights kept as matrices."""

    solver: diffrax.AbstractSolver

    def start(self, field: Field, t: Array, t_next: Array, weights: dynamics.Kernels) -> Any:
        return self.solver.init(self.term(field), t, t_next, weights, None)

    def seen(self, weights: dynamics.Kernels, measures: dynamics.Measures) -> dynamics.Kernels:
        """What the step-size controller compares errors with."""
        return weights

    def step(
        self,
        field: Field,
        measures: dynamics.Measures,
        t: Array,
        t_next: Array,
        weights: dynamics.Kernels,
        memory: Any,
    ) -> Step:
        candidate, error, _, memory, _ = self.solver.step(
            self.term(field), t, t_next, weights, None, memory, made_jump=False
        )
        return Step(candidate, error, memory, jnp.asarray(True))

    def remember(self, new: Any, old: Any, keep: Bool[Array, ""]) -> Any:
        """What the next step is given, after one that was kept or not."""
        return jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)

    def first_step(
        self, field: Field, weights: dynamics.Kernels, measures: dynamics.Measures, control: Any
    ) -> Float[Array, ""]:
        """Diffrax's choice, that of Hairer, Norsett and Wanner."""
        zero, one = jnp.zeros((), weights[0].dtype), jnp.ones((), weights[0].dtype)
        term = self.term(field)
        first, _ = control.controller(measures).init(
            term, zero, one, weights, None, None, self.solver.func, self.solver.error_order(term)
        )
        return jnp.asarray(first - zero)

    @staticmethod
    def term(field: Field) -> diffrax.ODETerm:
        def velocity(t: Array, weights: dynamics.Kernels, args: Any) -> dynamics.Kernels:
            return tuple(outer(f, g) for f, g in field(t, weights))

        return diffrax.ODETerm(velocity)  # pyright: ignore[reportArgumentType]

r"""One step of the MF ODE, for each way in which weights are kept.

`Dense` hands the weights to a Diffrax solver. `FactoredRungeKutta` is the same Runge-Kutta
method on factored weights: a step adds the outer products of its stages to the factors, which
is the step exactly, and then cuts the sum back to the rank that a tolerance asks for. Nothing is
projected but by that cut, whose error is known, so that the order in time is that of the
method (a step-truncation integrator: Rodgers, Dektor and Venturi, J. Sci. Comput. 92, 2022). The
rank follows the solution; memory does not grow with time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from . import dynamics
from .kernels import Factored, compressed, outer, rows_for, thinned
from .network import Network
from .stages import Stages, tableau

Field = Callable[[Array, dynamics.Kernels], list[tuple[Array, Array]]]
"""`dynamics.changes` as a function of time and weights."""

CUT = 0.1
"""Share of a step's error tolerance that truncation may use; the stages' own takes a tenth of it."""


class Truncation(NamedTuple):
    """What truncation did, a middle layer each.

    Attributes:
        discarded: norms in $L^2(P_{i-1} \\times P_i)$ of what accepted steps cut off, summed.
        rank, rows: what the last step tried needed, of the weights and of a stage's velocity.
    """

    discarded: Float[Array, "layers"]
    rank: Int[Array, "layers"]
    rows: Int[Array, "layers"]


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


class FactoredRungeKutta(eqx.Module):
    """An explicit Runge-Kutta method on weights whose middle layers are `Factored`.

    Attributes:
        solver: whose tableau is used.
        rtol, atol: of a step.
        rows: of a stage's velocity, a middle layer each; as many as samples if those are fewer.
    """

    solver: Any
    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    rows: tuple[int, ...] = eqx.field(static=True)

    def start(self, field: Field, t: Array, t_next: Array, weights: dynamics.Kernels) -> Truncation:
        zeros = jnp.zeros(len(self.rows), jnp.int32)
        return Truncation(jnp.zeros(len(self.rows), weights[0].dtype), zeros, zeros)

    def seen(self, weights: dynamics.Kernels, measures: dynamics.Measures) -> Float[Array, "L"]:
        return dynamics.layer_norms(weights, measures)

    def remember(self, new: Truncation, old: Truncation, keep: Bool[Array, ""]) -> Truncation:
        return Truncation(jnp.where(keep, new.discarded, old.discarded), new.rank, new.rows)

    def grown(self, network: Network, found: Truncation) -> tuple[FactoredRungeKutta, Network]:
        """The stepper and the network with room for what a step was found to need."""
        first, *middle, last = network.weights
        rows = tuple(rows_for(k, int(n)) for k, n in zip(self.rows, found.rows, strict=True))
        kernels = tuple(
            w.with_room(rows_for(len(w.s), int(n))) for w, n in zip(middle, found.rank, strict=True)
        )
        return FactoredRungeKutta(self.solver, self.rtol, self.atol, rows), network.with_weights(
            (first, *kernels, last)
        )

    def first_step(
        self, field: Field, weights: dynamics.Kernels, measures: dynamics.Measures, control: Any
    ) -> Float[Array, ""]:
        """A hundredth of the time in which a layer would change by its own size."""
        sizes = self.seen(weights, measures)
        pairs = field(jnp.zeros((), sizes.dtype), weights)
        middle = [Factored(f, g, jnp.ones(len(f), f.dtype)) for f, g in pairs[1:-1]]
        speeds = self.seen((outer(*pairs[0]), *middle, outer(*pairs[-1])), measures)
        scale = self.atol + self.rtol * sizes
        size, speed = jnp.max(sizes / scale), jnp.max(speeds / scale)
        return jnp.where(speed > 0, 0.01 * size / speed, 1e-3)

    def step(
        self,
        field: Field,
        measures: dynamics.Measures,
        t: Array,
        t_next: Array,
        weights: dynamics.Kernels,
        memory: Truncation,
    ) -> Step:
        h = t_next - t
        solution, error = (jnp.asarray(b, h.dtype) for b in tableau(self.solver)[2:])
        sizes = self.seen(weights, measures)
        floor = 10 * jnp.finfo(h.dtype).eps * sizes
        tolerance = jnp.maximum(CUT * (self.atol + self.rtol * sizes), floor)[1:-1]
        stages = self._stages(field, measures, t, h, weights, CUT * tolerance)
        cut = [
            compressed(w, p, q, tol, len(old.s), scales)
            for w, p, q, tol, old, scales in zip(
                stages.kernels(h * solution), measures[:-1], measures[1:], tolerance,
                weights[1:-1], stages.scales(h * error), strict=True,
            )
        ]  # fmt: skip
        moved = stages.ends(h * solution)
        ends = [jnp.tensordot(h * error, k, 1) for k in stages.end_speeds]
        outside = dynamics.layer_norms((ends[0], ends[1]), (measures[0], measures[-1]))
        errors = jnp.stack([outside[0], *(c.other for c in cut), outside[1]])
        rank = jnp.stack([c.needed for c in cut]).astype(jnp.int32)
        fits = jnp.all(rank <= jnp.asarray([len(w.s) for w in weights[1:-1]]))
        fits &= jnp.all(stages.rows <= jnp.asarray(self.rows))
        discarded = jnp.stack([c.discarded for c in cut]) + h * (jnp.abs(solution) @ stages.lost)
        truncation = Truncation(memory.discarded + discarded, rank, stages.rows)
        return Step((moved[0], *(c.kernel for c in cut), moved[1]), errors, truncation, fits)

    def _stages(
        self,
        field: Field,
        measures: dynamics.Measures,
        t: Array,
        h: Array,
        weights: dynamics.Kernels,
        tolerance: Float[Array, "layers"],
    ) -> Stages:
        """All stages; one program for them, run over rows of the tableau."""
        matrix, nodes, _, _ = (jnp.asarray(a, h.dtype) for a in tableau(self.solver))
        count = len(nodes)
        first, *middle, last = weights
        start = Stages(
            tuple(
                w.with_room(len(w.s) + count * k) for w, k in zip(middle, self.rows, strict=True)
            ),
            (first, last),
            (
                jnp.zeros((count, *first.shape), first.dtype),
                jnp.zeros((count, *last.shape), last.dtype),
            ),
            jnp.zeros((count, len(middle)), h.dtype),
            jnp.zeros(len(middle), jnp.int32),
            self.rows,
        )

        def stage(so_far: Stages, at: tuple[Array, Array, Array]) -> tuple[Stages, None]:
            j, row, node = at
            ends = so_far.ends(h * row)
            pairs = field(t + h * node, (ends[0], *so_far.kernels(h * row), ends[1]))
            thin = [
                thinned(f, g, p, q, tol / h, k)
                for (f, g), p, q, tol, k in zip(
                    pairs[1:-1], measures[:-1], measures[1:], tolerance, self.rows, strict=True
                )
            ]
            kernels = tuple(
                w.put(part.f, part.g, len(w.s) - (count - j) * k)
                for w, part, k in zip(so_far.middle, thin, self.rows, strict=True)
            )
            speeds = tuple(
                k.at[j].set(outer(*pair))
                for k, pair in zip(so_far.end_speeds, (pairs[0], pairs[-1]), strict=True)
            )
            lost = so_far.lost.at[j].set(jnp.stack([part.lost for part in thin]))
            needed = jnp.stack([part.needed for part in thin]).astype(jnp.int32)
            rows = jnp.maximum(so_far.rows, needed)
            return so_far.replaced(kernels, speeds, lost, rows), None

        return jax.lax.scan(stage, start, (jnp.arange(count), matrix, nodes))[0]

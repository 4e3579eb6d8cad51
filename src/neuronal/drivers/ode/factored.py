r"""An explicit Runge-Kutta step on factored weights, and its stages.

A step adds the outer products of its stages to the factors, which is the step exactly, and then
cuts the sum back to the rank that a tolerance asks for. Nothing is projected but by that cut,
whose error is known, so that the order in time is that of the method (a step-truncation
integrator: Rodgers, Dektor and Venturi, J. Sci. Comput. 92, 2022). The rank follows the solution;
memory does not grow with time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ... import dynamics
from ...distributions import Samples
from ...errors import InvalidInput
from ...kernels import Factored, compressed, outer, rows_for, thinned
from ...network import Network
from ..storage import compact, decomposed
from .stepper import Field, Step


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


ROWS = 16
"""Rows of a stage's velocity at first."""


def factored_start(
    network: Network,
    solver: Any,
    rtol: Float[Array, ""],
    atol: Float[Array, ""],
    data: Samples,
) -> tuple[FactoredRungeKutta, Network]:
    """The stepper for factored kernels, and the network with rows for the rank to grow into."""
    tableau(solver)
    network = compact(decomposed(network))
    rows = tuple(min(ROWS, len(data.x)) for _ in network.weights[1:-1])
    return FactoredRungeKutta(solver, rtol, atol, rows), network


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

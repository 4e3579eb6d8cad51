r"""An explicit Runge-Kutta step on factored weights, and its stages.

A step adds the outer products of its stages to the factors, which is the step exactly, and then
cuts the sum back to the rank that a tolerance asks for. Nothing is projected but by that cut,
whose error is known, so that the order in time is that of the method (a step-truncation
integrator: Rodgers, Dektor and Venturi, J. Sci. Comput. 92, 2022). The rank follows the solution;
memory does not grow with time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ... import dynamics
from ...distributions import Samples
from ...kernels import Factored, compressed, rows_together, thinned
from ...kernels.compression import Thinned
from ...motion.change import Change
from ...network import Network
from ..storage import network_as_factors, network_with_room
from .runge_kutta import between, tableau
from .stepper import AbstractStepper, RightHandSide, Step

ROWS = 16
"""Rows of a stage's velocity at first."""
CUT = 0.1
"""Share of a step's error tolerance that truncation may use; the stages' own takes a tenth of it."""


class Stages(eqx.Module):
    """The weights at a step's start and the velocities of the stages done so far.

    Attributes:
        middle: kernels whose rows behind those of the weights are the stages' velocities.
        first_last, end_speeds: weights and velocities `(stages, ...)` of the outer layers.
        shares: where weights decay, what the velocity of a stage has of all rows of `middle` besides
            its own, `(stages, r)` per layer; None elsewhere.
        lost: norms of what thinning the velocities lost, `(stages, layers)`.
        rows: what a velocity needed at most; `room` is what it has.
    """

    middle: tuple[Factored, ...]
    first_last: tuple[Array, Array]
    end_speeds: tuple[Array, Array]
    shares: tuple[Float[Array, "stages r"], ...] | None
    lost: Float[Array, "stages layers"]
    rows: Int[Array, "layers"]
    room: tuple[int, ...] = eqx.field(static=True)

    @staticmethod
    def none(weights: dynamics.Kernels, count: int, room: tuple[int, ...], decays: bool) -> Stages:
        """No stage of `count` done yet, each with that much room for its velocity's rows."""
        first, *middle, last = weights
        wide = tuple(w.with_room(len(w.s) + count * k) for w, k in zip(middle, room, strict=True))
        zeros = lambda w: jnp.zeros((count, *w.shape), w.dtype)
        return Stages(
            wide,
            (first, last),
            (zeros(first), zeros(last)),
            tuple(zeros(w.s) for w in wide) if decays else None,
            jnp.zeros((count, len(middle)), first.dtype),
            jnp.zeros(len(middle), jnp.int32),
            room,
        )

    def kernels(self, coefficients: Float[Array, "stages"]) -> tuple[Factored, ...]:
        """Middle weights with the stages' velocities added, times coefficients."""
        return tuple(
            Factored(w.f, w.g, w.s + scales)
            for w, scales in zip(self.middle, self.scales(coefficients), strict=True)
        )

    def scales(self, coefficients: Float[Array, "stages"]) -> list[Float[Array, "r"]]:
        """Those of the velocities alone: zero in the rows of the weights, unless these decay."""
        added = [jnp.repeat(coefficients, k) for k in self.room]
        own = [
            jnp.zeros_like(w.s).at[len(w.s) - len(a) :].set(a)
            for w, a in zip(self.middle, added, strict=True)
        ]
        if self.shares is None:
            return own
        return [a + coefficients @ share for a, share in zip(own, self.shares, strict=True)]

    def ends(self, coefficients: Float[Array, "stages"]) -> list[Array]:
        """The first and the last layer's weights, likewise."""
        return [
            w + jnp.tensordot(coefficients, k, 1)
            for w, k in zip(self.first_last, self.end_speeds, strict=True)
        ]

    def with_stage(
        self,
        j: Int[Array, ""],
        coefficients: Float[Array, "stages"],
        changes: Sequence[Change],
        thin: Sequence[Thinned],
    ) -> Stages:
        """Stage j done at the weights with these coefficients: its changes, the middle ones thinned."""
        count = len(self.lost)
        first, *middle, last = changes
        kernels = tuple(
            w.put(part.f, part.g, len(w.s) - (count - j) * k)
            for w, part, k in zip(self.middle, thin, self.room, strict=True)
        )
        speeds = tuple(
            k.at[j].set(change.velocity(w))
            for k, change, w in zip(
                self.end_speeds, (first, last), self.ends(coefficients), strict=True
            )
        )
        shares = self.shares
        if shares is not None:
            shares = tuple(
                share.at[j].set(change.decayed(w.s))
                for share, change, w in zip(shares, middle, self.kernels(coefficients), strict=True)
            )
        lost = self.lost.at[j].set(jnp.stack([part.lost for part in thin]))
        needed = jnp.stack([part.needed for part in thin]).astype(jnp.int32)
        rows = jnp.maximum(self.rows, needed)
        ends: Any = speeds
        return Stages(kernels, self.first_last, ends, shares, lost, rows, self.room)


class Truncation(NamedTuple):
    """What truncation did, per middle layer.

    Attributes:
        discarded: norms in $L^2(P_{i-1} \\times P_i)$ of what accepted steps cut off, summed.
        rank, rows: what the last step tried needed, of the weights and of a stage's velocity.
        stages, length: of that step.
    """

    discarded: Float[Array, "layers"]
    rank: Int[Array, "layers"]
    rows: Int[Array, "layers"]
    stages: Stages
    length: Float[Array, ""]


class FactoredRungeKutta(AbstractStepper):
    """An explicit Runge-Kutta method on weights whose middle layers are `Factored`.

    Attributes:
        solver: whose tableau is used.
        rtol, atol: of a step.
        rows: of a stage's velocity, per middle layer; as many as samples if those are fewer.
    """

    solver: diffrax.AbstractSolver
    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    rows: tuple[int, ...] = eqx.field(static=True)

    interpolates: ClassVar[bool] = True

    def start(
        self, right_hand_side: RightHandSide, t: Array, t_next: Array, weights: dynamics.Kernels
    ) -> Truncation:
        zeros = jnp.zeros(len(self.rows), jnp.int32)
        discarded = jnp.zeros(len(self.rows), weights[0].dtype)
        stages = self._no_stages(right_hand_side, weights)
        return Truncation(discarded, zeros, zeros, stages, jnp.zeros_like(t))

    def _no_stages(self, right_hand_side: RightHandSide, weights: dynamics.Kernels) -> Stages:
        count, most = len(tableau(self.solver).nodes), len(right_hand_side.data.x)
        room = tuple(min(k, most) for k in self.rows)
        return Stages.none(weights, count, room, right_hand_side.motion.decays)

    def error_scale(
        self, weights: dynamics.Kernels, measures: dynamics.Measures
    ) -> Float[Array, "L"]:
        return dynamics.layer_norms(weights, measures)

    def carry_over(self, new: Truncation, old: Truncation, keep: Bool[Array, ""]) -> Truncation:
        return new._replace(discarded=jnp.where(keep, new.discarded, old.discarded))

    @property
    def room(self) -> tuple[int, ...]:
        return self.rows

    def with_room(self, room: tuple[int, ...]) -> FactoredRungeKutta:
        return FactoredRungeKutta(self.solver, self.rtol, self.atol, room)

    def with_more_room(
        self, network: Network, state: Truncation
    ) -> tuple[FactoredRungeKutta, Network]:
        rows, network = more_room(self.rows, np.asarray(state.rows), network, state.rank)
        return self.with_room(rows), network

    def discarded(self, state: Truncation) -> Float[np.ndarray, "layers"]:
        return np.asarray(state.discarded)

    def first_step(
        self,
        right_hand_side: RightHandSide,
        weights: dynamics.Kernels,
        measures: dynamics.Measures,
        controller: diffrax.AbstractStepSizeController,
    ) -> Float[Array, ""]:
        """A hundredth of the time in which a layer would change by its own size."""
        sizes = self.error_scale(weights, measures)
        changes = right_hand_side(jnp.zeros((), sizes.dtype), weights)
        speeds = self.error_scale(
            tuple(change.velocity(w) for change, w in zip(changes, weights, strict=True)), measures
        )
        scale = self.atol + self.rtol * sizes
        size, speed = jnp.max(sizes / scale), jnp.max(speeds / scale)
        return jnp.where(speed > 0, 0.01 * size / speed, 1e-3)

    def step(
        self,
        right_hand_side: RightHandSide,
        measures: dynamics.Measures,
        t: Array,
        t_next: Array,
        weights: dynamics.Kernels,
        state: Truncation,
    ) -> Step:
        h = t_next - t
        solution, error = (jnp.asarray(b, h.dtype) for b in tableau(self.solver)[2:4])
        sizes = self.error_scale(weights, measures)
        floor = 10 * jnp.finfo(h.dtype).eps * sizes
        tolerance = jnp.maximum(CUT * (self.atol + self.rtol * sizes), floor)[1:-1]
        stages = self._stages(right_hand_side, measures, t, h, weights, CUT * tolerance)
        kernels, scales = stages.kernels(h * solution), stages.scales(h * error)
        cut = [
            compressed(w, p, q, tol, len(old.s), of_error)
            for w, p, q, tol, old, of_error in zip(
                kernels, measures[:-1], measures[1:], tolerance, weights[1:-1], scales, strict=True
            )
        ]
        moved = stages.ends(h * solution)
        ends = [jnp.tensordot(h * error, k, 1) for k in stages.end_speeds]
        outside = dynamics.layer_norms((ends[0], ends[1]), (measures[0], measures[-1]))
        errors = jnp.stack([outside[0], *(c.second_norm for c in cut), outside[1]])
        rank = jnp.stack([c.needed for c in cut]).astype(jnp.int32)
        fits = jnp.all(rank <= jnp.asarray([len(w.s) for w in weights[1:-1]]))
        fits &= jnp.all(stages.rows <= jnp.asarray(self.rows))
        discarded = jnp.stack([c.discarded for c in cut]) + h * (jnp.abs(solution) @ stages.lost)
        truncation = Truncation(state.discarded + discarded, rank, stages.rows, stages, h)
        return Step((moved[0], *(c.kernel for c in cut), moved[1]), errors, truncation, fits)

    def _stages(
        self,
        right_hand_side: RightHandSide,
        measures: dynamics.Measures,
        t: Array,
        h: Array,
        weights: dynamics.Kernels,
        tolerance: Float[Array, "layers"],
    ) -> Stages:
        """All stages; one program for them, run over rows of the tableau."""
        matrix, nodes = (jnp.asarray(a, h.dtype) for a in tableau(self.solver)[:2])
        start = self._no_stages(right_hand_side, weights)

        def stage(so_far: Stages, at: tuple[Array, Array, Array]) -> tuple[Stages, None]:
            j, row, node = at
            first, last = so_far.ends(h * row)
            changes = right_hand_side(t + h * node, (first, *so_far.kernels(h * row), last))
            thin = [
                thinned(change.f, change.g, p, q, tol / h, k)
                for change, p, q, tol, k in zip(
                    changes[1:-1], measures[:-1], measures[1:], tolerance, start.room, strict=True
                )
            ]
            return so_far.with_stage(j, h * row, changes, thin), None

        return jax.lax.scan(stage, start, (jnp.arange(len(nodes)), matrix, nodes))[0]

    def between(
        self, weights: dynamics.Kernels, state: Truncation, share: Float[Array, ""]
    ) -> dynamics.Kernels:
        """Kept as the weights at the step's start and the stages' velocities."""
        coefficients = state.length * between(self.solver, share)
        first, last = state.stages.ends(coefficients)
        return first, *state.stages.kernels(coefficients), last


def more_room(
    sizes: Sequence[int],
    needed: Sequence[int] | np.ndarray,
    network: Network,
    ranks: Int[Array, "layers"],
) -> tuple[tuple[int, ...], Network]:
    """A stepper's sizes and a network's middle layers, grown to what was needed, all together."""
    first, *middle, last = network.weights
    have = [*sizes, *(len(w.s) for w in middle)]
    rows = rows_together(have, [*needed, *np.asarray(ranks)])
    kernels = [w.with_room(k) for w, k in zip(middle, rows[len(sizes) :], strict=True)]
    return rows[: len(sizes)], network.with_weights((first, *kernels, last))


def factored_start(
    network: Network,
    solver: Any,
    rtol: Float[Array, ""],
    atol: Float[Array, ""],
    data: Samples,
) -> tuple[FactoredRungeKutta, Network]:
    """The stepper for factored kernels, and the network with rows for the rank to grow into."""
    tableau(solver)
    network = network_with_room(network_as_factors(network))
    rows = tuple(min(ROWS, len(data.x)) for _ in network.weights[1:-1])
    return FactoredRungeKutta(solver, rtol, atol, rows), network

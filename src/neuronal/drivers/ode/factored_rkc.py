r"""The Runge-Kutta-Chebyshev method on factored weights: a recursion of sums, as in `factored_sums`."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ... import dynamics
from ...distributions import Samples
from ...motion.change import Change
from ...network import Network
from .chebyshev import coefficients
from .factored import CUT, ROWS, FactoredRungeKutta, more_room
from .factored_sums import Direction, Sums
from .rkc import PERIOD, RKC, choose_stages, recursion
from .spectrum import Spectrum
from .stabilised import AbstractStabilised, Known, hermite, since_after
from .stepper import RightHandSide, Step
from .stiffness import first_direction, spectral_radius

DIRECTION_ROWS = 8
"""Rows of each half of a direction of the power method."""


class Cuts(NamedTuple):
    """What was cut off, per middle layer; as `factored.Truncation`.

    Attributes:
        discarded: norms of what accepted steps cut off, summed.
        rank, rows: what the last step tried needed, of the weights and of a velocity.
    """

    discarded: Float[Array, "layers"]
    rank: Int[Array, "layers"]
    rows: Int[Array, "layers"]


class FactoredState(NamedTuple):
    """What the stepper carries from step to step; counts are those of `rkc.ChebyshevState`.

    Attributes:
        truncation: what was cut off, and what the last step tried needed.
        distance_rank: likewise, of distances.
        spectrum: as last estimated; its products are those of all estimates.
        start, first, last, length: weights at the last step's start, the velocity at either end, and its
            length: what the interpolant takes besides its end.
    """

    truncation: Cuts
    distance_rank: Int[Array, "layers"]
    spectrum: Spectrum
    since: Int[Array, ""]
    velocities: Int[Array, ""]
    stages: Int[Array, ""]
    most_stages: Int[Array, ""]
    start: dynamics.Kernels
    first: Direction
    last: Direction
    length: Float[Array, ""]


class FactoredRKC(AbstractStabilised):
    """`neuronal.RKC` on weights whose middle layers are `Factored`.

    Attributes:
        known: of the spectral radius, at the start.
        rtol, atol: of a step.
        rows, ranks: of a velocity and of a stage's distance from the step's start, per middle layer.
    """

    solver: RKC
    known: Known
    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    rows: tuple[int, ...] = eqx.field(static=True)
    ranks: tuple[int, ...] = eqx.field(static=True)

    def start(
        self, right_hand_side: RightHandSide, t: Array, t_next: Array, weights: dynamics.Kernels
    ) -> FactoredState:
        zeros = jnp.zeros(len(self.rows), jnp.int32)
        zero = jnp.zeros((), jnp.int32)
        truncation = Cuts(jnp.zeros(len(self.rows), weights[0].dtype), zeros, zeros)
        changes = right_hand_side(t, weights)
        direction = first_direction(changes, DIRECTION_ROWS)
        spectrum = Spectrum(self.known.radius, direction, zero)
        no = jnp.zeros_like(truncation.discarded)
        sums = Sums(weights, right_hand_side.motion.measures, no, no, self.rows, self.ranks)
        still = sums.speed(changes, sums.nothing())
        return FactoredState(
            truncation, zeros, spectrum, self.known.since, zero + 1, zero, zero,
            weights, still, still, jnp.zeros((), no.dtype),
        )  # fmt: skip

    def error_scale(
        self, weights: dynamics.Kernels, measures: dynamics.Measures
    ) -> Float[Array, "L"]:
        return dynamics.layer_norms(weights, measures)

    first_step = FactoredRungeKutta.first_step

    def carry_over(
        self, new: FactoredState, old: FactoredState, keep: Bool[Array, ""]
    ) -> FactoredState:
        discarded = jnp.where(keep, new.truncation.discarded, old.truncation.discarded)
        within = lambda state: (state.start, state.first, state.last, state.length)
        start, first, last, length = jax.tree.map(
            lambda a, b: jnp.where(keep, a, b), within(new), within(old)
        )
        return new._replace(
            truncation=new.truncation._replace(discarded=discarded),
            since=since_after(new.since, old.since, keep),
            start=start,
            first=first,
            last=last,
            length=length,
        )

    def between(
        self, weights: dynamics.Kernels, state: FactoredState, share: Float[Array, ""]
    ) -> dynamics.Kernels:
        """By the cubic Hermite interpolant, in the rows of all that it is made of."""
        a, b, c, d = hermite(share)
        c, d = c * state.length, d * state.length
        first, last = state.first, state.last
        middle = [
            w.scaled(a + c * p + d * q).plus(end, b).plus(f, c).plus(g, d)
            for w, end, f, g, p, q in zip(
                state.start[1:-1], weights[1:-1], first.middle, last.middle,
                first.share, last.share, strict=True,
            )
        ]  # fmt: skip
        outer = lambda i, f, g: a * state.start[i] + b * weights[i] + c * f + d * g
        return (outer(0, first.first, last.first), *middle, outer(-1, first.last, last.last))

    @property
    def room(self) -> tuple[int, ...]:
        return (*self.rows, *self.ranks)

    def with_room(self, room: tuple[int, ...]) -> FactoredRKC:
        half = len(room) // 2
        rows, ranks = room[:half], room[half:]
        return FactoredRKC(self.solver, self.known, self.rtol, self.atol, rows, ranks)

    def with_more_room(self, network: Network, state: FactoredState) -> tuple[FactoredRKC, Network]:
        needed = np.concatenate([state.truncation.rows, state.distance_rank])
        sizes, network = more_room(self.room, needed, network, state.truncation.rank)
        return self.with_room(sizes).with_pace(self.pace(state)), network

    def discarded(self, state: FactoredState) -> Float[np.ndarray, "layers"]:
        return np.asarray(state.truncation.discarded)

    def step(
        self,
        right_hand_side: RightHandSide,
        measures: dynamics.Measures,
        t: Array,
        t_next: Array,
        weights: dynamics.Kernels,
        state: FactoredState,
    ) -> Step:
        h = t_next - t
        changes = right_hand_side(t, weights)
        spectrum, since = self._spectrum(right_hand_side, t, weights, measures, changes, state)
        method, stable = choose_stages(coefficients(self.solver.most_stages), h * spectrum.radius)
        sizes = self.error_scale(weights, measures)
        eps = jnp.finfo(h.dtype).eps
        tolerance = jnp.maximum(CUT * (self.atol + self.rtol * sizes), 10 * eps * sizes)[1:-1]
        # An error of a stage grows by up to s to the end: all together stay within a share CUT.
        of_stages = jnp.maximum(CUT * tolerance / method.stages, eps * sizes[1:-1])
        sums = Sums(weights, measures, CUT * tolerance / h, of_stages, self.rows, self.ranks)
        nothing = sums.nothing()
        first = sums.speed(changes, nothing)
        speed = lambda time, d: sums.speed(right_hand_side(time, sums.moved(d)), d)
        distance = recursion(method, sums.combined, speed, nothing, first, t, h)
        last = speed(t_next, distance)
        kernels, errors, discarded, rank = sums.ended(distance, first, last, h, tolerance)
        rows = jnp.maximum(distance.rows, last.rows)
        fits = jnp.all(rank <= jnp.asarray([len(w.s) for w in weights[1:-1]]))
        fits &= jnp.all(rows <= jnp.asarray(self.rows))
        fits &= jnp.all(distance.rank <= jnp.asarray(self.ranks))
        truncation = Cuts(state.truncation.discarded + discarded, rank, rows)
        done = FactoredState(
            truncation,
            distance.rank,
            spectrum,
            since + method.stages + 1,
            state.velocities + method.stages + 1,
            method.stages,
            jnp.maximum(state.most_stages, method.stages),
            weights,
            first,
            last,
            h,
        )
        return Step(kernels, jnp.where(stable, errors, jnp.inf), done, fits)

    def _spectrum(
        self,
        right_hand_side: RightHandSide,
        t: Array,
        weights: dynamics.Kernels,
        measures: dynamics.Measures,
        changes: list[Change],
        state: FactoredState,
    ) -> tuple[Spectrum, Int[Array, ""]]:
        """That of the state, or one estimated anew; and the velocities since then."""

        def estimated() -> tuple[Spectrum, Int[Array, ""]]:
            found = spectral_radius(
                right_hand_side, t, weights, measures, changes,
                state.spectrum.direction, DIRECTION_ROWS,
            )  # fmt: skip
            products = state.spectrum.products + found.products
            return found._replace(products=products), jnp.zeros_like(state.since)

        return lax.cond(state.since >= PERIOD, estimated, lambda: (state.spectrum, state.since))


def factored_rkc(
    network: Network,
    solver: RKC,
    rtol: Float[Array, ""],
    atol: Float[Array, ""],
    data: Samples,
) -> FactoredRKC:
    """The stepper for a network of factored kernels."""
    rows = tuple(min(ROWS, len(data.x)) for _ in network.weights[1:-1])
    ranks = tuple(2 * k for k in rows)
    known = Known.nothing(network.weights[0].dtype)
    return FactoredRKC(solver, known, rtol, atol, rows, ranks)

"""Steppers of the Runge-Kutta-Chebyshev method: what they share, and the one on matrices."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ... import dynamics
from ..driver import Pace
from .rkc import PERIOD, RKC, ChebyshevState
from .spectrum import Spectrum
from .stepper import AbstractStepper, Dense, RightHandSide, Step, Work, ode_term


class Known(eqx.Module):
    """The spectral radius as a run that is taken up again knows it.

    Attributes:
        radius: 1 / MF time; 0 if it is unknown.
        since: velocities since it was estimated.
    """

    radius: Float[Array, ""]
    since: Int[Array, ""]

    @staticmethod
    def nothing(dtype: jnp.dtype) -> Known:
        """To be estimated at once."""
        return Known(jnp.zeros((), dtype), jnp.asarray(PERIOD, jnp.int32))


class AbstractStabilised(AbstractStepper):
    """A stepper that estimates the spectral radius on its way.

    Attributes:
        known: of it, at the start.
    """

    interpolates: ClassVar[bool] = True
    solver: eqx.AbstractVar[RKC]  # pyright: ignore[reportIncompatibleVariableOverride]
    known: eqx.AbstractVar[Known]

    def pace(self, state: Any) -> Pace:
        return {"radius": state.spectrum.radius, "since": state.since}

    def with_pace(self, pace: Pace) -> Self:
        if "radius" not in pace:
            return self
        dtype = self.known.radius.dtype
        known = Known(jnp.asarray(pace["radius"], dtype), jnp.asarray(pace["since"], jnp.int32))
        return eqx.tree_at(lambda stepper: stepper.known, self, known)

    def work(self, state: Any) -> Work:
        counts = state.velocities, state.spectrum.products, state.most_stages
        return Work(*map(int, counts))


def hermite(share: Float[Array, ""]) -> tuple[Array, Array, Array, Array]:
    """Of the cubic Hermite interpolant: of start, end, and a step times the velocity at either."""
    rest = 1 - share
    return (
        rest**2 * (1 + 2 * share),
        share**2 * (3 - 2 * share),
        share * rest**2,
        -(share**2) * rest,
    )


class StabilisedState(NamedTuple):
    """The method's state, and what the interpolant takes of the last step besides its end.

    Attributes:
        inner: the method's.
        start, first, last: weights at the step's start, and its length times the velocity at either end.
    """

    inner: ChebyshevState
    start: dynamics.Kernels
    first: dynamics.Kernels
    last: dynamics.Kernels

    @property
    def spectrum(self) -> Spectrum:
        """As last estimated."""
        return self.inner.spectrum

    @property
    def since(self) -> Int[Array, ""]:
        """Velocities since then."""
        return self.inner.since

    @property
    def velocities(self) -> Int[Array, ""]:
        """Evaluated so far."""
        return self.inner.velocities

    @property
    def stages(self) -> Int[Array, ""]:
        """Of the last step."""
        return self.inner.stages

    @property
    def most_stages(self) -> Int[Array, ""]:
        """Of any step."""
        return self.inner.most_stages


class Stabilised(Dense, AbstractStabilised):
    """`neuronal.RKC` on weights kept as matrices."""

    solver: RKC  # pyright: ignore[reportIncompatibleVariableOverride]
    known: Known

    def start(
        self, right_hand_side: RightHandSide, t: Array, t_next: Array, weights: dynamics.Kernels
    ) -> StabilisedState:
        state = super().start(right_hand_side, t, t_next, weights)
        spectrum = state.spectrum._replace(radius=self.known.radius)
        state = state._replace(spectrum=spectrum, since=self.known.since)
        return StabilisedState(state, weights, weights, weights)

    def step(
        self,
        right_hand_side: RightHandSide,
        measures: dynamics.Measures,
        t: Array,
        t_next: Array,
        weights: dynamics.Kernels,
        state: StabilisedState,
    ) -> Step:
        after, error, within, inner, _ = self.solver.step(
            ode_term(right_hand_side), t, t_next, weights, None, state.inner, made_jump=False
        )
        ends = (within[name] for name in ("y0", "k0", "k1"))
        return Step(after, error, StabilisedState(inner, *ends), jnp.asarray(True))

    def carry_over(
        self, new: StabilisedState, old: StabilisedState, keep: Bool[Array, ""]
    ) -> StabilisedState:
        """A step refused with a radius from before its start is tried again with one estimated there."""
        choose = lambda a, b: jax.tree.map(lambda x, y: jnp.where(keep, x, y), a, b)
        inner = new.inner._replace(
            velocity=choose(new.inner.velocity, old.inner.velocity),
            since=since_after(new.since, old.since, keep),
        )
        return StabilisedState(inner, *choose(tuple(new[1:]), tuple(old[1:])))

    def between(
        self, weights: dynamics.Kernels, state: StabilisedState, share: Float[Array, ""]
    ) -> dynamics.Kernels:
        """By the cubic Hermite interpolant."""
        a, b, c, d = hermite(share)
        combine = lambda y0, y1, k0, k1: a * y0 + b * y1 + c * k0 + d * k1
        return jax.tree.map(combine, state.start, weights, state.first, state.last)


def since_after(new: Int[Array, ""], old: Int[Array, ""], keep: Bool[Array, ""]) -> Int[Array, ""]:
    """The velocities since the last estimate, which a refused step calls for if it had none."""
    return jnp.where(keep | (old >= PERIOD), new, PERIOD)

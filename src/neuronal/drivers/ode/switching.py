r"""A stepper that changes its method with the stiffness that it measures.

Tsit5's steps of six velocities are stable to $h \rho \approx 3.3$; a step of the Runge-Kutta-Chebyshev
method takes about $\sqrt{1.8\, h \rho}$. So where the radius holds Tsit5's steps back, the other
goes further at the same cost, unless accuracy asks for steps so short that few stages would do.

Steps that stability holds back are refused now and then, a fifth of them, as the control tries longer ones;
only where they are is the radius measured.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ... import dynamics
from ...network import Network
from ..driver import Pace, Work
from .stabilised import AbstractStabilised
from .stepper import AbstractStepper, RightHandSide, Step
from .stiffness import spectral_radius

STIFF = 2.0
r"""$h \rho$ from which Tsit5's steps are held back by stability; its control finds 2.5 to 3.3 there."""
FIRST_CHECK = 16
"""Steps before the radius may first be measured; each time after it, twice as many until `CHECKS`."""
REFUSED = 1 / 8
"""Share of these steps that were refused, from which the radius is measured."""
CHECKS = 128
EASY = 10
r"""Steps in a row with $h \rho$ less than half the stages, after which Tsit5 would go further."""
ENOUGH = 0.1
"""Accuracy of the radius, where it only decides."""


class SwitchingState(NamedTuple):
    """What the stepper carries from step to step.

    Attributes:
        inner: of the method in use.
        tried: steps since the radius was last measured, or found not worth it.
        refused: how many of them were.
        period: after how many that is asked next.
        radius: as last measured; 0 before.
        products: Jacobian-vector products taken for it since `start`.
        easy: steps in a row that were not stiff.
        step: the length of the last one tried.
        due: whether the radius is to be measured before the next.
        change: whether the other method is to be taken.
    """

    inner: Any
    tried: Int[Array, ""]
    refused: Int[Array, ""]
    period: Int[Array, ""]
    radius: Float[Array, ""]
    products: Int[Array, ""]
    easy: Int[Array, ""]
    step: Float[Array, ""]
    due: Bool[Array, ""]
    change: Bool[Array, ""]


class Counts(eqx.Module):
    """What a run that is taken up again knows of `SwitchingState`."""

    tried: Int[Array, ""]
    refused: Int[Array, ""]
    period: Int[Array, ""]
    easy: Int[Array, ""]

    @staticmethod
    def none() -> Counts:
        """Nothing tried yet."""
        count = lambda n: jnp.asarray(n, jnp.int32)
        return Counts(count(0), count(0), count(FIRST_CHECK), count(0))


class Switching(AbstractStepper):
    """The first of two steppers until the run is stiff, and the second while it is.

    Attributes:
        solver: of the method in use.
        explicit: for where nothing is stiff.
        stabilised: for where it is.
        stiff: which is in use.
        counts: what was known at the start.
    """

    solver: diffrax.AbstractSolver
    explicit: AbstractStepper
    stabilised: AbstractStabilised
    stiff: bool = eqx.field(static=True)
    counts: Counts

    @staticmethod
    def of(
        explicit: AbstractStepper,
        stabilised: AbstractStabilised,
        stiff: bool = False,
        counts: Counts | None = None,
    ) -> Switching:
        """Of these steppers, the second in use if the run is stiff."""
        inner = stabilised if stiff else explicit
        return Switching(inner.solver, explicit, stabilised, stiff, counts or Counts.none())

    @property
    def inner(self) -> AbstractStepper:
        """The stepper in use."""
        return self.stabilised if self.stiff else self.explicit

    def start(
        self, right_hand_side: RightHandSide, t: Array, t_next: Array, weights: dynamics.Kernels
    ) -> SwitchingState:
        inner = self.inner.start(right_hand_side, t, t_next, weights)
        zero, no = jnp.zeros((), weights[0].dtype), jnp.asarray(False)
        known = self.counts
        return SwitchingState(
            inner, known.tried, known.refused, known.period, zero, jnp.zeros((), jnp.int32), known.easy,
            zero, no, no,
        )  # fmt: skip

    def error_scale(self, weights: dynamics.Kernels, measures: dynamics.Measures) -> Any:
        return self.inner.error_scale(weights, measures)

    def first_step(
        self,
        right_hand_side: RightHandSide,
        weights: dynamics.Kernels,
        measures: dynamics.Measures,
        controller: diffrax.AbstractStepSizeController,
    ) -> Float[Array, ""]:
        return self.inner.first_step(right_hand_side, weights, measures, controller)

    def step(
        self,
        right_hand_side: RightHandSide,
        measures: dynamics.Measures,
        t: Array,
        t_next: Array,
        weights: dynamics.Kernels,
        state: SwitchingState,
    ) -> Step:
        tried = self.inner.step(right_hand_side, measures, t, t_next, weights, state.inner)
        h = t_next - t
        if self.stiff:
            inner: Any = tried.state
            few = h * inner.spectrum.radius < inner.stages / 2
            easy = jnp.where(few, state.easy + 1, 0)
            after = state._replace(easy=easy, change=state.change | (easy >= EASY))
        else:
            over = state.tried >= state.period
            many = state.refused >= REFUSED * state.period
            begin = lambda count: jnp.where(over & ~many, 0, count)
            after = state._replace(
                tried=begin(state.tried) + 1,
                refused=begin(state.refused),
                step=h,
                due=over & many,
            )
        stays = ~(after.change | after.due)
        return tried._replace(state=after._replace(inner=tried.state), fits=tried.fits & stays)

    def looks(self, state: SwitchingState) -> bool:
        return bool(state.due)

    def looked(
        self,
        right_hand_side: RightHandSide,
        t: Float[Array, ""],
        weights: dynamics.Kernels,
        measures: dynamics.Measures,
        state: SwitchingState,
    ) -> SwitchingState:
        """With the radius measured, and what follows from it."""
        changes = right_hand_side(t, weights)
        found = spectral_radius(right_hand_side, t, weights, measures, changes, enough=ENOUGH)
        return state._replace(
            tried=jnp.zeros_like(state.tried),
            refused=jnp.zeros_like(state.refused),
            period=jnp.minimum(2 * state.period, CHECKS),
            radius=found.radius,
            products=state.products + found.products,
            change=state.step * found.radius > STIFF,
        )

    def carry_over(
        self, new: SwitchingState, old: SwitchingState, keep: Bool[Array, ""]
    ) -> SwitchingState:
        inner = self.inner.carry_over(new.inner, old.inner, keep)
        return new._replace(inner=inner, refused=new.refused + ~keep)

    @property
    def interpolates(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the method in use does."""
        return self.inner.interpolates

    def between(
        self, weights: dynamics.Kernels, state: SwitchingState, share: Float[Array, ""]
    ) -> dynamics.Kernels:
        return self.inner.between(weights, state.inner, share)

    @property
    def room(self) -> tuple[int, ...]:
        return (int(self.stiff), *self.inner.room)

    def with_room(self, room: tuple[int, ...]) -> Switching:
        stiff, *inner = room
        return self._with_inner(bool(stiff), lambda stepper: stepper.with_room(tuple(inner)))

    def with_more_room(self, network: Network, state: SwitchingState) -> tuple[Switching, Network]:
        if not bool(state.due | state.change):  # room alone was short: the step was not refused
            state = state._replace(refused=state.refused - 1)
        stepper = self.with_pace(self.pace(state))
        if bool(state.due) and not bool(state.change):
            return stepper, network
        if not bool(state.change):
            inner, network = self.inner.with_more_room(network, state.inner)
            return stepper._with_inner(self.stiff, lambda _: inner), network
        return stepper._with_inner(not self.stiff, lambda other: other), network

    def _with_inner(self, stiff: bool, changed: Any) -> Switching:
        """With another method in use, or the same one changed."""
        explicit, stabilised = self.explicit, self.stabilised
        if stiff:
            stabilised = changed(stabilised)
        else:
            explicit = changed(explicit)
        return Switching.of(explicit, stabilised, stiff, self.counts)

    def change(self, state: SwitchingState) -> str | None:
        if not bool(state.change):
            return None
        other = self.explicit if self.stiff else self.stabilised
        name = type(other.solver).__name__
        if self.stiff:
            return f"{name}, as stability held no step back,"
        held = f"stability held steps back, spectral radius {float(state.radius):.3g}"
        return f"{name}, as {held},"

    def pace(self, state: SwitchingState) -> Pace:
        easy = jnp.where(state.change, 0, state.easy)
        counts = {
            "tried": state.tried,
            "refused": state.refused,
            "period": state.period,
            "easy": easy,
        }
        return {**counts, **self.inner.pace(state.inner)}

    def with_pace(self, pace: Pace) -> Switching:
        count = lambda name: jnp.asarray(pace[name], jnp.int32)
        inner = self.inner.with_pace(pace)
        found = self._with_inner(self.stiff, lambda _: inner)
        counts = Counts(count("tried"), count("refused"), count("period"), count("easy"))
        return Switching.of(found.explicit, found.stabilised, found.stiff, counts)

    def work(self, state: SwitchingState) -> Work:
        return self.inner.work(state.inner) + Work(0, int(state.products), 0)

    def discarded(self, state: SwitchingState) -> Float[np.ndarray, "layers"] | float:
        return self.inner.discarded(state.inner)

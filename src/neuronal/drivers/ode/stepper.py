r"""One step of the MF ODE: what the integration asks of a stepper, and Diffrax's solvers on matrices."""

from __future__ import annotations

import abc
from typing import Any, ClassVar, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ... import dynamics
from ...distributions import Samples
from ...motion.change import Change
from ...motion.motion import Motion
from ...network import Network
from ..driver import Pace, Work


class RightHandSide(eqx.Module):
    """The motion in time since `since`, which keeps small steps apart in single precision.

    Attributes:
        motion: of the ensemble.
        data: the samples of $E_Z$.
        since: MF time at which this time begins.
    """

    motion: Motion
    data: Samples
    since: Float[Array, ""]

    def __call__(self, t: Float[Array, ""], weights: dynamics.Kernels) -> list[Change]:
        now = (self.since + t).astype(weights[0].dtype)
        return self.motion.changes(now, weights, self.data)[0]

    def flow(self, t: Float[Array, ""], phase: dynamics.Kernels) -> dynamics.Kernels:
        """The time derivative of all that moves: of weights, and behind them what momentum carries."""
        now = (self.since + t).astype(phase[0].dtype)
        return self.motion.flow(now, phase, self.data)


class Step(NamedTuple):
    """A step tried.

    Attributes:
        weights: where it leads.
        error: its error, in the form of `AbstractStepper.error_scale`.
        state: the stepper's, after it.
        fits: whether the weights had room for it, and the stepper is still the one to take;
            if not, `AbstractStepper.looked`, where it asks for that, and `with_more_room` give others.
    """

    weights: dynamics.Kernels
    error: Any
    state: Any
    fits: Bool[Array, ""]


class AbstractStepper(eqx.Module):
    """A method that takes steps of the MF ODE on weights kept in some way.

    Weights are all that moves, but with momentum: then velocities follow them in the same tuple, and
    methods on matrices alone take it.

    Attributes:
        solver: the Diffrax solver whose method it is.
    """

    solver: eqx.AbstractVar[diffrax.AbstractSolver]

    interpolates: ClassVar[bool] = False
    """Whether `between` knows the weights within a step; if not, steps end at all times recorded."""

    @abc.abstractmethod
    def start(
        self, right_hand_side: RightHandSide, t: Array, t_next: Array, weights: dynamics.Kernels
    ) -> Any:
        """Its state before the first step, from t to t_next."""

    @abc.abstractmethod
    def error_scale(self, weights: dynamics.Kernels, measures: dynamics.Measures) -> Any:
        """What the step-size controller compares errors with: the weights, or each layer's norm."""

    @abc.abstractmethod
    def step(
        self,
        right_hand_side: RightHandSide,
        measures: dynamics.Measures,
        t: Array,
        t_next: Array,
        weights: dynamics.Kernels,
        state: Any,
    ) -> Step:
        """A step from t to t_next."""

    @abc.abstractmethod
    def carry_over(self, new: Any, old: Any, keep: Bool[Array, ""]) -> Any:
        """The state after a step that was kept or not."""

    @abc.abstractmethod
    def first_step(
        self,
        right_hand_side: RightHandSide,
        weights: dynamics.Kernels,
        measures: dynamics.Measures,
        controller: diffrax.AbstractStepSizeController,
    ) -> Float[Array, ""]:
        """The length of the first step to try, in MF time."""

    def between(
        self, weights: dynamics.Kernels, state: Any, share: Float[Array, ""]
    ) -> dynamics.Kernels:
        """The weights at a share of the last step, which was kept: `weights` are those at its end."""
        raise NotImplementedError

    @property
    def room(self) -> tuple[int, ...]:
        """Sizes that grow as a run needs them, kept with a run that is to be taken up again."""
        return ()

    def with_room(self, room: tuple[int, ...]) -> AbstractStepper:
        """The stepper with such sizes."""
        return self

    def with_more_room(self, network: Network, state: Any) -> tuple[AbstractStepper, Network]:
        """The stepper and the network with room for what the last step was found to need."""
        return self, network

    def looks(self, state: Any) -> bool:
        """Whether the last step stopped for `looked`."""
        return False

    def looked(
        self,
        right_hand_side: RightHandSide,
        t: Float[Array, ""],
        weights: dynamics.Kernels,
        measures: dynamics.Measures,
        state: Any,
    ) -> Any:
        """The state with what is measured now and then, by a program of its own that few runs need."""
        return state

    def change(self, state: Any) -> str | None:
        """In words, to which method `with_more_room` changes and why, if it does."""
        return None

    def pace(self, state: Any) -> Pace:
        """What else it found on its way and uses again when the run is taken up from here."""
        return {}

    def with_pace(self, pace: Pace) -> AbstractStepper:
        """The stepper that goes on with it; entries of others are passed over."""
        return self

    def work(self, state: Any) -> Work:
        """What it took since `start`."""
        return Work()

    def discarded(self, state: Any) -> Float[np.ndarray, "layers"] | float:
        """What accepted steps cut off so far, per middle layer; nothing, if it cuts nothing."""
        return 0.0


class Dense(AbstractStepper):
    """Any Diffrax solver on weights kept as matrices."""

    solver: diffrax.AbstractSolver

    def start(
        self, right_hand_side: RightHandSide, t: Array, t_next: Array, weights: dynamics.Kernels
    ) -> Any:
        return self.solver.init(ode_term(right_hand_side), t, t_next, weights, None)

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
        state: Any,
    ) -> Step:
        candidate, error, _, state, _ = self.solver.step(
            ode_term(right_hand_side), t, t_next, weights, None, state, made_jump=False
        )
        return Step(candidate, error, state, jnp.asarray(True))

    def carry_over(self, new: Any, old: Any, keep: Bool[Array, ""]) -> Any:
        return jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)

    def first_step(
        self,
        right_hand_side: RightHandSide,
        weights: dynamics.Kernels,
        measures: dynamics.Measures,
        controller: diffrax.AbstractStepSizeController,
    ) -> Float[Array, ""]:
        """Diffrax's choice, that of Hairer, Norsett and Wanner."""
        zero, one = jnp.zeros((), weights[0].dtype), jnp.ones((), weights[0].dtype)
        term = ode_term(right_hand_side)
        first, _ = controller.init(
            term, zero, one, weights, None, None, self.solver.func, self.solver.error_order(term)
        )
        return jnp.asarray(first - zero)


def ode_term(right_hand_side: RightHandSide) -> diffrax.ODETerm:
    """The velocity of matrices, as Diffrax takes it."""

    def velocity(t: Array, phase: dynamics.Kernels, args: Any) -> dynamics.Kernels:
        return right_hand_side.flow(t, phase)

    return diffrax.ODETerm(velocity)  # pyright: ignore[reportArgumentType]

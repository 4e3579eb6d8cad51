r"""The MF ODE integrated: steps, their size, and what to do when factored weights need room."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from ... import dynamics
from ...distributions import Samples
from ...errors import InvalidInput
from ...kernels.orthogonal import one_lapack_thread
from ...motion.motion import Motion
from ...network import Network
from ...problem import Problem
from ...programs import lightly
from ..driver import Pace, Segment, State
from .path import StepPath
from .stepper import AbstractStepper, RightHandSide, ode_term

_SMALL = 2**18
"""Numbers in the weights of a layer up to which one waits for compilation more than for the run."""
CUT = 0.1
"""Share of a step's tolerance that the interpolation of predictions between records may use."""


class Status(enum.IntEnum):
    """How an integration ended."""

    DONE = 0
    """It reached its end."""
    DIVERGED = 1
    """The state left the finite numbers."""
    EXHAUSTED = 2
    """It took as many steps as it may."""
    FULL = 3
    """A step found no room for the rank that it needs."""


class _Reached(NamedTuple):
    """Where `_integrate` came to.

    Attributes:
        time: since its start; `before` that at which the last step kept began.
        dt: the next step to try.
        phase, stepper_state: at that time.
        controller_state: of the control of steps.
        accepted, rejected: steps so far.
        status: a `Status`.
    """

    time: Float[Array, ""]
    before: Float[Array, ""]
    dt: Float[Array, ""]
    phase: dynamics.Kernels
    stepper_state: Any
    controller_state: Any
    accepted: Int[Array, ""]
    rejected: Int[Array, ""]
    status: Int[Array, ""]


class Control(eqx.Module):
    """How steps are chosen.

    Attributes:
        rtol, atol: tolerances of a step's error in the weights.
        step: a constant step instead, in MF time.
        max_steps: from one record to the next.
    """

    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    step: Float[Array, ""] | None
    max_steps: int

    def controller(self, motion: Motion) -> diffrax.AbstractStepSizeController:
        """Diffrax's control of steps, with the error norm of $L^2(P)$."""
        if self.step is not None:
            return diffrax.ConstantStepSize()

        def norm(error: dynamics.Kernels | Array) -> Array:
            """Over layers the worst; a stepper may have taken each layer's norm itself."""
            norms = motion.norms(error) if isinstance(error, tuple) else error
            return jnp.max(norms)

        return diffrax.PIDController(rtol=self.rtol, atol=self.atol, norm=norm)


@dataclass(frozen=True)
class Integrator:
    """`Driver.advance` for the ODE; its pace is the next step and the stepper's room as it has grown.

    Attributes:
        network: whose neurons move.
        data: the samples of $E_Z$.
        stepper: as it is at first.
        over: the devices, if there are several.
        room: of the stepper for its first step, where that is known; see `AbstractStepper.room`.
    """

    network: Network
    problem: Problem
    data: Samples
    control: Control
    stepper: AbstractStepper
    over: Mesh | None = None
    room: tuple[int, ...] = ()

    def __call__(
        self, state: State, pace: Pace | None, t0: float, t1: float, end: float | None = None
    ) -> Segment:
        """See `Driver`: the state is that after the step in which t1 lies.

        Raises:
            InvalidInput: tolerances that no step meets.
        """
        at = state.network(self.network)
        motion = self.problem.motion(at)
        rest = state.phase(motion)[at.depth :]
        if pace is None:
            stepper = self.stepper
            since = jnp.asarray(t0)
            dt = _initial_step(at, rest, self.problem, self.data, stepper, self.control, since)
            stepper = stepper.with_room(self.room) if self.room else stepper
        else:
            room = tuple(np.asarray(pace["room"]).tolist())
            stepper = self.stepper.with_room(room).with_pace(pace)
            dt = jnp.asarray(pace["dt"])
        if end is None or not stepper.interpolates:
            end = t1
        segment, dtype = Segment(state, None, t0, True), at.weights[0].dtype
        while True:
            now = segment.time
            # In the precision of the steps, so that their end is exactly the one told.
            spans = [jnp.asarray(t - now, dtype) for t in (t1, end)]
            with one_lapack_thread():
                reached = _integrate(
                    at,
                    rest,
                    self.problem,
                    self.data,
                    stepper,
                    self.control,
                    dt,
                    jnp.asarray(now),
                    *spans,
                )
                reached.status.block_until_ready()
            segment.time = now + float(reached.time)
            segment.steps += int(reached.accepted)
            segment.rejected += int(reached.rejected)
            phase, dt = motion.kept(at.weights, reached.phase), reached.dt
            state = State.of_phase(phase, motion.memory)
            at, rest = state.network(at), phase[at.depth :]
            found = reached.stepper_state
            full = int(reached.status) == Status.FULL
            if full and stepper.looks(found):
                found = _looked(
                    at, rest, self.problem, self.data, stepper, jnp.asarray(segment.time), found
                )
            segment.discarded = segment.discarded + stepper.discarded(found)
            segment.work += stepper.work(found)
            if not full:
                break
            change = stepper.change(found)
            segment.solver += (f"{change} at t = {segment.time:.4g}",) if change else ()
            stepper, at = stepper.with_more_room(at, found)
        if int(reached.status) == Status.EXHAUSTED:
            raise InvalidInput(
                f"rtol, atol: not reached in {self.control.max_steps} steps after t = {t0:g}; loosen the "
                f"tolerances (float32 carries about 1e-6 relative) or raise max_steps"
            )
        segment.state = state
        kept = stepper.pace(reached.stepper_state)
        segment.pace = {"dt": dt, "room": np.asarray(stepper.room, int), **kept}
        segment.finite = int(reached.status) == Status.DONE
        if segment.finite:
            segment.time = end if bool(reached.time >= spans[1]) else max(segment.time, t1)
            if end > t1:
                segment.path = self._path(
                    now + float(reached.before),
                    segment.time,
                    at,
                    phase,
                    motion.memory,
                    reached,
                    stepper,
                )
        return segment

    def _path(
        self,
        since: float,
        until: float,
        at: Network,
        phase: dynamics.Kernels,
        names: tuple[str, ...],
        reached: _Reached,
        stepper: AbstractStepper,
    ) -> StepPath:
        tolerance = CUT * float(self.control.rtol), CUT * float(self.control.atol)
        return StepPath(
            since,
            until,
            at,
            phase,
            names,
            stepper,
            reached.stepper_state,
            self.problem.loss,
            self.data,
            tolerance,
            self.over,
        )


def _is_small(network: Network, *_: Any) -> bool:
    return max(leaf.size for leaf in jax.tree.leaves(network.weights)) <= _SMALL


@lightly(_is_small)
def _initial_step(
    network: Network,
    rest: dynamics.Kernels,
    problem: Problem,
    data: Samples,
    stepper: AbstractStepper,
    control: Control,
    since: Float[Array, ""],
) -> Float[Array, ""]:
    if control.step is not None:
        return control.step
    motion = problem.motion(network)
    return stepper.first_step(
        RightHandSide(motion, data, since),
        (*network.weights, *rest),
        network.measures,
        control.controller(motion),
    )


@lightly(_is_small)
def _looked(
    network: Network,
    rest: dynamics.Kernels,
    problem: Problem,
    data: Samples,
    stepper: AbstractStepper,
    now: Float[Array, ""],
    state: Any,
) -> Any:
    right_hand_side = RightHandSide(problem.motion(network), data, now)
    phase = (*network.weights, *rest)
    return stepper.looked(right_hand_side, jnp.zeros_like(now), phase, network.measures, state)


@lightly(_is_small)
def _integrate(
    network: Network,
    rest: dynamics.Kernels,
    problem: Problem,
    data: Samples,
    stepper: AbstractStepper,
    control: Control,
    dt: Float[Array, ""],
    since: Float[Array, ""],
    least: Float[Array, ""],
    most: Float[Array, ""],
) -> _Reached:
    """From `since` to the first step's end after a time `least`, at a time `most` at the latest.

    Args:
        rest: what moves besides the network's weights, behind them in a phase.
    """
    measures, phase = network.measures, (*network.weights, *rest)
    dtype = network.weights[0].dtype
    motion = problem.motion(network)
    right_hand_side = RightHandSide(motion, data, since)
    term = ode_term(right_hand_side)
    controller = control.controller(motion)
    least, end, start = least.astype(dtype), most.astype(dtype), jnp.zeros((), dtype)
    order: Any = stepper.solver.error_order(term)
    # A step that would leave a sliver before the end is stretched over it.
    clip = lambda t, h: jnp.where(t + h > end - 1e-3 * h, end, t + h)
    scale = stepper.error_scale(phase, measures)
    _, controller_state = controller.init(
        term, start, end, scale, dt, None, stepper.solver.func, order
    )
    stepper_state = stepper.start(right_hand_side, start, clip(start, dt), phase)

    def body(now: _Reached) -> _Reached:
        t, dt = now.time, now.dt
        t_next = clip(t, dt)
        tried = stepper.step(right_hand_side, measures, t, t_next, now.phase, now.stepper_state)
        before, after = (stepper.error_scale(w, measures) for w in (now.phase, tried.weights))
        keep, t_new, t_after, _, controller_state, _ = controller.adapt_step_size(
            t, t_next, before, after, None, tried.error, order, now.controller_state
        )
        keep = jnp.asarray(keep)
        proposed = t_after - t_new
        if control.step is not None:
            proposed = dt
        else:  # the step cut short at the end of the interval is no measure of what is possible
            proposed = jnp.where(keep & (t_next - t < dt), jnp.maximum(proposed, dt), proposed)
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(tried.weights[i])) for i in (0, -1)]))
        # An adaptive controller rejects what is not finite; a constant step cannot.
        status = jnp.where(keep & ~finite, Status.DIVERGED, Status.DONE)
        # A step that found no room is not taken, whatever its error.
        full = keep & finite & ~tried.fits
        status = jnp.where(full, Status.FULL, status).astype(jnp.int32)
        keep = keep & ~full
        choose = lambda new, old: jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)
        return _Reached(
            jnp.where(keep, t_next, t),
            jnp.where(keep, t, now.before),
            jnp.where(full, dt, proposed),
            choose(tried.weights, now.phase),
            stepper.carry_over(tried.state, now.stepper_state, keep),
            jax.tree.map(
                lambda a, b: jnp.where(full, b, a), controller_state, now.controller_state
            ),
            now.accepted + keep,
            now.rejected + (~keep & ~full),
            status,
        )

    def unfinished(now: _Reached) -> Array:
        within = now.accepted + now.rejected < control.max_steps
        return (now.time < least) & (now.status == Status.DONE) & within

    zero = jnp.zeros((), jnp.int32)
    reached = jax.lax.while_loop(
        unfinished,
        body,
        _Reached(start, start, dt, phase, stepper_state, controller_state, zero, zero, zero),
    )
    short = (reached.status == Status.DONE) & (reached.time < least)
    return reached._replace(status=jnp.where(short, Status.EXHAUSTED, reached.status))

r"""The MF ODE integrated: steps, their size, and what to do when factored weights need room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ... import dynamics
from ...distributions import Samples
from ...errors import InvalidInput
from ...kernels.orthogonal import one_lapack_thread
from ...network import Network
from ...problem import Problem
from ..driver import Segment
from .factored import FactoredRungeKutta
from .stepper import Dense, Field

_DONE, _DIVERGED, _EXHAUSTED, _FULL = 0, 1, 2, 3


class _Reached(NamedTuple):
    """Where `_integrate` came to: weights, next step, time, the stepper's memory, counts."""

    weights: dynamics.Kernels
    dt: Float[Array, ""]
    time: Float[Array, ""]
    memory: Any
    accepted: Int[Array, ""]
    rejected: Int[Array, ""]
    status: Int[Array, ""]


class Control(eqx.Module):
    """How steps are chosen."""

    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    step: Float[Array, ""] | None
    max_steps: int

    def controller(self, measures: dynamics.Measures) -> diffrax.AbstractStepSizeController:
        if self.step is not None:
            return diffrax.ConstantStepSize()

        def norm(error: dynamics.Kernels | Array) -> Array:
            """Over layers the worst; a stepper may have taken each layer's norm itself."""
            norms = dynamics.layer_norms(error, measures) if isinstance(error, tuple) else error
            return jnp.max(norms)

        return diffrax.PIDController(rtol=self.rtol, atol=self.atol, norm=norm)


def integrator(
    network: Network,
    problem: Problem,
    data: Samples,
    control: Control,
    stepper: Dense | FactoredRungeKutta,
) -> Callable[[dynamics.Kernels, Any, float, float], Segment]:
    """`Driver.advance` for the ODE; what it remembers is the stepper and the next step.

    Raises:
        InvalidInput: when called, tolerances that no step meets.
    """
    first_stepper = stepper

    def advance(w: dynamics.Kernels, memory: Any, t0: float, t1: float) -> Segment:
        at = network.with_weights(w)
        stepper, dt = (first_stepper, None) if memory is None else memory
        if dt is None:
            dt = _initial_step(at, problem, data, stepper, control, jnp.asarray(t0))
        segment = Segment(w, None, t0, True)
        while True:
            now = segment.time
            span = jnp.asarray(now), jnp.asarray(t1 - now)
            with one_lapack_thread():
                reached = _integrate(at, problem, data, stepper, control, dt, *span)
                reached.status.block_until_ready()
            segment.time = now + float(reached.time)
            segment.steps += int(reached.accepted)
            segment.rejected += int(reached.rejected)
            at, dt = at.with_weights(reached.weights), reached.dt
            if isinstance(stepper, FactoredRungeKutta):
                segment.discarded = segment.discarded + np.asarray(reached.memory.discarded)
                if int(reached.status) == _FULL:
                    stepper, at = stepper.grown(at, reached.memory)
                    continue
            break
        if int(reached.status) == _EXHAUSTED:
            raise InvalidInput(
                f"rtol, atol: not reached in {control.max_steps} steps after t = {t0:g}; loosen the "
                f"tolerances (float32 carries about 1e-6 relative) or raise max_steps"
            )
        segment.weights, segment.memory = at.weights, (stepper, dt)
        segment.finite = int(reached.status) == _DONE
        return segment

    return advance


def field_of(network: Network, problem: Problem, data: Samples, since: Any) -> Field:
    """The right-hand side in time since `since`: single precision keeps small steps apart."""

    def field(t: Array, weights: dynamics.Kernels) -> list[tuple[Array, Array]]:
        rates = problem.rates((since + t).astype(weights[0].dtype), network.depth)
        return dynamics.changes(
            weights, network.measures, network.activations, problem.loss, rates, *data
        )[0]

    return field


@eqx.filter_jit
def _initial_step(
    network: Network,
    problem: Problem,
    data: Samples,
    stepper: Dense | FactoredRungeKutta,
    control: Control,
    since: Float[Array, ""],
) -> Float[Array, ""]:
    if control.step is not None:
        return control.step
    field = field_of(network, problem, data, since)
    return stepper.first_step(field, network.weights, network.measures, control)


@eqx.filter_jit
def _integrate(
    network: Network,
    problem: Problem,
    data: Samples,
    stepper: Dense | FactoredRungeKutta,
    control: Control,
    dt: Float[Array, ""],
    since: Float[Array, ""],
    duration: Float[Array, ""],
) -> _Reached:
    """From `since` over `duration`, or as far as it goes."""
    measures = network.measures
    dtype = network.weights[0].dtype
    field = field_of(network, problem, data, since)
    controller = control.controller(measures)
    end = duration.astype(dtype)
    start = jnp.zeros((), dtype)
    order: Any = stepper.solver.error_order(Dense.term(field))
    # A step that would leave a sliver before the end is stretched over it.
    clip = lambda t, h: jnp.where(t + h > end - 1e-3 * h, end, t + h)

    seen = stepper.seen(network.weights, measures)
    _, memory = controller.init(
        Dense.term(field), start, end, seen, dt, None, stepper.solver.func, order
    )
    own = stepper.start(field, start, clip(start, dt), network.weights)

    def body(carry: Any) -> Any:
        t, dt, weights, own, memory, accepted, rejected, _ = carry
        t_next = clip(t, dt)
        tried = stepper.step(field, measures, t, t_next, weights, own)
        before, after = (stepper.seen(w, measures) for w in (weights, tried.weights))
        keep, t_new, t_after, _, next_memory, _ = controller.adapt_step_size(
            t, t_next, before, after, None, tried.error, order, memory
        )
        keep = jnp.asarray(keep)
        proposed = t_after - t_new
        if control.step is not None:
            proposed = dt
        else:  # the step cut short at the end of the interval is no measure of what is possible
            proposed = jnp.where(keep & (t_next - t < dt), jnp.maximum(proposed, dt), proposed)
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(tried.weights[i])) for i in (0, -1)]))
        # An adaptive controller rejects what is not finite; a constant step cannot.
        status = jnp.where(keep & ~finite, _DIVERGED, _DONE)
        # A step that found no room is not taken, whatever its error.
        full = keep & finite & ~tried.fits
        status = jnp.where(full, _FULL, status).astype(jnp.int32)
        keep = keep & ~full
        choose = lambda new, old: jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)
        return (
            jnp.where(keep, t_next, t),
            jnp.where(full, dt, proposed),
            choose(tried.weights, weights),
            stepper.remember(tried.memory, own, keep),
            jax.tree.map(lambda a, b: jnp.where(full, b, a), next_memory, memory),
            accepted + keep,
            rejected + (~keep & ~full),
            status,
        )

    def unfinished(carry: Any) -> Array:
        t, *_, accepted, rejected, status = carry
        return (t < end) & (status == _DONE) & (accepted + rejected < control.max_steps)

    zero = jnp.zeros((), jnp.int32)
    t, dt, weights, own, _, accepted, rejected, status = jax.lax.while_loop(
        unfinished, body, (start, dt, network.weights, own, memory, zero, zero, zero)
    )
    status = jnp.where((status == _DONE) & (t < end), _EXHAUSTED, status)
    return _Reached(weights, dt, t, own, accepted, rejected, status)

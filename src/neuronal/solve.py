r"""The MF ODE: $\partial_t w_i = -\xi_i(t)\,\mathbb{E}_Z[\Delta^w_i]$, equation (2) in time.

Started from an embedding it is the infinite-width limit on quadrature nodes; started from a
network, the gradient flow of exactly that network. Integrators and step-size control are
Diffrax's. The error norm is that of $L^2(P_{i-1} \times P_i)$, the worst over layers: a norm
over all numbers alike would forget the first and the last layer, whose share of the
entries falls as $1/n$.
"""

from __future__ import annotations

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from . import dynamics
from .embeddings import AbstractEmbedding
from .errors import InvalidInput, require
from .network import Network
from .problem import Law, Problem, mean_loss
from .progress import OnRecord, bar
from .trajectory import Driver, Report, Segment, Trajectory, record, record_times

KERNELS = ("auto", "dense")


def solve(
    problem: Problem,
    start: AbstractEmbedding | Network,
    until: float,
    nodes: int = 1024,
    rule: str = "sobol",
    rtol: float = 1e-4,
    atol: float = 1e-6,
    kernel: str = "auto",
    save_at: int | ArrayLike | None = None,
    *,
    key: PRNGKeyArray | int = 0,
    solver: diffrax.AbstractSolver | None = None,
    step: float | None = None,
    since: float = 0.0,
    data_nodes: int = 256,
    max_steps: int = 1_000_000,
    progress: bool | OnRecord = False,
) -> Trajectory:
    r"""Solve the MF ODE.

    Args:
        problem: what is learned.
        start: an embedding, for its limit, or a network, for its own gradient flow.
        until: MF time at which to stop.
        nodes, rule, key: the quadrature of neurons, if `start` is an embedding.
        rtol, atol: tolerances of a step's error in the weights, in $L^2(P)$.
        kernel: how weights between layers are kept: ``dense``, or ``auto`` (now: dense).
        save_at: MF times to record, or a number of equal intervals (64 if left out).
        solver: a Diffrax solver; ``Tsit5()`` if left out.
        step: a constant step in MF time instead of the tolerances (``Euler()`` with a
            step is full-batch gradient descent).
        since: MF time of `start`, which the schedules see.
        data_nodes: quadrature nodes of $E_Z$; a finite law is taken whole and exactly.
        max_steps: in one recorded interval, after which the run is given up.
        progress: True for a bar, or a callable of `(time, loss, network)`.

    Raises:
        InvalidInput: arguments that do not fit, or tolerances that no step meets.
        DivergenceError: the state left the finite numbers.
    """
    require(kernel in KERNELS, f"kernel: {kernel!r} is none of {', '.join(KERNELS)}")
    require(rtol > 0 and atol > 0, f"rtol, atol: take positive numbers, got {rtol}, {atol}")
    if isinstance(start, AbstractEmbedding):
        problem.check(start)
        network = start.quadrature(nodes, rule, key)
        ensemble = f"{rule} nodes {network.widths}"
    else:
        require(isinstance(start, Network), "start: takes an embedding or a network")
        problem.check(start)
        network, ensemble = start, f"the {network_widths(start)} neurons of a network"
    if step is not None:
        require(np.isfinite(step) and step > 0, f"step: takes a positive number, got {step!r}")
    times = record_times(save_at, since, until)
    dtype = network.weights[0].dtype
    data = problem.quadrature(data_nodes, dtype)
    solver = diffrax.Tsit5() if solver is None else solver
    # Arrays, so that other tolerances are no other program to compile.
    constant = None if step is None else jnp.asarray(step, dtype)
    control = _Control(jnp.asarray(rtol, dtype), jnp.asarray(atol, dtype), constant, max_steps)

    def advance(w: dynamics.Weights, memory: Any, t0: float, t1: float) -> Segment:
        at = network.with_weights(w)
        if memory is None:
            memory = _initial_step(at, problem, data, solver, control, jnp.asarray(t0))
        w, dt, reached, accepted, rejected, status = _integrate(
            at, problem, data, solver, control, memory, jnp.asarray(t0), jnp.asarray(t1 - t0)
        )
        if int(status) == _EXHAUSTED:
            raise InvalidInput(
                f"rtol, atol: not reached in {max_steps} steps after t = {t0:g}; loosen the "
                f"tolerances (float32 carries about 1e-6 relative) or raise max_steps"
            )
        finite = int(status) == _DONE
        return Segment(w, dt, t0 + float(reached), finite, int(accepted), int(rejected))

    driver = Driver(
        advance,
        lambda w: float(mean_loss(network.with_weights(w), problem.loss, *data)),
        problem=problem,
        law=data,
    )
    how = f"rtol {rtol:g}, atol {atol:g}" if step is None else f"constant step {step:g}"
    report = Report(f"MF ODE, {type(solver).__name__}, {how}, dense kernels", ensemble)
    with bar(f"ODE, {ensemble}", times[0], times[-1], progress) as on_record:
        return record(driver, network, list(times), report, on_record)


def network_widths(network: Network) -> str:
    """The widths, as one number where they are equal."""
    widths = set(network.widths)
    return str(widths.pop()) if len(widths) == 1 else str(network.widths)


_DONE, _DIVERGED, _EXHAUSTED = 0, 1, 2


class _Control(eqx.Module):
    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    step: Float[Array, ""] | None
    max_steps: int


def _term(network: Network, problem: Problem, data: Law, since: Any) -> diffrax.ODETerm:
    """The vector field in time since `since`: single precision keeps small steps apart."""

    def field(t: Array, weights: dynamics.Weights, args: Any) -> dynamics.Weights:
        dtype = weights[0].dtype
        rates = problem.rates((since + t).astype(dtype), network.depth)
        return dynamics.velocity(
            weights, network.measures, network.activations, problem.loss, rates, *data
        )[0]

    return diffrax.ODETerm(field)  # pyright: ignore[reportArgumentType]


def _controller(network: Network, control: _Control) -> diffrax.AbstractStepSizeController:
    if control.step is not None:
        return diffrax.ConstantStepSize()
    measures = network.measures

    def norm(error: dynamics.Weights) -> Array:
        return jnp.max(dynamics.layer_norms(error, measures))

    return diffrax.PIDController(rtol=control.rtol, atol=control.atol, norm=norm)


@eqx.filter_jit
def _initial_step(
    network: Network,
    problem: Problem,
    data: Law,
    solver: Any,
    control: _Control,
    since: Float[Array, ""],
) -> Float[Array, ""]:
    dtype = network.weights[0].dtype
    if control.step is not None:
        return control.step
    term = _term(network, problem, data, since)
    zero, one = jnp.zeros((), dtype), jnp.ones((), dtype)
    first, _ = _controller(network, control).init(
        term, zero, one, network.weights, None, None, solver.func, solver.error_order(term)
    )
    return jnp.asarray(first - zero)


@eqx.filter_jit
def _integrate(
    network: Network,
    problem: Problem,
    data: Law,
    solver: Any,
    control: _Control,
    dt: Float[Array, ""],
    since: Float[Array, ""],
    duration: Float[Array, ""],
) -> tuple[Any, ...]:
    """From `since` over `duration`: weights, next step, time reached, counts, status."""
    dtype = network.weights[0].dtype
    term = _term(network, problem, data, since)
    controller = _controller(network, control)
    end = duration.astype(dtype)
    start = jnp.zeros((), dtype)
    order = solver.error_order(term)
    # A step that would leave a sliver before the end is stretched over it.
    clip = lambda t, h: jnp.where(t + h > end - 1e-3 * h, end, t + h)

    _, memory = controller.init(term, start, end, network.weights, dt, None, solver.func, order)
    solver_state = solver.init(term, start, clip(start, dt), network.weights, None)

    def body(carry: Any) -> Any:
        t, dt, weights, solver_state, memory, accepted, rejected, _ = carry
        t_next = clip(t, dt)
        candidate, error, _, next_solver_state, _ = solver.step(
            term, t, t_next, weights, None, solver_state, made_jump=False
        )
        keep, t_new, t_after, _, memory, _ = controller.adapt_step_size(
            t, t_next, weights, candidate, None, error, order, memory
        )
        keep = jnp.asarray(keep)
        choose = lambda new, old: jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)
        proposed = t_after - t_new
        if control.step is not None:
            proposed = dt
        else:  # the step cut short at the end of the interval is no measure of what is possible
            proposed = jnp.where(keep & (t_next - t < dt), jnp.maximum(proposed, dt), proposed)
        finite = jnp.all(
            jnp.stack([jnp.all(jnp.isfinite(w)) for w in (candidate[0], candidate[-1])])
        )
        # An adaptive controller rejects what is not finite; a constant step cannot.
        status = jnp.where(keep & ~finite, _DIVERGED, _DONE).astype(jnp.int32)
        return (
            jnp.where(keep, t_next, t),
            proposed,
            choose(candidate, weights),
            choose(next_solver_state, solver_state),
            memory,
            accepted + keep,
            rejected + ~keep,
            status,
        )

    def unfinished(carry: Any) -> Array:
        t, *_, accepted, rejected, status = carry
        return (t < end) & (status == _DONE) & (accepted + rejected < control.max_steps)

    zero = jnp.zeros((), jnp.int32)
    t, dt, weights, _, _, accepted, rejected, status = jax.lax.while_loop(
        unfinished, body, (start, dt, network.weights, solver_state, memory, zero, zero, zero)
    )
    status = jnp.where((status == _DONE) & (t < end), _EXHAUSTED, status)
    return weights, dt, t, accepted, rejected, status

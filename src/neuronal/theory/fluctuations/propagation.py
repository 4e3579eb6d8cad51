r"""Expansions carried along MF time, and what is read off them at the ends of steps.

*Neurons.* The measures stand perturbed from the start: W' and W'' follow their linear equations.

*Samples.* A step of SGD sees an empirical law in the place of q. To first order W' is a diffusion,
$dW' = Dv\,W'\,dt + D_q v\,[d\zeta]$, with $\mathrm{Cov}\,d\zeta = (\mathrm{diag}\,q - q q^T)\,dt$ and
the factor $(\epsilon / \text{batch})^{1/2}$ left out. In a step of length h the noise is
$h^{-1/2}(\zeta_1 + 2^{1/2} s\,\zeta_2)$, $s$ from -1 to 1, with independent measures $\zeta_1$,
$\zeta_2$. With the stages of `SOLVER` the covariance at the end of a step is exact to second order in h, and
its average over the step, which W'' sees, to first. (White noise's own projection, with $3^{1/2} s$, would
miss the average: stages are no average.) W'' follows $D^2v\,[W', W'] + Dv\,W''$; the noise's own share
of it has mean zero (Itô's sense is SGD's, whose samples are independent of the weights that they move)
and is left out.

*Steps.* Euler's method of step $\epsilon$ runs, to first order, $\epsilon e$ beside the ODE, with
$e' = Dv\,e - \frac12 \frac{d}{dt} v$ (backward error analysis).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...distributions import Samples
from ...drivers.ode.integrate import Control
from ...drivers.ode.stepper import RightHandSide, ode_term
from ...motion.motion import Motion
from ...network import Network
from ...problem import Problem
from . import taylor
from .taylor import Direction, Expansion

SOLVER = diffrax.Bosh3()
"""Three evaluations per step, and the longest steps for each of them where the flow is stiff."""
_STAGES = [(0.0, 2 / 9, 0.0), (1 / 2, 1 / 3, 1 / 2), (3 / 4, 4 / 9, 3 / 4)]
"""Its tableau: the share of the rate before, that of the sum, and the time. A fourth is for the error."""


class Readings(NamedTuple):
    """The prediction's first and second derivative along S directions, at K ends of steps."""

    first: Float[Array, "S K m k"]
    second: Float[Array, "S K m k"]


@eqx.filter_jit
def _adaptive(
    network: Network,
    problem: Problem,
    data: Samples,
    until: Float[Array, ""],
    control: Control,
    most: int,
) -> diffrax.Solution:
    motion = problem.motion(network)
    return diffrax.diffeqsolve(
        ode_term(RightHandSide(motion, data, jnp.zeros_like(until))),
        SOLVER,
        jnp.zeros_like(until),
        until,
        None,
        network.weights,
        saveat=diffrax.SaveAt(t0=True, steps=True, fn=lambda t, weights, args: t),
        stepsize_controller=control.controller(motion),
        max_steps=most,
        throw=False,
    )


def step_times(
    network: Network,
    problem: Problem,
    data: Samples,
    until: float,
    control: Control,
) -> Float[np.ndarray, "K"] | None:
    """Ends of the steps that the limit takes by itself, 0 first; None where there are too many."""
    dtype = network.weights[0].dtype
    solution = _adaptive(
        network, problem, data, jnp.asarray(until, dtype), control, control.max_steps
    )
    times = np.asarray(solution.ts, float)
    times = times[np.isfinite(times)]
    done = solution.result == diffrax.RESULTS.successful
    return times if bool(done) else None


@eqx.filter_jit
def along_neurons(
    network: Network,
    problem: Problem,
    data: Samples,
    times: Float[Array, "K"],
    directions: tuple[Float[Array, "S _"], ...],
) -> Readings:
    """Derivatives of the prediction in the measures of the neurons, at all times."""
    motion = problem.motion(network)
    start = taylor.at_rest(network.weights)

    def along(direction: Direction) -> Readings:
        def step(state: Expansion, span: Array) -> tuple[Expansion, Readings]:
            state = _stepped(motion, state, direction, data, span)
            return state, _read(motion, state, direction, data)

        _, after = jax.lax.scan(step, start, _spans(times))
        return _joined(_read(motion, start, direction, data), after)

    return jax.lax.map(along, directions)


@eqx.filter_jit
def along_noises(
    network: Network,
    problem: Problem,
    data: Samples,
    times: Float[Array, "K"],
    noises: Float[Array, "S steps 2 m"],
) -> Readings:
    r"""Derivatives of the prediction along paths of noise in the law of the samples.

    Args:
        noises: of covariance $\mathrm{diag}\,q - q q^T$, two for each step.
    """
    motion = problem.motion(network)
    start = taylor.at_rest(network.weights)
    none = jax.tree.map(jnp.zeros_like, network.measures)

    def along(path: Float[Array, "steps 2 m"]) -> Readings:
        def step(state: Expansion, over: tuple[Array, Array]) -> tuple[Expansion, Readings]:
            span, (level, slope) = over
            size = span[1] - span[0]

            def velocity(t: Array, state: Expansion) -> Expansion:
                rate = taylor.rate(motion, t, state, none, data)
                place = 2 * (t - span[0]) / size - 1
                noise = (level + np.sqrt(2) * place * slope) / jnp.sqrt(size)
                kick = taylor.kick(motion, t, state.weights, data, noise)
                return rate._replace(first=jax.tree.map(jnp.add, rate.first, kick))

            state = _runge_kutta(velocity, state, span)
            return state, _read(motion, state, none, data)

        _, after = jax.lax.scan(step, start, (_spans(times), path))
        return _joined(_read(motion, start, none, data), after)

    return jax.lax.map(along, noises)


@eqx.filter_jit
def along_steps(
    network: Network, problem: Problem, data: Samples, times: Float[Array, "K"]
) -> tuple[Float[Array, "K m k"], Float[Array, "K m k"]]:
    r"""The prediction, and how far Euler's method leaves it per $\epsilon$, at all times."""
    motion = problem.motion(network)
    none = jax.tree.map(jnp.zeros_like, network.measures)

    def velocity(t: Array, state: Any) -> Any:
        weights, shift = state
        flow = lambda weights: motion.velocity(t, weights, data)
        rate, along = jax.jvp(flow, (weights,), (shift,))
        bend = taylor.acceleration(motion, t, weights, data)
        return rate, jax.tree.map(lambda a, b: a - b / 2, along, bend)

    def read(state: Any) -> tuple[Array, Array]:
        weights, shift = state
        return taylor.prediction(motion, Expansion(weights, shift, shift), none, data.x)[:2]

    def step(state: Any, span: Array) -> tuple[Any, tuple[Array, Array]]:
        state = _runge_kutta(velocity, state, span)
        return state, read(state)

    start = network.weights, jax.tree.map(jnp.zeros_like, network.weights)
    _, after = jax.lax.scan(step, start, _spans(times))
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), read(start), after)


def _spans(times: Float[Array, "K"]) -> Float[Array, "steps 2"]:
    return jnp.stack([times[:-1], times[1:]], 1)


def _stepped(
    motion: Motion, state: Expansion, direction: Direction, data: Samples, span: Array
) -> Expansion:
    velocity = lambda t, state: taylor.rate(motion, t, state, direction, data)
    return _runge_kutta(velocity, state, span)


def _runge_kutta(velocity: Any, state: Any, span: Array) -> Any:
    """One step of `SOLVER` without its error; its derivative is the step of the derivative.

    A stage starts from the one before it alone, so that a loop holds the sum and one rate.
    """
    size = span[1] - span[0]
    along = lambda w, share, k: w + size * share * k

    def stage(carry: tuple[Any, Any], shares: Array) -> tuple[tuple[Any, Any], None]:
        total, rate = carry
        a, b, c = shares
        begun = jax.tree.map(lambda w, k: along(w, a, k), state, rate)
        rate = velocity(span[0] + c * size, begun)
        return (jax.tree.map(lambda w, k: along(w, b, k), total, rate), rate), None

    zero = jax.tree.map(jnp.zeros_like, state)
    return jax.lax.scan(stage, (state, zero), jnp.asarray(_STAGES, size.dtype))[0][0]


def _read(motion: Motion, state: Expansion, direction: Direction, data: Samples) -> Readings:
    return Readings(*taylor.prediction(motion, state, direction, data.x)[1:])


def _joined(first: Readings, after: Readings) -> Readings:
    return Readings(*(jnp.concatenate([a[None], b]) for a, b in zip(first, after, strict=True)))

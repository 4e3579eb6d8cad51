"""SGD's compiled loop: samples, steps, and the windows between two writings of the weights.

With the whole law in the place of samples it is Euler's method with a constant step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ... import dynamics
from ...distributions import Samples
from ...kernels import grows, updates, with_room_for
from ...motion.steps import stepped
from ...network import Network
from ...problem import Problem
from ...programs import lightly

_NARROW = 64
"""Neurons per layer up to which steps are as fast with few optimisations (`programs.LIGHT`)."""


class Stream(eqx.Module):
    """An explicit stream of samples: `x (steps, batch, d)`, `y (steps, batch, k)`."""

    x: Float[Array, "steps batch d"]
    y: Float[Array, "steps batch k"]


class Steps(NamedTuple):
    """What `steps` returns.

    Attributes:
        weights: after step k - 1; velocities: of momentum, or None.
        k: the next step's number; less than asked for if a prediction was not finite, or if
            factored weights had no room.
        finite, fits: whether neither happened.
        needed: the ranks that the last compression asked for, per factored layer that moves.
        discarded: norms of what compressions cut off, summed.
    """

    weights: dynamics.Kernels
    velocities: dynamics.Kernels | None
    k: Int[Array, ""]
    finite: Bool[Array, ""]
    fits: Bool[Array, ""]
    needed: Int[Array, "layers"]
    discarded: Float[Array, "layers"]


class _Block(NamedTuple):
    """Where the loop over the windows of a block of samples is.

    Attributes:
        now: what was reached.
        j: samples of the block that are used up.
        samples: of the block, `(block, batch, ...)`.
    """

    now: Steps
    j: Int[Array, ""]
    samples: tuple[Array, Array]


class _Window(NamedTuple):
    """Where the loop over the steps of a window is.

    Attributes:
        k: the step's number.
        j: its samples' place in the block.
        place: the first row of updates that is free.
        weights: open for updates (`kernels.updates`); velocities: of momentum, or None.
        finite: whether the last prediction was.
    """

    k: Int[Array, ""]
    j: Int[Array, ""]
    place: Int[Array, ""]
    samples: tuple[Array, Array]
    weights: dynamics.Kernels
    velocities: dynamics.Kernels | None
    finite: Bool[Array, ""]


def _is_narrow(network: Network, *_: Any) -> bool:
    return max(network.widths) <= _NARROW


@lightly(_is_narrow)
def steps(
    network: Network,
    velocities: dynamics.Kernels | None,
    problem: Problem,
    stream: Stream | Samples | None,
    key: PRNGKeyArray,
    eps: Float[Array, ""],
    first: Int[Array, ""],
    last: Int[Array, ""],
    batch: int,
    block: int,
) -> Steps:
    """Steps `first` to `last - 1`; fewer if a prediction is not finite or a rank has no room.

    Args:
        velocities: of momentum, else None.
        stream: of samples; or the law, all of which every step sees; None if samples are drawn.
    """
    dtype = network.weights[0].dtype
    draw = _draw(problem, stream, key, batch, block)
    if isinstance(stream, Samples):
        sample_weights = stream.weights.astype(dtype)
    else:
        sample_weights = jnp.full(batch, 1 / batch, dtype)
    motion = problem.motion(network)
    window = updates.window(network.weights, batch, block)
    rows = window * batch
    count = sum(grows(w) for w in moving(network.weights, motion.frozen))

    def opened(w: Any, frozen: bool) -> Any:
        # Velocities are matrices of full rank, and copies of neurons take whole columns: then nothing
        # can be held back.
        if frozen or velocities is not None or motion.birth_death is not None:
            return w
        return updates.opened(w, rows, batch, motion.decays)

    def step(carry: _Window) -> _Window:
        kernels = tuple(updates.written(w, carry.place - batch, rows) for w in carry.weights)
        x, y = (
            jax.lax.dynamic_index_in_dim(s, carry.j, keepdims=False).astype(dtype)
            for s in carry.samples
        )
        t = carry.k.astype(dtype) * eps
        samples = Samples(x, y, sample_weights)
        changes, prediction = motion.changes(t, kernels, samples, eps)
        weights, speeds = stepped(
            motion, carry.weights, kernels, carry.velocities, changes, t, eps, key, carry.k
        )
        if motion.birth_death is not None:
            potentials = motion.potentials(t, kernels, samples)
            weights = motion.birth_death.renewed(key, carry.k, t, eps, weights, potentials)
        return _Window(
            carry.k + 1,
            carry.j + 1,
            carry.place + batch,
            carry.samples,
            weights,
            speeds,
            jnp.all(jnp.isfinite(prediction)),
        )

    def run_window(carry: _Block) -> _Block:
        now, j, samples = carry
        first_layer, *middle, last_layer = now.weights
        middle = map(opened, middle, motion.frozen[1:-1])
        weights = (first_layer, *middle, last_layer)
        done = jax.lax.while_loop(
            lambda c: (c.j < jnp.minimum(j + window, block)) & (c.k < last) & c.finite,
            step,
            _Window(now.k, j, jnp.int32(0), samples, weights, now.velocities, now.finite),
        )
        kernels = tuple(updates.written(w, done.place - batch, rows) for w in done.weights)
        after = _closed(now, kernels, done, network.measures, motion.frozen)
        return _Block(after, j + done.k - now.k, samples)

    def going(now: Steps) -> Array:
        return (now.k < last) & now.finite & now.fits

    def run_block(now: Steps) -> Steps:
        return jax.lax.while_loop(
            lambda carry: going(carry.now) & (carry.j < block),
            run_window,
            _Block(now, jnp.int32(0), draw(now.k)),
        ).now

    yes = jnp.asarray(True)
    start = Steps(
        network.weights,
        velocities,
        first,
        yes,
        yes,
        jnp.zeros(count, jnp.int32),
        jnp.zeros(count, dtype),
    )
    return jax.lax.while_loop(going, run_block, start)


def moving(weights: dynamics.Kernels, frozen: Sequence[bool]) -> list[Any]:
    """The weights of layers that move."""
    return [w for w, still in zip(weights, frozen, strict=True) if not still]


def with_room(
    weights: dynamics.Kernels, needed: Int[Array, "layers"], frozen: Sequence[bool]
) -> dynamics.Kernels:
    """Factored weights with rows for the ranks needed, of layers that move."""
    growing = [i for i, w in enumerate(weights) if grows(w) and not frozen[i]]
    roomy = with_room_for([weights[i] for i in growing], np.asarray(needed).tolist())
    placed = dict(zip(growing, roomy, strict=True))
    return tuple(placed.get(i, w) for i, w in enumerate(weights))


def _closed(
    before: Steps,
    kernels: dynamics.Kernels,
    window: _Window,
    measures: dynamics.Measures,
    frozen: Sequence[bool],
) -> Steps:
    """The window's updates in the weights; the weights before it if a rank has no room."""
    first, *middle, last = kernels
    given = zip(middle, before.weights[1:-1], measures, measures[1:], frozen[1:-1], strict=False)
    done = [
        updates.Closed(w) if still else updates.closed(w, old, p, q)
        for w, old, p, q, still in given
    ]
    weights = (first, *(d.weight for d in done), last)
    after = before._replace(
        weights=weights, velocities=window.velocities, k=window.k, finite=window.finite
    )
    grown = [d for d in done if d.needed is not None]
    if not grown:
        return after
    fits = jnp.asarray(True)
    for d in grown:
        fits &= d.fits
    fits |= ~window.finite  # a diverged window is not repeated with more room
    needed, lost = (jnp.stack([getattr(d, name) for d in grown]) for name in ("needed", "lost"))
    after = after._replace(fits=fits, needed=needed, discarded=before.discarded + lost)
    # A discarded window reports its needs only.
    undone = before._replace(fits=fits, needed=needed)
    return jax.tree.map(lambda a, b: jnp.where(fits, a, b), after, undone)


def _draw(
    problem: Problem,
    stream: Stream | Samples | None,
    key: PRNGKeyArray,
    batch: int,
    block: int,
) -> Callable[[Array], tuple[Array, Array]]:
    """The samples of steps k to k + block - 1, `(block, batch, ...)`."""
    if isinstance(stream, Samples):
        x, y = (jnp.broadcast_to(a, (block, *a.shape)) for a in (stream.x, stream.y))
        return lambda k: (x, y)
    if stream is not None:
        index = jnp.arange(block)
        return lambda k: (
            jnp.take(stream.x, k + index, axis=0, mode="clip"),
            jnp.take(stream.y, k + index, axis=0, mode="clip"),
        )

    def of_step(k: Array) -> tuple[Array, Array]:
        return problem.distribution.sample(jax.random.fold_in(key, k), batch)

    return lambda k: jax.vmap(of_step)(k + jnp.arange(block))

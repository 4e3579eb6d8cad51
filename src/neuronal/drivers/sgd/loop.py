"""SGD's compiled loop: samples, steps, and the windows between two writings of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ... import dynamics
from ...distributions import Samples
from ...kernels import grows, updates, with_room_for
from ...network import Network
from ...problem import Problem


class Stream(eqx.Module):
    """An explicit stream of samples: `x (steps, batch, d)`, `y (steps, batch, k)`."""

    x: Float[Array, "steps batch d"]
    y: Float[Array, "steps batch k"]


class Steps(NamedTuple):
    """What `steps` returns.

    Attributes:
        weights: after step k - 1.
        k: the next step's number; less than asked for if a prediction was not finite, or if
            factored weights had no room.
        finite, fits: whether neither happened.
        needed: the ranks that the last compression asked for, per factored layer.
        discarded: norms of what compressions cut off, summed.
    """

    weights: dynamics.Kernels
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
        weights: open for updates (`kernels.updates`).
        finite: whether the last prediction was.
    """

    k: Int[Array, ""]
    j: Int[Array, ""]
    place: Int[Array, ""]
    samples: tuple[Array, Array]
    weights: dynamics.Kernels
    finite: Bool[Array, ""]


@eqx.filter_jit
def steps(
    network: Network,
    problem: Problem,
    stream: Stream | None,
    key: PRNGKeyArray,
    eps: Float[Array, ""],
    first: Int[Array, ""],
    last: Int[Array, ""],
    batch: int,
    block: int,
) -> Steps:
    """Steps `first` to `last - 1`; fewer if a prediction is not finite or a rank has no room."""
    dtype = network.weights[0].dtype
    draw = _draw(problem, stream, key, batch, block)
    sample_weights = jnp.full(batch, 1 / batch, dtype)
    motion = problem.motion(network)
    window = updates.window(network.weights, batch, block)
    rows = window * batch
    count = sum(map(grows, network.weights))

    def step(carry: _Window) -> _Window:
        kernels = tuple(updates.written(w, carry.place - batch, rows) for w in carry.weights)
        x, y = (
            jax.lax.dynamic_index_in_dim(s, carry.j, keepdims=False).astype(dtype)
            for s in carry.samples
        )
        t = carry.k.astype(dtype) * eps
        changes, prediction = motion.changes(t, kernels, Samples(x, y, sample_weights), eps)
        weights = tuple(
            updates.taking(before, w, change.f, change.g, change.kept)
            for before, w, change in zip(carry.weights, kernels, changes, strict=True)
        )
        return _Window(
            carry.k + 1,
            carry.j + 1,
            carry.place + batch,
            carry.samples,
            weights,
            jnp.all(jnp.isfinite(prediction)),
        )

    def run_window(carry: _Block) -> _Block:
        now, j, samples = carry
        first_layer, *middle, last_layer = now.weights
        opened = (updates.opened(w, rows, batch, motion.decays) for w in middle)
        done = jax.lax.while_loop(
            lambda c: (c.j < jnp.minimum(j + window, block)) & (c.k < last) & c.finite,
            step,
            _Window(
                now.k, j, jnp.int32(0), samples, (first_layer, *opened, last_layer), now.finite
            ),
        )
        kernels = tuple(updates.written(w, done.place - batch, rows) for w in done.weights)
        after = _closed(now, kernels, done.k, done.finite, network.measures)
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
        network.weights, first, yes, yes, jnp.zeros(count, jnp.int32), jnp.zeros(count, dtype)
    )
    return jax.lax.while_loop(going, run_block, start)


def with_room(weights: dynamics.Kernels, needed: Int[Array, "layers"]) -> dynamics.Kernels:
    """Factored weights with rows for the ranks needed."""
    ranks = iter(needed)
    return tuple(with_room_for(w, int(next(ranks))) if grows(w) else w for w in weights)


def _closed(
    before: Steps,
    kernels: dynamics.Kernels,
    k: Int[Array, ""],
    finite: Bool[Array, ""],
    measures: dynamics.Measures,
) -> Steps:
    """The window's updates in the weights; the weights before it if a rank has no room."""
    first, *middle, last = kernels
    done = [
        updates.closed(w, old, p, q)
        for w, old, p, q in zip(middle, before.weights[1:-1], measures, measures[1:], strict=False)
    ]
    weights = (first, *(d.weight for d in done), last)
    grown = [d for d in done if d.needed is not None]
    if not grown:
        return before._replace(weights=weights, k=k, finite=finite)
    fits = jnp.asarray(True)
    for d in grown:
        fits &= d.fits
    fits |= ~finite  # a diverged window is not repeated with more room
    needed, lost = (jnp.stack([getattr(d, name) for d in grown]) for name in ("needed", "lost"))
    after = Steps(weights, k, finite, fits, needed, before.discarded + lost)
    # A discarded window reports its needs only.
    undone = before._replace(fits=fits, needed=needed)
    return jax.tree.map(lambda a, b: jnp.where(fits, a, b), after, undone)


def _draw(
    problem: Problem, stream: Stream | None, key: PRNGKeyArray, batch: int, block: int
) -> Callable[[Array], tuple[Array, Array]]:
    """The samples of steps k to k + block - 1, `(block, batch, ...)`."""
    if stream is not None:
        index = jnp.arange(block)
        return lambda k: (
            jnp.take(stream.x, k + index, axis=0, mode="clip"),
            jnp.take(stream.y, k + index, axis=0, mode="clip"),
        )

    def of_step(k: Array) -> tuple[Array, Array]:
        return problem.distribution.sample(jax.random.fold_in(key, k), batch)

    return lambda k: jax.vmap(of_step)(k + jnp.arange(block))

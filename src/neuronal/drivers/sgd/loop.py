"""SGD's compiled loop: samples, steps, and the windows in which updates are held back.

A step changes a weight by one outer product a sample. Large matrices take them many at once
(`kernels.Delayed`), or, in batches too large for that, in place. Factored weights take them as
further rows, and at the end of each window the sum is brought back to its numerical rank: nothing is
lost but roundings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ... import dynamics
from ...kernels import Delayed, Factored, added, added_in_place, compressed, rows_for
from ...network import Network
from ...problem import Problem

WINDOW, HELD_ROWS = 32, 64
"""Steps whose updates are held back, at widths 256 to 2048 and batch 1, on two cores, the fastest of 16,
32 and 64 or within a twentieth of it; and rows that they may come to, at widths 256 to 4096 and batches
1 to 64, on one core, the fastest or within an eighth of it."""
DELAYED_FROM = 64
"""Neurons a sample from which holding back pays, of either layer if both are equal."""
IN_PLACE_FROM = 2**22
"""Numbers of a matrix from which it is written in pieces, before a step reads it. At batch 64 that saves
a tenth of the step's time at 2^22 and 2^24, and loses as much at 2^20."""
FACTORED_ROWS = 64
"""Rows of updates that factored weights take before they are compressed."""


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
        needed: the ranks that the last compression asked for, a factored layer each.
        discarded: norms of what compressions cut off, summed.
    """

    weights: dynamics.Kernels
    k: Int[Array, ""]
    finite: Bool[Array, ""]
    fits: Bool[Array, ""]
    needed: Int[Array, "layers"]
    discarded: Float[Array, "layers"]


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
    window = _window(network, batch, block)
    count = sum(isinstance(w, Factored) for w in network.weights)

    def step(carry: Any) -> Any:
        k, j, place, samples, waiting, _ = carry
        kernels = tuple(_written(w, place - batch, window * batch) for w in waiting)
        x, y = (jax.lax.dynamic_index_in_dim(s, j, keepdims=False).astype(dtype) for s in samples)
        rates = [eps * xi for xi in problem.rates(k.astype(dtype) * eps, network.depth)]
        pairs, prediction = dynamics.changes(
            kernels,
            network.measures,
            network.activations,
            problem.loss,
            rates,
            x,
            y,
            sample_weights,
        )
        waiting = tuple(
            _Waiting(w, f, g) if isinstance(before, _Waiting) else added(w, f, g)
            for before, w, (f, g) in zip(waiting, kernels, pairs, strict=True)
        )
        return k + 1, j + 1, place + batch, samples, waiting, jnp.all(jnp.isfinite(prediction))

    def run_window(carry: Any) -> Any:
        now, j, samples = carry
        first_layer, *middle, last_layer = now.weights
        opened = (first_layer, *(_opened(w, window * batch, batch) for w in middle), last_layer)
        zero = jnp.int32(0)
        k, _, place, _, waiting, finite = jax.lax.while_loop(
            lambda c: (c[1] < jnp.minimum(j + window, block)) & (c[0] < last) & c[-1],
            step,
            (now.k, j, zero, samples, opened, now.finite),
        )
        kernels = tuple(_written(w, place - batch, window * batch) for w in waiting)
        return _closed(now, kernels, k, finite, network.measures), j + k - now.k, samples

    def going(now: Steps) -> Array:
        return (now.k < last) & now.finite & now.fits

    def run_block(now: Steps) -> Steps:
        return jax.lax.while_loop(
            lambda carry: going(carry[0]) & (carry[1] < block),
            run_window,
            (now, jnp.int32(0), draw(now.k)),
        )[0]

    yes = jnp.asarray(True)
    start = Steps(
        network.weights, first, yes, yes, jnp.zeros(count, jnp.int32), jnp.zeros(count, dtype)
    )
    return jax.lax.while_loop(going, run_block, start)


def with_room(weights: dynamics.Kernels, needed: Int[Array, "layers"]) -> dynamics.Kernels:
    """Factored weights with rows for the ranks needed."""
    ranks = iter(needed)
    return tuple(
        w.with_room(rows_for(len(w.s), int(next(ranks)))) if isinstance(w, Factored) else w
        for w in weights
    )


def _window(network: Network, batch: int, block: int) -> int:
    """Steps between two times at which what was held back goes into the weights."""
    if any(isinstance(w, Factored) for w in network.weights):
        return max(1, FACTORED_ROWS // batch)
    if any(_delays(w, batch) for w in network.weights[1:-1]):
        return held_steps(batch)
    return block


def held_steps(batch: int) -> int:
    """Steps whose updates are held back at that batch; one is none."""
    return min(WINDOW, max(1, HELD_ROWS // batch))


def _delays(w: Any, batch: int) -> bool:
    """Whether what is saved, writing `w` at each step, outweighs the thin products."""
    if isinstance(w, Factored) or held_steps(batch) == 1:
        return False
    n, n_out = w.shape
    return 2 * n * n_out >= DELAYED_FROM * max(batch, 2) * (n + n_out)


class _Waiting(eqx.Module):
    """A weight whose newest update is not in it, or in its rows, yet.

    XLA writes to a buffer in place if the write comes before the reads of a step, and copies
    the buffer at each step otherwise.
    """

    kernel: Delayed | Factored | Float[Array, "n n_out"]
    f: Float[Array, "batch n"]
    g: Float[Array, "batch n_out"]


def _opened(w: Any, rows: int, batch: int) -> Any:
    """A weight ready to take updates in so many rows; none waits but zeros."""
    if isinstance(w, Factored):
        wide = w.with_room(len(w.s) + rows)
        kernel = Factored(wide.f, wide.g, wide.s.at[len(w.s) :].set(1))
    elif _delays(w, batch):
        kernel = Delayed.empty(w, rows)
    elif batch > 1 and w.size >= IN_PLACE_FROM:
        kernel = w
    else:
        return w
    none = (jnp.zeros((batch, size), w.dtype) for size in w.shape)
    return _Waiting(kernel, *none)


def _written(w: Any, place: Array, rows: int) -> Any:
    """The weight with the update that waits, in row `place` of those for updates."""
    if not isinstance(w, _Waiting):
        return w
    if not isinstance(w.kernel, Delayed | Factored):
        return added_in_place(w.kernel, w.f, w.g, place >= 0)  # below 0 none waits
    place = jnp.maximum(place, 0)  # zeros at first, over which the first update goes
    if isinstance(w.kernel, Delayed):
        return w.kernel.hold(w.f, w.g, place)
    return w.kernel.put(w.f, w.g, len(w.kernel.s) - rows + place)


def _closed(
    before: Steps, kernels: tuple[Any, ...], k: Array, finite: Array, measures: dynamics.Measures
) -> Steps:
    """The window's updates in the weights; the weights before it if a rank has no room."""
    weights, needed, lost, fits = list(before.weights), [], [], jnp.asarray(True)
    for i, w in enumerate(kernels):
        if isinstance(w, Factored):
            room = len(before.weights[i].s)
            size = jnp.sqrt(jnp.sum(before.weights[i].s ** 2))
            rounding = 10 * jnp.finfo(w.dtype).eps * size
            found = compressed(w, measures[i - 1], measures[i], rounding, room)
            needed.append(found.needed.astype(jnp.int32))
            lost.append(found.discarded)
            fits &= found.needed <= room
            weights[i] = found.kernel
        else:
            weights[i] = w.apply() if isinstance(w, Delayed) else w
    if not needed:
        return before._replace(weights=tuple(weights), k=k, finite=finite)
    fits |= ~finite  # a diverged window is not repeated with more room
    after = Steps(
        tuple(weights), k, finite, fits, jnp.stack(needed), before.discarded + jnp.stack(lost)
    )
    # Only needs are told of a window that is not kept.
    undone = before._replace(fits=fits, needed=after.needed)
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

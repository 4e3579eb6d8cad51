r"""SGD, section 2.1 of the paper: equation (1) driven by one fresh sample a step.

$w_i(k+1) = w_i(k) - \epsilon\,\xi_i(k\epsilon)\,\Delta^w_i(z(k); W(k))$, MF time $t =
k\epsilon$. The gradient carries no $1/n$ (`neuronal.dynamics`), so one learning rate serves
every width. Samples are drawn inside the compiled loop, by a key that is a function of the
step's number alone: a run can be taken up at any step and continues the same stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from . import dynamics
from .errors import require, whole
from .kernels import Delayed, outer
from .network import Network, columns
from .problem import Problem, mean_loss
from .progress import OnRecord, bar
from .quadrature import key_of
from .trajectory import Driver, Report, Segment, Trajectory, record, record_times

_BLOCK_SAMPLES = 2048
"""Samples drawn at once: their random numbers are made in one vector operation."""
_WINDOW, _DELAYED_BATCH, _DELAYED_BYTES = 16, 4, 2**18
"""Steps whose rank-one updates are held back; for batches so small and weights so large."""


class Stream(eqx.Module):
    """An explicit stream of samples: `x (steps, batch, d)`, `y (steps, batch, k)`."""

    x: Float[Array, "steps batch d"]
    y: Float[Array, "steps batch k"]


def train(
    problem: Problem,
    network: Network,
    learning_rate: float,
    until: float,
    key: PRNGKeyArray | int,
    batch_size: int = 1,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    save_at: int | ArrayLike | None = None,
    *,
    since: float = 0.0,
    data_nodes: int = 1024,
    progress: bool | OnRecord = False,
) -> Trajectory:
    r"""Train a network by SGD.

    Args:
        problem: what is learned.
        network: $W(0)$.
        learning_rate: $\epsilon$, the MF time of a step.
        until: MF time at which to stop; `round(until / learning_rate)` steps in all.
        key: of the samples.
        batch_size: samples a step, whose gradients are averaged.
        data: instead of fresh samples, a stream `x (steps, batch, d)` and `y (steps, batch)`
            or `(steps, batch, k)`.
        save_at: MF times to record, or a number of equal intervals (64 if left out); times
            are rounded to whole steps.
        since: MF time of `network`: a run taken up again goes on with the same samples.
        data_nodes: quadrature nodes of $E_Z$ for the recorded risk (finite laws: exact).
        progress: True for a bar, or a callable of `(time, loss, network)`.

    Returns:
        the `Trajectory`; its loss is the risk, not the samples' loss.

    Raises:
        InvalidInput: arguments that do not fit.
        DivergenceError: predictions left the finite numbers.
    """
    require(
        isinstance(network, Network), "network: takes a Network; an embedding makes one by .sample"
    )
    problem.check(network)
    eps = float(learning_rate)
    require(
        np.isfinite(eps) and eps > 0,
        f"learning_rate: takes a positive number, got {learning_rate!r}",
    )
    require(whole(batch_size, 1), f"batch_size: takes an integer >= 1, got {batch_size!r}")
    times = _whole_steps(record_times(save_at, since, until), eps)
    stream = None if data is None else _stream(data, network)
    if stream is not None:
        batch_size = stream.x.shape[1]
        need = round(times[-1] / eps)
        require(
            len(stream.x) >= need,
            f"data: {len(stream.x)} steps of samples, but until / learning_rate is {need}",
        )
        problem.loss.check(stream.y.reshape(-1, stream.y.shape[2]), network.output_dim)
    law = problem.quadrature(data_nodes, network.weights[0].dtype)
    key = key_of(key)
    block = max(1, min(256, _BLOCK_SAMPLES // batch_size))

    def advance(w: dynamics.Kernels, memory: object, t0: float, t1: float) -> Segment:
        first, last = round(t0 / eps), round(t1 / eps)
        w, k, finite = _steps(
            network.with_weights(w),
            problem,
            stream,
            key,
            jnp.asarray(eps, w[0].dtype),
            jnp.int32(first),
            jnp.int32(last),
            batch_size,
            block,
        )
        return Segment(w, None, int(k) * eps, bool(finite), steps=int(k) - first)

    driver = Driver(
        advance,
        lambda w: float(mean_loss(network.with_weights(w), problem.loss, *law)),
        snap=lambda t: np.floor(t / eps * (1 + 1e-9)) * eps,
    )
    report = Report(
        f"SGD, learning rate {eps:g}, batch {batch_size}",
        f"a network of widths {network.widths}",
    )
    with bar(f"SGD, widths {network.widths}", times[0], times[-1], progress) as on_record:
        return record(driver, network, list(times), report, on_record)


@eqx.filter_jit
def _steps(
    network: Network,
    problem: Problem,
    stream: Stream | None,
    key: PRNGKeyArray,
    eps: Float[Array, ""],
    first: Int[Array, ""],
    last: Int[Array, ""],
    batch: int,
    block: int,
) -> tuple[dynamics.Kernels, Int[Array, ""], Bool[Array, ""]]:
    """Steps `first` to `last - 1`; fewer if a prediction is not finite."""
    dtype = network.weights[0].dtype
    draw = _draw(problem, stream, key, batch, block)
    sample_weights = jnp.full(batch, 1 / batch, dtype)
    middle = [batch <= _DELAYED_BATCH and w.nbytes >= _DELAYED_BYTES for w in network.weights[1:-1]]
    delayed = [False, *middle, False]
    window = _WINDOW if any(delayed) else block

    def step(carry: Any) -> Any:
        k, j, samples, kernels, _ = carry
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
        place = (j % window) * batch
        kernels = tuple(
            w.hold(f, g, place) if isinstance(w, Delayed) else w + outer(f, g)
            for w, (f, g) in zip(kernels, pairs, strict=True)
        )
        return k + 1, j + 1, samples, kernels, jnp.all(jnp.isfinite(prediction))

    def going(carry: Any, end: Int[Array, ""]) -> Array:
        k, j, _, _, finite = carry
        return (j < end) & (k < last) & finite

    def run_window(carry: Any) -> Any:
        k, j, samples, weights, finite = carry
        kernels = tuple(
            Delayed.empty(w, window * batch) if held else w
            for w, held in zip(weights, delayed, strict=True)
        )
        carry = (k, j, samples, kernels, finite)
        *rest, kernels, finite = jax.lax.while_loop(
            lambda carry: going(carry, j + window), step, carry
        )
        weights = tuple(w.apply() if isinstance(w, Delayed) else w for w in kernels)
        return *rest, weights, finite

    def run_block(carry: Any) -> Any:
        k, weights, finite = carry
        k, _, _, weights, finite = jax.lax.while_loop(
            lambda carry: going(carry, jnp.int32(block)),
            run_window,
            (k, jnp.int32(0), draw(k), weights, finite),
        )
        return k, weights, finite

    k, weights, finite = jax.lax.while_loop(
        lambda carry: (carry[0] < last) & carry[2],
        run_block,
        (first, network.weights, jnp.asarray(True)),
    )
    return weights, k, finite


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


def _stream(data: tuple[ArrayLike, ArrayLike], network: Network) -> Stream:
    require(len(data) == 2, "data: takes a pair (x, y)")
    x, y = map(jnp.asarray, data)
    require(
        x.ndim == 3 and x.shape[2] == network.input_dim,
        f"data: x takes shape (steps, batch, {network.input_dim}), got {x.shape}",
    )
    require(
        y.shape[:2] == x.shape[:2] and y.ndim in (2, 3),
        f"data: y takes shape (steps, batch) or (steps, batch, k), got {y.shape}",
    )
    flat = columns("data", x.reshape(-1, x.shape[2])).reshape(x.shape)
    targets = columns("data", y.reshape(x.shape[0] * x.shape[1], -1))
    return Stream(flat, targets.reshape(*x.shape[:2], -1))


def _whole_steps(times: Float[np.ndarray, "T"], eps: float) -> Float[np.ndarray, "T"]:
    steps = np.unique(np.round(times / eps).astype(int))
    require(len(steps) > 1, f"until: less than one step of learning_rate {eps:g}")
    return steps * eps

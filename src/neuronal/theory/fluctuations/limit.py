"""The limit as its fluctuations need it: recorded, with its own error, and looked at a few times."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from ...checks import require
from ...distributions import Distribution, Samples
from ...drivers.ode.accuracy import ORDERS
from ...drivers.ode.solve import solve
from ...drivers.ode.stepper import RightHandSide
from ...drivers.ode.stiffness import spectral_radius
from ...embeddings import AbstractEmbedding
from ...embeddings.base import Rules
from ...kernels.memory import require_memory
from ...network import Network
from ...problem import Problem
from ...widths.resample import influences
from ..tangent import tangent_kernel
from .estimates import loss_along

LOOKS = 5
"""Times at which influences and the tangent kernel are looked at."""
_MATRICES = 16
"""Matrices between layers held at once: three of a direction, the stages of a step, and the limit's."""
_MOST_KERNEL = 2048
"""Inputs times outputs up to which the tangent kernel is formed."""


class Limit(NamedTuple):
    """The limit, as it is recorded.

    Attributes:
        network: its neurons at t = 0, on which derivatives are taken.
        data: the samples of $E_Z$; behind them, with weight zero, those of another law that judges.
        mass: the law by which risks and predictions are told, on
        rows: those of `data` that it is on.
        looks: a few times; there
        influences: of each hidden layer, `(m k, n_i)`, with the law of x in their scale, and
        kernels: the tangent kernel, None where it is large, and
        sharpness: the largest rate at which the prediction forgets a perturbation, by the kernel of some
            inputs: the largest eigenvalue of the kernel times the loss's curvature, and
        traces: the sum of them all.
        radius: takes MF times to the spectral radius of the motion of weights there; single neurons
            may be faster than any change of the prediction.
        risk, risk_error: `(T,)`.
        predictions: `(T, m, k)`.
    """

    network: Network
    data: Samples
    mass: Float[np.ndarray, "m"]
    rows: slice
    times: Float[np.ndarray, "T"]
    looks: Float[np.ndarray, "a"]
    influences: list[list[Float[np.ndarray, "_ n"]]]
    kernels: Float[np.ndarray, "a mk mk"] | None
    sharpness: Float[np.ndarray, "a"]
    traces: Float[np.ndarray, "a"]
    radius: Callable[[Float[np.ndarray, "_"]], Float[np.ndarray, "_"]]
    risk: Float[np.ndarray, "T"]
    risk_error: Float[np.ndarray, "T"]
    predictions: Float[np.ndarray, "T m k"]


def recorded_limit(
    problem: Problem,
    start: AbstractEmbedding | Network,
    until: float,
    nodes: int,
    rule: Rules,
    key: PRNGKeyArray,
    save_at: int | ArrayLike | None,
    data_nodes: int,
    accuracy: float | None,
    judge: Distribution | None,
) -> Limit:
    """The limit solved: once for its derivatives, and as often as its error takes."""
    first, second = jax.random.split(key)
    keep: dict[str, Any] = {"save_at": save_at, "data_nodes": data_nodes}
    solved = partial(solve, problem, start, until, nodes, rule, **keep)
    if isinstance(start, Network):
        _require_random(start)
        require_memory("start", start.widths, _MATRICES)
    else:
        require_memory("nodes", start.sizes(nodes, rule, first), _MATRICES, instead=" of them")
    run = solved(key=first, kernel="dense")
    network = run.at(0.0)
    _require_random(network)
    dtype = network.weights[0].dtype
    own = problem.quadrature(data_nodes, dtype)
    seen = own if judge is None else Problem(judge, problem.loss).quadrature(data_nodes, dtype)
    data, rows = (own, slice(None)) if judge is None else _behind(own, seen)
    predict = lambda run: np.asarray(run.predict(seen.x), np.float64)
    risk_of = lambda run: run.loss if judge is None else _risks(problem, seen, predict(run))
    predictions = predict(run)
    risk, error = risk_of(run), np.zeros(len(run.times))
    if accuracy is not None:
        fine = solved(key=first, accuracy=accuracy)
        risk, predictions = risk_of(fine), predict(fine)
        slope = loss_along(problem.loss, seen, jnp.asarray(predictions, dtype)).slope
        error = float(fine.report.error or 0.0) * np.sqrt(
            np.einsum("m,Tmk->T", seen.weights, slope**2)
        )
    elif isinstance(start, AbstractEmbedding) and isinstance(rule, str) and rule in ORDERS:
        other = solved(key=second)
        gap = np.abs(risk_of(other) - risk) / 2
        risk, error = (risk + risk_of(other)) / 2, np.maximum(gap, np.sqrt(np.mean(gap**2)))
        predictions = (predictions + predict(other)) / 2
    times = np.linspace(0.0, run.times[-1], LOOKS)
    states = [run.at(t) for t in times]
    of_time = lambda t: problem.rates(jnp.asarray(t, data.x.dtype), network.depth)
    few = jnp.arange(0, len(own.x), -(-len(own.x) * network.output_dim // _MOST_KERNEL))
    size = len(few) * network.output_dim
    kernels = np.stack(
        [
            np.asarray(tangent_kernel(at, own.x[few], of_time(t)), np.float64).reshape(size, size)
            for at, t in zip(states, times, strict=True)
        ]
    )
    bends = loss_along(problem.loss, own, jnp.stack([at(own.x) for at in states])).curvature[:, few]
    shares = np.asarray(own.weights, np.float64)[few]
    bends *= (shares / shares.sum())[:, None, None]
    blocks = kernels.reshape(LOOKS, len(few), size // len(few), len(few), -1)
    blocks = np.einsum("amkml->amkl", blocks)
    roots = np.sqrt(np.asarray(seen.weights, np.float64))[:, None, None]
    looks = [influences(at, seen.x) for at in states]
    scaled = [
        [(np.asarray(of[i], np.float64) * roots).reshape(-1, n) for of in looks]
        for i, n in enumerate(network.widths)
    ]
    return Limit(
        network,
        data,
        np.asarray(seen.weights, np.float64),
        rows,
        run.times,
        times,
        scaled,
        kernels if len(few) == len(own.x) else None,
        np.array([_largest(*pair) for pair in zip(kernels, bends, strict=True)]),
        np.einsum("amkl,amlk->a", blocks, bends),
        lambda times: np.array(
            [float(_radius(run.at(t), problem, own, jnp.asarray(t, dtype))) for t in times]
        ),
        risk,
        error,
        predictions,
    )


@eqx.filter_jit
def _radius(
    network: Network, problem: Problem, data: Samples, t: Float[Array, ""]
) -> Float[Array, ""]:
    right_hand_side = RightHandSide(problem.motion(network), data, jnp.zeros_like(t))
    changes = right_hand_side(t, network.weights)
    found = spectral_radius(right_hand_side, t, network.weights, network.measures, changes)
    return found.radius


def _behind(own: Samples, others: Samples) -> tuple[Samples, slice]:
    """Samples with others of weight zero behind them, which take no part in the motion; the rows of these."""
    x, y = (jnp.concatenate(pair) for pair in zip(own[:2], others[:2], strict=True))
    weights = jnp.concatenate([own.weights, jnp.zeros_like(others.weights)])
    return Samples(x, y, weights), slice(len(own.x), None)


def _risks(
    problem: Problem, samples: Samples, predictions: Float[np.ndarray, "T m k"]
) -> Float[np.ndarray, "T"]:
    losses = jax.lax.map(
        lambda a: problem.loss(samples.y, a), jnp.asarray(predictions, samples.x.dtype)
    )
    return np.asarray(losses, np.float64) @ np.asarray(samples.weights, np.float64)


def _largest(kernel: Float[np.ndarray, "mk mk"], bend: Float[np.ndarray, "m k k"]) -> float:
    """The largest eigenvalue of the kernel times the loss's curvature, by power iteration."""
    m, k, _ = bend.shape
    found = np.random.default_rng(0).standard_normal(m * k)
    size = 0.0
    for _ in range(64):
        found = kernel @ np.einsum("mkl,ml->mk", bend, found.reshape(m, k)).reshape(-1)
        size = float(np.linalg.norm(found))
        if size == 0:
            break
        found /= size
    return size


def _require_random(network: Network) -> None:
    """Raise `InvalidInput` where all neurons are alike, which no sampling can tell apart."""
    alike = all(
        bool(jnp.all(w == w[:1]))
        and (i == len(network.weights) - 1 or bool(jnp.all(w == w[:, :1])))
        for i, w in enumerate(network.matrices)
        if i > 0
    )
    alike = alike and bool(jnp.all(network.weights[0] == network.weights[0][:1]))
    require(
        not alike, "start: its neurons are all alike, so that networks of any width are the limit"
    )

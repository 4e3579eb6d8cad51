r"""Section 4: a network and the limit, coupled by their neurons.

Latents $C_i(j)$ are sampled once; the network starts from $w_i^0(C_{i-1}(j), C_i(j'))$. Three
systems then run side by side: SGD on that network, the MF ODE on the very neurons of the
network (its gradient flow), and the limit on quadrature nodes of the embedding. SGD leaves
its flow by the noise of the samples and the step, order $\epsilon^{1/2}$; the flow leaves
the limit by the sampling of neurons, order $n^{-1/2}$.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray
from scipy import stats

from .embeddings import AbstractEmbedding
from .errors import require
from .network import Network
from .problem import Problem
from .quadrature import key_of
from .solve import solve
from .train import train
from .trajectory import Trajectory, record_times

PAIRS = ("sgd-flow", "flow-limit", "sgd-limit")


@dataclass(frozen=True)
class Rate:
    """A fitted exponent: distance ~ width**slope, with its 95 % confidence interval."""

    slope: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.slope:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Coupling:
    """Distances between SGD, the flow of its own neurons, and the limit.

    Attributes:
        widths: `(W,)`.
        times: MF times of the records, `(T,)`.
        risk: of ``sgd`` and ``flow`` `(W, S, T)` over S seeds, and of ``limit`` `(T,)`.
        prediction_distance: for each of `PAIRS`, `(W, S)`: the root mean square over the
            law of X of the difference of predictions, its largest value over times.
        risk_distance: for each of `PAIRS`, `(W, S)`: the largest difference of risks.
        limit: the limit's trajectory.
    """

    widths: tuple[int, ...]
    times: Float[np.ndarray, "T"]
    risk: dict[str, np.ndarray]
    prediction_distance: dict[str, np.ndarray]
    risk_distance: dict[str, np.ndarray]
    limit: Trajectory

    def rate(self, pair: str = "flow-limit", of: str = "prediction") -> Rate:
        """The exponent in the width: one fit a seed, Student's interval over seeds.

        Widths of one seed share neurons, so only seeds are independent.

        Raises:
            InvalidInput: an unknown pair or quantity, or one width alone.
        """
        require(pair in PAIRS, f"pair: {pair!r} is none of {', '.join(PAIRS)}")
        require(of in ("prediction", "risk"), f"of: takes 'prediction' or 'risk', got {of!r}")
        require(len(self.widths) > 1, "widths: a rate takes at least two")
        distances = self.prediction_distance if of == "prediction" else self.risk_distance
        slopes = np.polyfit(np.log(self.widths), np.log(distances[pair]), 1)[0]
        return student(slopes)

    def __str__(self) -> str:
        head = f"{'width':>8}" + "".join(f"{pair:>14}" for pair in PAIRS)
        rows = [
            f"{n:>8}" + "".join(f"{rms(self.prediction_distance[p][i]):>14.3e}" for p in PAIRS)
            for i, n in enumerate(self.widths)
        ]
        return "\n".join(["prediction distance, root mean square over seeds", head, *rows])


def couple(
    problem: Problem,
    embedding: AbstractEmbedding,
    widths: Sequence[int],
    learning_rate: float,
    until: float,
    key: PRNGKeyArray | int,
    *,
    seeds: int = 5,
    batch_size: int = 1,
    nodes: int = 4096,
    rule: str = "sobol",
    rtol: float = 1e-4,
    atol: float = 1e-6,
    save_at: int | ArrayLike | None = 16,
    data_nodes: int = 64,
    progress: bool = False,
) -> Coupling:
    r"""Couple networks of several widths with their limit.

    Args:
        widths: of the networks; the first n neurons of a wider one are the narrower one.
        learning_rate, batch_size: of SGD ($\epsilon$ in MF time).
        until: MF time.
        key: of latents and samples; seed s uses the key folded with s.
        nodes, rule: of the limit. Their error must be well below that of the widest
            network; a second `rule` or more nodes tell.
        rtol, atol: of both ODEs.
        data_nodes: quadrature nodes of $E_Z$ for laws that are not finite.

    Raises:
        InvalidInput: arguments that do not fit.
    """
    require(len(widths) > 0 and min(widths) >= 1, f"widths: takes integers >= 1, got {widths}")
    require(seeds >= 1, f"seeds: takes 1 or more, got {seeds}")
    x, _, weights = problem.quadrature(data_nodes)
    # Whole steps, so that SGD and both ODEs are recorded at the same times.
    times = np.unique(np.round(record_times(save_at, 0.0, until) / learning_rate))
    times = times * learning_rate
    ode = {"rtol": rtol, "atol": atol, "save_at": times, "data_nodes": data_nodes}
    key = key_of(key)

    limit, limit_predictions = _recorded(
        lambda watch: solve(
            problem, embedding, times[-1], nodes=nodes, rule=rule, key=key, progress=watch, **ode
        ),
        x,
    )
    shape = (len(widths), seeds)
    prediction = {pair: np.zeros(shape) for pair in PAIRS}
    risk_gap = {pair: np.zeros(shape) for pair in PAIRS}
    risk = {name: np.zeros((*shape, len(times))) for name in ("sgd", "flow")}
    risk["limit"] = limit.loss
    for s in range(seeds):
        for_latents, for_samples = jax.random.split(jax.random.fold_in(key, s))
        for i, n in enumerate(widths):
            network = embedding.sample(n, for_latents)
            flow, flow_predictions = _recorded(
                lambda watch, net=network: solve(problem, net, times[-1], progress=watch, **ode), x
            )
            sgd, sgd_predictions = _recorded(
                lambda watch, net=network, k=for_samples: train(
                    problem, net, learning_rate, times[-1], k, batch_size,
                    save_at=times, data_nodes=data_nodes, progress=watch,
                ),
                x,
            )  # fmt: skip
            risk["sgd"][i, s], risk["flow"][i, s] = sgd.loss, flow.loss
            runs = {
                "sgd": (sgd_predictions, sgd.loss),
                "flow": (flow_predictions, flow.loss),
                "limit": (limit_predictions, limit.loss),
            }
            for pair in PAIRS:
                (p, r), (p2, r2) = (runs[name] for name in pair.split("-"))
                prediction[pair][i, s] = _sup_distance(p, p2, weights)
                risk_gap[pair][i, s] = np.max(np.abs(r - r2))
            if progress:
                print(f"seed {s} width {n}: " + _line(prediction, i, s), flush=True)
    return Coupling(tuple(widths), times, risk, prediction, risk_gap, limit)


def student(values: Float[np.ndarray, "S"], level: float = 0.95) -> Rate:
    """Mean of independent values with Student's confidence interval; infinite for one value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Rate(mean, -np.inf, np.inf)
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values))
    return Rate(mean, mean - half, mean + half)


def rms(values: Float[np.ndarray, "S"]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def _recorded(run, x: Array) -> tuple[Trajectory, Array]:
    """A run and its predictions at `x` at each record, `(T, m, k)`."""
    predictions: list[Array] = []

    def watch(t: float, loss: float, network: Network) -> None:
        predictions.append(network(x))

    trajectory = run(watch)
    return trajectory, jnp.stack(predictions)


def _sup_distance(p: Array, p2: Array, weights: Array) -> float:
    return float(jnp.max(jnp.sqrt(jnp.sum((p - p2) ** 2, axis=2) @ weights)))


def _line(prediction: dict[str, np.ndarray], i: int, s: int) -> str:
    return ", ".join(f"{pair} {prediction[pair][i, s]:.2e}" for pair in PAIRS)

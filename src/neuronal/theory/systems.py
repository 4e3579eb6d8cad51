r"""The three systems of section 4, run side by side and recorded: SGD, its flow, the limit.

All records are at the same MF times: the prediction on the law of X and, of the first neurons of
each layer, the weights. The limit carries these neurons behind its own nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, PRNGKeyArray

from ..checks import require
from ..distributions import Samples
from ..drivers.ode.solve import solve
from ..drivers.sgd.train import train
from ..drivers.trajectory import Trajectory
from ..embeddings import AbstractEmbedding
from ..network import Network
from ..problem import Problem
from .fits import PAIRS
from .rates import rms


@dataclass
class Run:
    """What is compared of a run, at each record.

    Attributes:
        loss: the risk, `(T,)`.
        predictions: on the law of X, `(T, m, k)`.
        weights: of each layer, among the neurons compared, `(T, ...)`; none if none are compared.
        trajectory: the run itself; None of one that was read from a file.
    """

    loss: Float[np.ndarray, "T"]
    predictions: Float[np.ndarray, "T m k"]
    weights: list[Float[np.ndarray, "T _ _"]]
    trajectory: Trajectory | None = None


@dataclass(frozen=True)
class Systems:
    """What the systems of one coupling have in common.

    Attributes:
        law: the samples of $E_Z$, on which predictions are compared.
        times: of the records.
        key: of latents and samples; seed s uses the key folded with s.
        nodes, rule: of the limit.
        carried: neurons per layer that the limit carries, 0 for none.
        batch_size: of SGD.
        data_nodes: quadrature nodes of $E_Z$ for the risks.
        tolerances: `rtol` and `atol` of the ODEs.
    """

    problem: Problem
    embedding: AbstractEmbedding
    law: Samples
    times: Float[np.ndarray, "T"]
    key: PRNGKeyArray
    nodes: int
    rule: str
    carried: int
    batch_size: int
    data_nodes: int
    tolerances: dict[str, float]

    def network(self, width: int, seed: int) -> Network:
        """The network of a seed at t = 0; the first neurons of a wider one are the narrower one."""
        return self.embedding.sample(width, self._keys(seed)[0])

    def limit(self, seed: int) -> Run:
        """The limit, with the first neurons of the seed's networks if it carries any."""
        if not self.carried:
            return self._ode(self.embedding.quadrature(self.nodes, self.rule, self.key), None)
        layers = range(1, self.embedding.depth)
        for_latents = self._keys(seed)[0]
        latents = [self.embedding.latents(i, self.carried, for_latents) for i in layers]
        joint = self.embedding.quadrature(self.nodes, self.rule, self.key, carry=latents)
        return self._ode(joint, slice(-self.carried, None))

    def flow(self, network: Network, kept: int) -> Run:
        """Gradient flow of a network's own neurons; the weights of the first `kept` are compared."""
        return self._ode(network, _first_or_none(kept))

    def sgd(self, network: Network, learning_rate: float, seed: int, kept: int) -> Run:
        """SGD from that network; the weights of the first `kept` neurons are compared."""
        for_samples = self._keys(seed)[1]
        how: dict[str, Any] = {
            "batch_size": self.batch_size,
            "save_at": self.times,
            "data_nodes": self.data_nodes,
        }
        run = partial(
            train, self.problem, network, learning_rate, self.times[-1], for_samples, **how
        )
        return _watched(run, self.law.x, _first_or_none(kept))

    def _ode(self, network: Network, kept: slice | None) -> Run:
        how: dict[str, Any] = {"save_at": self.times, "data_nodes": self.data_nodes}
        run = partial(solve, self.problem, network, self.times[-1], **self.tolerances, **how)
        return _watched(run, self.law.x, kept)

    def _keys(self, seed: int) -> tuple[Array, Array]:
        """Keys of a seed's latents and of its samples."""
        for_latents, for_samples = jax.random.split(jax.random.fold_in(self.key, seed))
        return for_latents, for_samples


def distances(a: Run, b: Run, weights: Array, kept: int) -> dict[str, float | np.ndarray]:
    """The largest distances over times: of predictions, risks and weights (`kept` neurons).

    Args:
        weights: of the samples, `(m,)`.
    """
    p, q = jnp.asarray(a.predictions), jnp.asarray(b.predictions)
    found: dict[str, float | np.ndarray] = {
        "prediction": float(jnp.max(jnp.sqrt(jnp.sum((p - q) ** 2, axis=2) @ weights))),
        "risk": float(np.max(np.abs(a.loss - b.loss))),
    }
    if kept:
        pairs = zip(_first(a.weights, kept), _first(b.weights, kept), strict=True)
        gaps = [np.abs(u - v) for u, v in pairs]
        found["weight_max"] = np.asarray([np.max(layer) for layer in gaps])
        found["weight_rms"] = np.asarray([max(map(rms, layer)) for layer in gaps])
    return found


def _first(weights: list[np.ndarray], kept: int) -> list[np.ndarray]:
    """The weights among the first `kept` neurons; inputs and outputs are all kept."""
    first, *middle, last = weights
    return [first[:, :kept], *(w[:, :kept, :kept] for w in middle), last[:, :kept]]


def _first_or_none(kept: int) -> slice | None:
    return slice(0, kept) if kept else None


def _watched(run: Callable[..., Trajectory], x: Array, kept: slice | None) -> Run:
    """A run with its predictions, and its weights among the neurons `kept`, at each record."""
    predictions: list[np.ndarray] = []
    weights: list[list[np.ndarray]] = []

    def watch(t: float, loss: float, network: Network) -> None:
        predictions.append(np.asarray(network(x)))
        if kept is not None:
            first, *middle, last = network.matrices
            inner = [w[kept, kept] for w in middle]
            weights.append([np.asarray(w) for w in (first[kept], *inner, last[kept])])

    trajectory = run(progress=watch)
    layers = [np.stack(layer) for layer in zip(*weights, strict=True)]
    return Run(trajectory.loss, np.stack(predictions), layers, trajectory)


def common_times(times: Float[np.ndarray, "T"], rates: Float[np.ndarray, "E"]) -> np.ndarray:
    """Times that are whole steps of every learning rate."""
    largest = rates.max()
    whole = np.round(largest / rates)
    require(
        bool(np.allclose(whole * rates, largest, rtol=1e-6)),
        "learning_rate: several must divide the largest, so that they share times",
    )
    steps = np.unique(np.round(times / largest))
    require(len(steps) > 1, f"until: less than one step of learning_rate {largest:g}")
    return steps * largest


def empty_dataset(
    rates: np.ndarray,
    widths: Sequence[int],
    seeds: int,
    times: np.ndarray,
    depth: int,
    carried: int,
) -> xr.Dataset:
    """A coupling's dataset, all NaN."""
    coords = {
        "pair": list(PAIRS),
        "learning_rate": rates,
        "width": list(widths),
        "seed": np.arange(seeds),
        "time": times,
        "layer": np.arange(1, depth + 1),
    }
    runs = ("learning_rate", "width", "seed")
    shapes = {
        "prediction": ("pair", *runs),
        "risk": ("pair", *runs),
        "risk_sgd": (*runs, "time"),
        "risk_flow": ("width", "seed", "time"),
        "risk_limit": ("time",),
    }
    if carried:
        shapes |= dict.fromkeys(("weight_rms", "weight_max"), ("pair", *runs, "layer"))
    else:
        del coords["layer"]
    arrays = {
        name: (dims, np.full([len(coords[d]) for d in dims], np.nan))
        for name, dims in shapes.items()
    }
    data = xr.Dataset(arrays, coords)
    data["time"].attrs["units"] = "MF time"
    return data

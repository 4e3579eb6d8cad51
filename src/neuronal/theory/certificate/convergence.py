r"""Assumption 1.3 along a run: weighted distances to a limit, ess-sup $|\partial_t w_L|$.

The limits $\bar w_i$ are those of $t \to \infty$; the run's end stands for them, so that the
distances vanish there by construction. What a run can show is how they fall before it.
"""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...bounds.finding import MEASURED, UNKNOWN
from ...distributions import Samples
from ...network import Network
from ...problem import Problem
from .rows import Row, span

_STATEMENTS = {
    "first": "E[|w_1(t) - w_1*| prod_(j>1) |w_j*|] -> 0",
    "later": "E[|w_i(t) - w_i*| prod_(j>i) |w_j*|] -> 0",
    "speed": "ess-sup |d/dt w_L| -> 0",
}


def weighted_distances(network: Network, final: Network) -> Float[np.ndarray, "L"]:
    r"""$\mathbb{E}[|w_i - \bar w_i| \prod_{j>i} |\bar w_j|]$ of all layers, `final` being $\bar w$.

    The product is averaged from the output down, one layer at a time: it is a chain. Over
    outputs it is summed, as the prediction's error is.
    """
    measures = [np.asarray(p, float) for p in network.measures]
    distances = []
    beyond = np.ones(network.output_dim)  # E of the product beyond a layer, given its neuron
    for i in range(network.depth - 1, -1, -1):
        w, limit = (np.asarray(n.matrices[i], float) for n in (network, final))
        outgoing = beyond if i == network.depth - 1 else measures[i] * beyond
        if i == 0:
            distances.append(float(np.linalg.norm(w - limit, axis=1) @ outgoing))
        else:
            distances.append(float(measures[i - 1] @ np.abs(w - limit) @ outgoing))
            beyond = np.abs(limit) @ outgoing
    return np.array(distances[::-1])


def last_speed(network: Network, problem: Problem, law: Samples, t: float) -> float:
    r"""$\max_{c} |\partial_t w_L(t, c, \cdot)|$ over the nodes of positive mass."""
    return _largest(velocity(network, problem, law, jnp.asarray(t), -1), network)


def _largest(velocity: Float[Array, "n k"], network: Network) -> float:
    """Of the last layer, over the nodes of positive mass."""
    return float(np.max(np.abs(np.asarray(velocity)[np.asarray(network.measures[-1]) > 0])))


@eqx.filter_jit
def velocity(network: Network, problem: Problem, law: Samples, t: Array, place: int) -> Array:
    r"""$\partial_t w$ of the layer in that place among all."""
    t = t.astype(network.weights[0].dtype)
    return problem.motion(network).velocity(t, network.matrices, law)[place]


def convergence_rows(
    networks: Mapping[float, Network],
    problem: Problem,
    law: Samples,
    depth: int,
    last_velocities: Mapping[float, Float[Array, "n k"]] | None = None,
) -> list[Row]:
    """Three rows; `unknown` with fewer than three times, or where nothing has begun to fall.

    Args:
        last_velocities: of $w_L$, where weights alone do not tell them.
    """
    names = {
        "first": "1.3 distance of w_1",
        "later": f"1.3 distance of w_{span(range(2, depth + 1))}",
        "speed": f"1.3 speed of w_{depth}",
    }
    if len(networks) < 3:
        why = "no trajectory given" if len(networks) == 1 else "fewer than three records in time"
        return [Row(names[k], says, UNKNOWN, "", why) for k, says in _STATEMENTS.items()]
    times = np.array(list(networks))
    final = list(networks.values())[-1]
    distances = np.array([weighted_distances(w, final) for w in networks.values()])
    if last_velocities is None:
        speeds = [last_speed(w, problem, law, t) for t, w in networks.items()]
    else:
        speeds = [_largest(last_velocities[t], w) for t, w in networks.items()]
    rows = []
    for kind, columns in (("first", [0]), ("later", list(range(1, depth)))):
        detail = {"time": times.tolist()}
        detail |= {f"w_{i + 1}": distances[:, i].tolist() for i in columns}
        rows.append(
            distance_row(names[kind], _STATEMENTS[kind], times, distances[:, columns], detail)
        )
    rows.append(speed_row(names["speed"], _STATEMENTS["speed"], times, np.array(speeds)))
    return rows


def distance_row(
    name: str, says: str, times: np.ndarray, distances: np.ndarray, detail: dict[str, list[float]]
) -> Row:
    """Whether distances `(times, layers)` to the end have begun to fall half-way."""
    middle = len(times) // 2
    start = distances[0]
    if not np.any(start > 0):
        return Row(name, says, MEASURED, 0.0, "the weights never move", detail=detail)
    shares = distances[middle] / np.where(start > 0, start, 1)
    worst = int(np.argmax(shares))
    falls = bool(np.all(distances[middle] < np.where(start > 0, start, np.inf)))
    how = (
        f"share of the distance at t = {times[0]:g} ({start[worst]:.3g}) that is left at t = "
        f"{times[middle]:.4g}, worst layer; the weights at t = {times[-1]:g} stand for the limits"
    )
    return Row(name, says, MEASURED if falls else UNKNOWN, float(shares[worst]), how, detail=detail)


def speed_row(name: str, says: str, times: np.ndarray, speeds: np.ndarray) -> Row:
    """Whether a speed falls, and by which power of time at the end."""
    detail = {"time": times.tolist(), "speed": speeds.tolist()}
    how = f"largest over nodes at t = {times[-1]:g}; {speeds[0]:.3g} at t = {times[0]:g}"
    falls = speeds[-1] < speeds[0] or speeds[-1] == 0
    late = (times >= times[-1] / 4) & (times > 0) & (speeds > 0)
    if np.sum(late) >= 3:
        power = np.polyfit(np.log(times[late]), np.log(speeds[late]), 1)[0]
        how += f", going as t^{power:.2g} at the end"
        falls = falls and power < 0
    if not falls:
        how += "; it does not fall there"
    status = MEASURED if falls else UNKNOWN
    return Row(name, says, status, float(speeds[-1]), how, detail=detail)

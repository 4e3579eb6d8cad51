"""`certify`: every condition of Assumption 1 and Theorem 2, in the paper's order."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Array, PRNGKeyArray

from ...bounds.finding import UNKNOWN
from ...checks import require, shown
from ...drivers.trajectory import Trajectory
from ...embeddings import AbstractEmbedding
from ...network import Network
from ...problem import Problem
from .approximation import approximation_rows
from .conclusion import conclusion_rows, law_of
from .convergence import convergence_rows
from .diversity import Targets, diversity_rows
from .document import Certificate
from .independent import independent_rows
from .moments import moment_rows
from .regularity import activation_rows, input_row, loss_rows
from .rows import Row
from .schedules import last_rate_row, schedule_rows
from .units import bias_rows, unit_rows

_RECORDS = 9
_HORIZON = 100.0


def certify(
    problem: Problem,
    embedding: AbstractEmbedding,
    trajectory: Trajectory | None = None,
    *,
    nodes: int = 128,
    data_nodes: int = 256,
    targets: Mapping[int, Targets] | None = None,
    key: PRNGKeyArray | int = 0,
    title: str = "",
) -> Certificate:
    r"""Answer Assumption 1 and Theorem 2's conclusion, condition by condition.

    Of independent weights, L = 3, also the theorem on three layers (`certificate.independent`).

    Args:
        problem, embedding: what is certified.
        trajectory: a run of that limit (`solve`), for the conditions along time; those are
            unknown without one. Times are MF times.
        nodes, key: the quadrature of neurons if there is no trajectory.
        data_nodes: nodes of X for expectations over X; a finite law is taken whole.
        targets: of some layers (incoming, outgoing) functions whose distance to the neurons is
            measured beside that of random ones: `(t, n_{i-1})` and `(t, n_{i+1})` at the
            limit's nodes (d for i = 1, k for i = L - 1).

    Raises:
        InvalidInput: a problem, embedding, trajectory or targets that do not fit each other.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, 3, rank=4)
        >>> certificate = nr.certify(problem, embedding, nodes=16)
        >>> {row.status for row in certificate.rows} <= {"proved", "measured", "violated", "unknown"}
        True

        ```
    """
    require(isinstance(problem, Problem), "problem: takes a Problem")
    require(isinstance(embedding, AbstractEmbedding), "embedding: takes an embedding")
    problem.check(embedding)
    for name, value in (("nodes", nodes), ("data_nodes", data_nodes)):
        require(int(value) == value and value >= 2, f"{name}: takes 2 or more, got {shown(value)}")
    networks = _networks(embedding, trajectory, nodes, key)
    times = list(networks)
    horizon = times[-1] if times[-1] > 0 else _HORIZON
    recorded = {}
    if trajectory is not None:
        recorded = dict(zip(map(float, trajectory.times), map(float, trajectory.loss), strict=True))
    depth, activations = embedding.depth, embedding.activations
    schedules = problem.layer_schedules(depth)
    data = law_of(problem, embedding.output_dim, data_nodes)
    first = next(iter(networks.values()))
    law = problem.quadrature(data_nodes, first.weights[0].dtype)
    ends = {t: networks[t] for t in dict.fromkeys((times[0], times[-1]))}
    rows = [
        *activation_rows(activations),
        *loss_rows(problem.loss, problem.distribution, activations[-1]),
        input_row(problem.distribution),
        *schedule_rows(schedules, horizon),
        *moment_rows(embedding),
        *diversity_rows(embedding, ends, data.x, targets),
        *convergence_rows(
            networks, problem, law, depth, _last_velocities(problem, trajectory, times)
        ),
        *approximation_rows(activations, problem.distribution, ends, data),
        *unit_rows(ends, data.x),
        *bias_rows(embedding),
        last_rate_row(schedules, horizon),
        *_motion_rows(problem, depth),
        *conclusion_rows(problem, networks, recorded, data),
    ]
    rows += independent_rows(problem, embedding, networks, data, law, rows)
    return Certificate(title or _title(problem, embedding), tuple(rows))


def _motion_rows(problem: Problem, depth: int) -> list[Row]:
    """A row where the motion has terms that the paper's system does not."""
    outside = problem.outside(depth)
    if not outside:
        return []
    says = "weights move by equation (2) alone"
    return [Row("2 motion", says, UNKNOWN, "", "; ".join(outside))]


def _last_velocities(
    problem: Problem, trajectory: Trajectory | None, times: list[float]
) -> dict[float, Array] | None:
    """Of the last layer, where momentum carries them; None elsewhere."""
    if trajectory is None or problem.momentum is None:
        return None
    motion = problem.motion(trajectory.network)
    return {t: trajectory.state_at(t).phase(motion)[-1] for t in times}


def _networks(
    embedding: AbstractEmbedding, trajectory: Trajectory | None, nodes: int, key: PRNGKeyArray | int
) -> dict[float, Network]:
    """The limit at a few times from first to last of the records, or at t = 0 alone."""
    if trajectory is None:
        return {0.0: embedding.quadrature(nodes, key=key)}
    network = trajectory.network
    same = (network.depth, network.input_dim, network.output_dim)
    require(
        same == (embedding.depth, embedding.input_dim, embedding.output_dim)
        and network.activations == embedding.activations
        and network.unit == embedding.unit,
        "trajectory: is not one of this embedding (depth, dimensions, activations or unit differ)",
    )
    last = len(trajectory.times) - 1
    chosen = sorted({round(last * i / (_RECORDS - 1)) for i in range(_RECORDS)})
    times = [float(trajectory.times[i]) for i in chosen]
    return {t: trajectory.at(t) for t in times}


def _title(problem: Problem, embedding: AbstractEmbedding) -> str:
    kind, law = type(embedding).__name__, type(problem.distribution).__name__
    return f"Certificate: {kind}, L = {embedding.depth}, {problem.loss.name} loss, {law} law"

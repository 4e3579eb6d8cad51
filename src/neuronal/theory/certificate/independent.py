r"""Independent weights, L = 3: the conditions of Pham and Nguyen's theorem on three layers.

At L = 3 bidirectional diversity fails for independent weights, and another theorem takes its place: the
support of $w_1^0$ alone has to be full, $\varphi_2'$ vanishes nowhere, and the last layer rests, or starts
better than without any ("Global Convergence of Three-layer Neural Networks in the Mean Field Regime",
ICLR 2021, Assumptions 1 to 3 and Theorem 8). Its other conditions have rows in 1.1, 1.4 and 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ...bounds.finding import MEASURED, PROVED, STATUSES, UNKNOWN, VIOLATED, Finding
from ...bounds.proofs import certified
from ...distributions import Samples
from ...distributions.conditional import Conditional
from ...embeddings import AbstractEmbedding
from ...embeddings.independence import Independence
from ...network import Network
from ...problem import Problem
from ...schedules import AbstractSchedule, Schedule
from ...units.linear import LINEAR
from .convergence import distance_row, speed_row, velocity
from .regularity import nonzero_row
from .rows import Row

SECTION = "NP20"
_SHARED = ("1.1 phi", "1.1 d2L", "1.1 X", "1.1 xi", "1.4 phi_1", "2 case", "2 motion")
"""Names of rows, as they begin, of conditions that both theorems have."""


def independent_rows(
    problem: Problem,
    embedding: AbstractEmbedding,
    networks: Mapping[float, Network],
    data: Conditional,
    law: Samples,
    others: Sequence[Row],
) -> list[Row]:
    """A row per condition, and one of all; none for an embedding that the theorem does not speak of.

    Args:
        others: the rows of all other sections.
    """
    stated = embedding.independence()
    if stated is None or embedding.unit != LINEAR or embedding.biases is not None:
        return []
    schedules = problem.layer_schedules(3)
    rows = [
        Row(f"{SECTION} w_1 support", "supp w_1(C_1) = R^d", *stated.support),
        Row(f"{SECTION} w_2,3 bounded", "ess-sup |w_2|, |w_3| <= K", *stated.bounded),
        nonzero_row(embedding.activations[1], 2, SECTION),
        *_last_layer_rows(problem, schedules, stated, next(iter(networks.values())), data),
        *_convergence_rows(problem, networks, law),
    ]
    return [*rows, _all_of([*rows, *(r for r in others if r.condition.startswith(_SHARED))])]


def constant_value(schedule: Schedule) -> float | None:
    """The value of a schedule that is proved to be constant; None of others."""
    form = schedule.interval_form() if isinstance(schedule, AbstractSchedule) else None
    if form is None or certified(form.slope, 0.0, "", "").status != PROVED:
        return None
    return float(schedule(jnp.zeros(())))


def _last_layer_rows(
    problem: Problem,
    schedules: Sequence[Schedule],
    stated: Independence,
    start: Network,
    data: Conditional,
) -> list[Row]:
    """The rates, and of the last layer what its rate asks for."""
    one, two, last = map(constant_value, schedules)
    says = "xi_1 = xi_2 = 1, and xi_3 = 0 or 1, up to a change of time"
    rates = f"{SECTION} xi"
    if one and one == two and last in (0.0, one):
        found = Finding(PROVED, one, f"constant; xi_3 = {last:g}")
    elif None in (one, two, last):
        found = Finding(
            UNKNOWN, "", "not constant, or not proved to be; the theorem takes constants"
        )
    elif one and two:
        how = f"{one:g}, {two:g}, {last:g}: 'for simplicity', as it is stated, they are equal"
        found = Finding(UNKNOWN, "", how)
    else:
        found = Finding(VIOLATED, 0.0, "a layer that has to move rests")
    row = Row(rates, says, *found)
    if last == 0.0:
        return [
            row,
            Row(f"{SECTION} w_3 nonzero", "xi_3 = 0: P(w_3 != 0) > 0", *stated.last_nonzero),
        ]
    return [row, _start_row(problem, stated, start, data)]


def _start_row(problem: Problem, stated: Independence, start: Network, data: Conditional) -> Row:
    """That the first risk is below that of the output of no weights.

    At the start w_3 is independent of H_2: H_3 = E[w_3] E[phi_2(H_2)], without the nodes of w_3.
    """
    phi_2, phi_3 = start.activations[1:]
    averages = phi_2(start.preactivations(data.x)[1]) @ start.measures[1]
    predictions = phi_3(stated.last_mean * averages)
    without = phi_3(jnp.zeros_like(averages))
    first, none = (
        float(data.mass @ data.risk_and_gradient(problem.loss, np.asarray(p, float)[:, None])[0])
        for p in (predictions, without)
    )
    digits = 16 * float(jnp.finfo(start.weights[0].dtype).eps)
    how = f"E[L(Y, prediction)] = {first:.6g} at t = 0, E[L(Y, phi_3(0))] = {none:.6g}"
    if stated.last_mean == 0:
        how += "; w_3 has mean 0, and the prediction starts at phi_3(0)"
    below = first < none * (1 - digits)
    return Row(
        f"{SECTION} start", "xi_3 = 1: E[L(Y, prediction)] < E[L(Y, phi_3(0))] at t = 0",
        MEASURED if below else VIOLATED, first - none, f"{how}; on {len(data.x)} nodes of X",
    )  # fmt: skip


def weighted_distances(network: Network, final: Network) -> Float[np.ndarray, "3"]:
    r"""The expectations (3) to (5) of the paper, $\bar w$ being `final`'s.

    $\mathbb{E}[u |w_2^*| |w_1 - w_1^*|]$ and $\mathbb{E}[u |w_2 - w_2^*|]$ with
    $u = (1 + |w_3^*|) |w_3^*|$, and $\mathbb{E}[(1 + |w_3^*|) |w_3 - w_3^*|]$.
    """
    p, q = (np.asarray(m, float) for m in network.measures)
    now, end = ([np.asarray(w, float) for w in of.matrices] for of in (network, final))
    size = np.abs(end[2][:, 0])
    share = q * (1 + size) * size
    first = p * np.linalg.norm(now[0] - end[0], axis=1) @ np.abs(end[1]) @ share
    second = p @ np.abs(now[1] - end[1]) @ share
    third = q * (1 + size) @ np.abs(now[2] - end[2])[:, 0]
    return np.array([first, second, third])


def middle_speed(network: Network, problem: Problem, law: Samples, t: float) -> float:
    r"""$\max_{c_1} \mathbb{E}_{C_2}|\partial_t w_2(t, c_1, C_2)|$ over the nodes of positive mass."""
    speeds = np.abs(np.asarray(velocity(network, problem, law, jnp.asarray(t), 1)))
    averages = speeds @ np.asarray(network.measures[1])
    return float(np.max(averages[np.asarray(network.measures[0]) > 0]))


def _convergence_rows(
    problem: Problem, networks: Mapping[float, Network], law: Samples
) -> list[Row]:
    name, fast = f"{SECTION} distance of w_1-3", f"{SECTION} speed of w_2"
    says = "E[(1 + |w_3*|) prod_(j>i) |w_j*| |w_i(t) - w_i*|], a factor |w_3*| more of i < 3, -> 0"
    stops = "ess-sup E|d/dt w_2(t, C_1, C_2)| over C_1 -> 0"
    why = ""
    if len(networks) < 3:
        why = "no trajectory given" if len(networks) == 1 else "fewer than three records in time"
    elif problem.outside(3):
        why = "weights do not move by equation (2) alone"
    if why:
        return [Row(name, says, UNKNOWN, "", why), Row(fast, stops, UNKNOWN, "", why)]
    times = np.array(list(networks))
    final = list(networks.values())[-1]
    distances = np.array([weighted_distances(w, final) for w in networks.values()])
    speeds = np.array([middle_speed(w, problem, law, t) for t, w in networks.items()])
    detail = {"time": times.tolist()}
    detail |= {f"w_{i + 1}": distances[:, i].tolist() for i in range(3)}
    moved = distances[:, distances[0] > 0]  # a layer at rest is where it will be
    return [
        distance_row(name, says, times, moved if moved.size else distances[:, :1], detail),
        speed_row(fast, stops, times, speeds),
    ]


def _all_of(rows: Sequence[Row]) -> Row:
    """The worst of the conditions' answers; the figure is how many are violated or unknown."""
    worst = max((row.status for row in rows), key=STATUSES.index)
    named = ", ".join(row.condition for row in rows if row.status == worst)
    how = f"{worst}: {named}"
    if worst in (PROVED, MEASURED):
        how = f"all {len(rows)} conditions; measured: {named}"
    open_ = sum(row.status in (UNKNOWN, VIOLATED) for row in rows)
    return Row(f"{SECTION} all conditions", "then the risk falls to its infimum", worst, open_, how)

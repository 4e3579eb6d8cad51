r"""A limit to a given accuracy: how many nodes, how fine in time, and the error reached.

A randomised rule tells its own error: runs with independent randomisations scatter about the
limit. Four of them tell the error on few nodes and on some more, and with it the order at which it falls;
from there on two tell whether it still does. The integration's error is the change by a tenth of
the tolerance, measured where nodes are few; the truncation of factored kernels follows the same
tolerance and is in it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...checks import positive, require, shown
from ...errors import InaccuracyWarning, InvalidInput
from ...kernels import room, with_rows
from ...network import Network
from ..recording import OnRecord, OnRecords, Prepared
from ..trajectory import Trajectory
from .stepper import AbstractStepper

Predicted = tuple[Trajectory, Float[Array, "T m k"]]
"""A run, and its predictions at the recorded times."""
Sizes = tuple[tuple[int, ...], tuple[int, ...]]
"""Of a stepper (`AbstractStepper.room`), and the rows of each layer's kernel."""
Run = Callable[[int, PRNGKeyArray, float, Sizes | None], Predicted]
"""A limit on a number of nodes, by a key, with `rtol`, from sizes that are known to serve."""

RANDOMISATIONS = 4
MOST_NODES = 2**20
ORDERS = {
    "sobol": (0.8, 1.3),
    "lattice": (0.8, 1.3),
    "antithetic": (0.5, 0.5),
    "monte-carlo": (0.5, 0.5),
}
"""Least and largest power of 1/n by which a rule's error may be expected to fall."""


def refined(
    run: Run,
    accuracy: float,
    nodes: int,
    rule: Any,
    key: PRNGKeyArray,
    weights: Float[Array, "m"],
) -> Trajectory:
    """The run whose error in the prediction is below `accuracy`.

    Args:
        accuracy: root mean square over inputs, worst over recorded times.
        nodes: to begin with.
        rule: one that is among `ORDERS`.
        weights: of the inputs at which runs give predictions.

    Raises:
        InvalidInput: an accuracy that precision or rule cannot give.
    """
    positive("accuracy", accuracy)
    require(
        isinstance(rule, str) and rule in ORDERS,
        f"accuracy: takes a randomised rule ({', '.join(ORDERS)}), whose scatter tells the error; "
        f"got {shown(rule)}",
    )
    keys = list(jax.random.split(key, RANDOMISATIONS))

    def distance(a: Array, b: Array) -> float:
        squares = jnp.sum((a - b) ** 2, axis=2) @ weights
        return float(jnp.sqrt(jnp.max(squares)))

    rtol, in_time = _fine_enough(run, accuracy, nodes, keys[0], distance)

    def scatter(predictions: Sequence[Array]) -> float:
        mean = sum(predictions[1:], predictions[0]) / len(predictions)
        squares = sum(distance(one, mean) ** 2 for one in predictions)
        return math.sqrt(squares / (len(predictions) - 1))

    slowest, fastest = ORDERS[rule]
    order = None
    before: tuple[int, float] | None = None
    sizes = None
    while True:
        first, prediction = run(nodes, keys[0], rtol, sizes)
        sizes = sizes_of(first)
        predictions = [prediction, run(nodes, keys[1], rtol, sizes)[1]]
        of_nodes = scatter(predictions)
        expected = 0.0
        if before is not None and order is not None:
            expected = before[1] * (before[0] / nodes) ** order
        if of_nodes < 3 * expected:
            # As many runs told what is expected as would else be made here.
            shares = RANDOMISATIONS - 1, 1
            of_nodes = math.sqrt(np.average([expected**2, of_nodes**2], weights=shares))
        else:
            predictions += [run(nodes, k, rtol, sizes)[1] for k in keys[2:]]
            of_nodes = scatter(predictions)
        error = math.hypot(of_nodes, in_time)
        enough = error <= 0.9 * accuracy
        if enough or nodes >= MOST_NODES:
            break
        if before is not None:
            fallen = math.log(before[1] / of_nodes) / math.log(nodes / before[0])
            order = min(max(fallen, slowest), fastest)
        before = nodes, of_nodes
        factor = (of_nodes / (0.75 * accuracy)) ** (1 / (order or slowest))
        wanted = nodes * min(max(factor, 2.0), 16.0)
        nodes = min(2 ** round(math.log2(wanted)), MOST_NODES)
    first.report.error, first.report.error_in_time = error, in_time
    if not enough:
        warnings.warn(
            f"accuracy: {error:.1e} reached with {nodes} nodes a layer, not {accuracy:g}",
            InaccuracyWarning,
            stacklevel=3,
        )
    return first


def _fine_enough(
    run: Run,
    accuracy: float,
    nodes: int,
    key: PRNGKeyArray,
    distance: Callable[[Array, Array], float],
) -> tuple[float, float]:
    """A tolerance whose error in the prediction is below a third of the accuracy, and that error."""
    rtol = min(accuracy / 10, 1e-3)
    coarse = run(nodes, key, rtol, None)[1]
    finest = 20 * float(jnp.finfo(coarse.dtype).eps)
    while True:
        finer = max(rtol / 10, finest)
        fine = run(nodes, key, finer, None)[1]
        in_time = distance(coarse, fine)
        if in_time <= accuracy / 3:
            return rtol, in_time
        if finer <= 2 * finest:
            raise InvalidInput(
                f"accuracy: {accuracy:g} is finer than {coarse.dtype} integrates to, about "
                f"{3 * in_time:.0e}; take jax.enable_x64(True) or a larger one"
            )
        rtol, coarse = finer, fine


def predicted(
    run: Prepared,
    x: Float[Array, "m d"],
    progress: bool | OnRecord,
    on_record: OnRecords | Sequence[OnRecords] | None = None,
) -> Predicted:
    """A run, and its predictions of x at the recorded times."""
    predictions: list[Array] = []
    watch = lambda t, loss, network: predictions.append(network(x))
    trajectory = run.run(progress, watch, on_record)
    return trajectory, jnp.stack(predictions)


def sizes_of(run: Trajectory) -> Sizes | None:
    """To which a run had grown; None of one that changed its solver on the way.

    Each size is compiled, and sizes depend on tolerances more than on the number of nodes.
    """
    if run.pace is None or run.report.solver or "room" not in run.pace:
        return None
    rows = tuple(room(w) for w in run.network.weights)
    return tuple(np.asarray(run.pace["room"]).tolist()), rows


def with_sizes(
    sizes: Sizes | None, stepper: AbstractStepper, network: Network
) -> tuple[tuple[int, ...], Network]:
    """The stepper's room and the network with its rows, of such sizes if they are of the same kind."""
    if sizes is None or len(sizes[0]) != len(stepper.room) or any(sizes[1]) != network.factored:
        return (), network
    return sizes[0], network.with_weights(with_rows(network.weights, sizes[1]))

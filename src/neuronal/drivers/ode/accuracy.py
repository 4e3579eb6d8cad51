r"""A limit to a given accuracy: how many nodes, how fine in time, and the error reached.

A randomised rule tells its own error: runs with independent randomisations scatter about the
limit. The error of the run returned is its distance from the mean of the others. The
integration's error is the change by a tenth of the tolerance, measured where nodes are few; the
truncation of factored kernels follows the same tolerance and is in it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...checks import positive, require, shown
from ...errors import InaccuracyWarning, InvalidInput
from ..trajectory import Trajectory

Run = Callable[[int, PRNGKeyArray, float], tuple[Trajectory, Float[Array, "T m k"]]]
"""A limit on a number of nodes, by a key, with `rtol`; and its predictions at the recorded times."""

RANDOMISATIONS = 4
MOST_NODES = 2**20
ORDERS = {"sobol": 0.8, "lattice": 0.8, "antithetic": 0.5, "monte-carlo": 0.5}
"""Powers of 1/n by which to expect a rule's error to fall, on the cautious side."""


def refined(
    run: Run,
    accuracy: float,
    nodes: int,
    rule: str,
    key: PRNGKeyArray,
    weights: Float[Array, "m"],
) -> Trajectory:
    """The run whose error in the prediction is below `accuracy`.

    Args:
        accuracy: root mean square over inputs, worst over recorded times.
        nodes: to begin with.
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
    first, predictions = run(nodes, keys[0], rtol)
    others = [run(nodes, keys[1], rtol)[1]]
    while True:
        mean = sum(others[1:], others[0]) / len(others)
        of_nodes = distance(predictions, mean) / np.sqrt(1 + 1 / len(others))
        error = float(np.hypot(of_nodes, in_time))
        enough = error <= 0.9 * accuracy
        if len(others) < RANDOMISATIONS - 1 and (enough or nodes >= MOST_NODES):
            others += [run(nodes, k, rtol)[1] for k in keys[len(others) + 1 :]]
            continue
        if enough or nodes >= MOST_NODES:
            break
        factor = (of_nodes / (0.5 * accuracy)) ** (1 / ORDERS[rule])
        wanted = nodes * min(max(factor, 2.0), 16.0)
        nodes = min(2 ** int(np.ceil(np.log2(wanted))), MOST_NODES)
        first, predictions = run(nodes, keys[0], rtol)
        others = [run(nodes, keys[1], rtol)[1]]
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
    coarse = run(nodes, key, rtol)[1]
    finest = 20 * float(jnp.finfo(coarse.dtype).eps)
    while True:
        finer = max(rtol / 10, finest)
        fine = run(nodes, key, finer)[1]
        in_time = distance(coarse, fine)
        if in_time <= accuracy / 3:
            return rtol, in_time
        if finer <= 2 * finest:
            raise InvalidInput(
                f"accuracy: {accuracy:g} is finer than {coarse.dtype} integrates to, about "
                f"{3 * in_time:.0e}; take jax.enable_x64(True) or a larger one"
            )
        rtol, coarse = finer, fine

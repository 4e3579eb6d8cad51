"""Whether the nodes that a limit has by default, of neurons and of data, are enough for it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...checks import on_device
from ...distributions import Samples
from ...errors import InaccuracyWarning
from ...network import Network
from ...problem import Problem, mean_loss

NODES, DATA_NODES = 1024, 256
"""Of a limit, where none are asked for."""
BALANCED = ("sobol", "lattice")
"""Rules of which half the nodes are such a rule as well."""
_HALVES = 5.0
"""The prediction by half of the nodes is about so many times as far from the limit's as that by all."""
_LEAST = 0.01
"""An error that is not told, relative to the prediction or to the risk at the start."""


def error_of_nodes(network: Network, law: Samples, size: float = 0.0) -> float:
    r"""About the error that the quadrature of neurons leaves in the prediction, relative to its size.

    Half of the nodes of a low-discrepancy rule are such a rule, too: the first and the second
    half of every layer predict alike where nodes are enough. In the root mean square over the
    law of x a trained limit was 3.4 to 7 times nearer to others than its halves to itself (L = 3, 5
    and 8, 128 and 512 nodes), whence a fifth. The least that there is: what an error does to the
    flow later on is not seen, at L = 8 on 256 nodes it was five times as large.

    Args:
        size: a mean square below which the prediction's is not taken, such as that of the targets.
    """
    whole = network(law.x)
    squares = [_square(network_half(network, side)(law.x) - whole, law.weights) for side in (0, 1)]
    size = max(_square(whole, law.weights), size, np.finfo(float).tiny)
    return float(np.sqrt(np.mean(squares) / size)) / _HALVES


def network_half(network: Network, side: int) -> Network:
    """The network with half of every layer's nodes alone, the first (0) or the second."""

    def half(measure: Float[Array, "n"]) -> Array:
        p = np.array(measure)
        middle = len(p) // 2
        if middle > 0:
            p[middle:] *= side
            p[:middle] *= 1 - side
        return on_device(p / p.sum())

    return eqx.tree_at(lambda n: n.measures, network, tuple(map(half, network.measures)))


def warn_of_few(
    problem: Problem,
    network: Network,
    losses: Sequence[float] | Float[np.ndarray, "T"],
    rtol: float,
    nodes: bool,
    data_nodes: int | None,
    title: str = "",
) -> None:
    """Warn where a solved limit is further from converged than its tolerance says.

    Args:
        network, losses: at the end, and the risk over time.
        rtol: the tolerance of its integration; ten times that, and a hundredth, are not told.
        nodes: whether those of the neurons are to be looked at.
        data_nodes: how many of $E_Z$, if they are.

    Warns:
        InaccuracyWarning: with the error found.
    """
    most = max(10 * rtol, _LEAST)
    if nodes:
        law = problem.quadrature(data_nodes or DATA_NODES)
        size = 1.0 if problem.loss.takes_classes else _square(law.y, law.weights)
        error = error_of_nodes(network, law, size)
        if error > most:
            _warn(
                f"{title}nodes: {max(network.widths)} per layer leave an error of {error:.1%} or more in the "
                f"prediction at the end, and the tolerance is {rtol:g}; take more, or an accuracy"
            )
    if data_nodes is None:
        return
    law, finer = problem.quadrature(data_nodes), problem.quadrature(4 * data_nodes)
    if len(finer.x) <= len(law.x):
        return  # a finite law, taken whole
    first, seen = float(losses[0]), float(losses[-1])
    risk = float(mean_loss(network, problem.loss, *finer))
    if abs(risk - seen) > most * abs(first):
        _warn(
            f"{title}data_nodes: the risk at the end is {seen:.3g} on {len(law.x)} nodes of the data and "
            f"{risk:.3g} on {len(finer.x)}, and the tolerance is {rtol:g}; take more"
        )


def _square(values: Float[Array, "m k"], weights: Float[Array, "m"]) -> float:
    return float(jnp.sum(values**2, axis=1) @ weights)


def _warn(words: str) -> None:
    warnings.warn(words, InaccuracyWarning, stacklevel=4)

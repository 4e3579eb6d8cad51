"""A row where the first layer is none of the paper's."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ...bounds.finding import UNKNOWN
from ...network import Network
from ...units.linear import LINEAR
from .rows import Row


def unit_rows(networks: Mapping[float, Network], x: Float[np.ndarray, "g d"]) -> list[Row]:
    r"""How large $h(w_1, x)$ and its slope in $w_1$ are, at the neurons and nodes of X.

    Assumption 1 has $H_1 = \langle w_1, X \rangle$; nothing is claimed of others.
    """
    unit = next(iter(networks.values())).unit
    if unit == LINEAR:
        return []
    sizes = [_sizes(network, x) for network in networks.values()]
    value, slope = (max(parts) for parts in zip(*sizes, strict=True))
    times = list(networks)
    how = (
        f"H_1 = h(w_1, X) of {unit}: the paper's statements do not cover it. At the neurons and "
        f"{len(x)} nodes of X |h| <= {value:.3g} and |grad h| <= {slope:.3g}, the figure"
    )
    detail = {"time": times, "value": [v for v, _ in sizes], "slope": [s for _, s in sizes]}
    return [Row("1 unit", "H_1 = <w_1, X>", UNKNOWN, slope, how, detail=detail)]


def _sizes(network: Network, x: Float[np.ndarray, "g d"]) -> tuple[float, float]:
    theta, points = network.weights[0], network.inputs(x)
    ones = jnp.ones((1, len(theta)), theta.dtype)

    def largest(point: jnp.ndarray) -> jnp.ndarray:
        slopes = network.unit.gradient(theta, point[None], ones)
        return jnp.max(jnp.linalg.norm(slopes, axis=1))

    value = jnp.max(jnp.abs(network.unit.value(theta, points)))
    return float(value), float(jnp.max(jax.lax.map(largest, points)))

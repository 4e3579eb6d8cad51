r"""The tangent kernel: how fast the prediction at one input moves by the loss's gradient at another.

With the weights' velocity $-\xi_i\,\mathbb{E}_Z[\Delta^w_i]$ the prediction moves as $\partial_t \hat y(x) =
-\mathbb{E}_Z[K(x, X)\,\partial_2\mathcal{L}(Y, \hat y(X))]$,

$$K(x, x') = \sum_{i=1}^{L} \xi_i\; \mathbb{E}_{C_{i-1}}[\varphi_{i-1}(H_{i-1}(x, C_{i-1}))\,
\varphi_{i-1}(H_{i-1}(x', C_{i-1}))]\; \mathbb{E}_{C_i}[\tilde\Delta_i(x, C_i)\,
\tilde\Delta_i(x', C_i)],$$

with the sensitivities $\tilde\Delta$ of $\hat y$ itself, $\langle x, x' \rangle$ in the place of the
first average for i = 1 (another unit has its own, `neuronal.units`), and no average over the outputs for
i = L (Jacot, Gabriel and Hongler 2018, in mean-field scaling).
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ..checks import require, several
from ..network import Network


def tangent_kernel(
    network: Network,
    x: ArrayLike,
    rates: Sequence[Float[Array, ""] | float] | None = None,
    x2: ArrayLike | None = None,
) -> Float[Array, "m k m2 k"]:
    r"""The tangent kernel between inputs `x (m, d)` and `x2 (m2, d)`, and between outputs.

    Args:
        rates: $\xi_1, \dots, \xi_L$; 1 if left out.
        x2: `x` if left out.

    Raises:
        InvalidInput: inputs of other shapes, or not L rates.

    !!! example
        ```python
        >>> import jax.numpy as jnp, neuronal as nr
        >>> network = nr.embeddings.IID(2, 2).sample(64, key=0)
        >>> nr.tangent_kernel(network, jnp.ones((3, 2)), x2=jnp.ones((5, 2))).shape
        (3, 1, 5, 1)

        ```
    """
    require(isinstance(network, Network), "network: takes a Network")
    given = (1.0,) * network.depth if rates is None else several("rates", rates, "numbers")
    require(
        len(given) == network.depth,
        f"rates: takes one per layer ({network.depth}), got {len(given)}",
    )
    kernels = layer_kernels(network, network.inputs(x), None if x2 is None else network.inputs(x2))
    total = jnp.zeros(())
    for rate, kernel in zip(given, kernels, strict=True):
        total = total + rate * kernel
    return total


@eqx.filter_jit
def layer_kernels(
    network: Network, x: Float[Array, "m d"], x2: Float[Array, "m2 d"] | None = None
) -> list[Float[Array, "m k m2 k"]]:
    """The parts of the tangent kernel that each layer's weights have, at rates 1."""
    values, deltas = _passes(network, x)
    values2, deltas2 = (values, deltas) if x2 is None else _passes(network, x2)
    others = x if x2 is None else x2
    first = network.unit.tangent(
        network.weights[0], network.measures[0], (x, deltas[0]), (others, deltas2[0])
    )
    ones = jnp.ones(network.output_dim, x.dtype)
    kernels = [first]
    for v, v2, delta, delta2, below, own in zip(
        values[:-1], values2[:-1], deltas[1:], deltas2[1:], network.measures,
        (*network.measures[1:], ones), strict=True,
    ):  # fmt: skip
        inner = (v * below) @ v2.T
        sensitivities = jnp.tensordot(delta * own, delta2, axes=(2, 2))
        kernels.append(inner[:, None, :, None] * sensitivities)
    return kernels


def _passes(
    network: Network, x: Float[Array, "m d"]
) -> tuple[list[Float[Array, "m _"]], list[Float[Array, "m k _"]]]:
    """Values of all layers, and sensitivities of each output."""
    _, values, slopes = network.forward(x)

    def of_output(unit: Float[Array, "k"]) -> list[Float[Array, "m _"]]:
        return network.backward(slopes, jnp.broadcast_to(unit, values[-1].shape))

    return values, jax.vmap(of_output, out_axes=1)(jnp.eye(network.output_dim, dtype=x.dtype))

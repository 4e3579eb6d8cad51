r"""The tangent kernel: how fast the prediction at one input moves by the loss's gradient at another.

With the weights' velocity $-\xi_i\,\mathbb{E}_Z[\Delta^w_i]$ the prediction moves as $\partial_t \hat y(x) =
-\mathbb{E}_Z[K(x, X)\,\partial_2\mathcal{L}(Y, \hat y(X))]$,

$$K(x, x') = \sum_{i=1}^{L} \xi_i\; \mathbb{E}_{C_{i-1}}[\varphi_{i-1}(H_{i-1}(x, C_{i-1}))\,
\varphi_{i-1}(H_{i-1}(x', C_{i-1}))]\; \mathbb{E}_{C_i}[\tilde\Delta_i(x, C_i)\,
\tilde\Delta_i(x', C_i)],$$

with the sensitivities $\tilde\Delta$ of $\hat y$ itself, $\langle x, x' \rangle$ in the place of the
first average for i = 1, and no average over the outputs for i = L (Jacot,
Gabriel and Hongler 2018, in mean-field scaling).
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..network import Network


@eqx.filter_jit
def tangent_kernel(
    network: Network, x: Float[Array, "m d"], rates: Sequence[Float[Array, ""] | float]
) -> Float[Array, "m k m k"]:
    r"""The tangent kernel between inputs `x` and between outputs.

    Args:
        rates: $\xi_1, \dots, \xi_L$.
    """
    _, values, slopes = network.forward(x)

    def of_output(unit: Float[Array, "k"]) -> list[Float[Array, "m n_i"]]:
        return network.backward(slopes, jnp.broadcast_to(unit, values[-1].shape))

    deltas = jax.vmap(of_output, out_axes=1)(jnp.eye(network.output_dim, dtype=x.dtype))
    below = [x @ x.T]
    below += [(v * p) @ v.T for v, p in zip(values[:-1], network.measures, strict=True)]
    total = jnp.zeros(())
    ones = jnp.ones(network.output_dim, x.dtype)
    for rate, inner, delta, p in zip(rates, below, deltas, (*network.measures, ones), strict=True):
        flat = delta.reshape(-1, delta.shape[-1])
        outer = ((flat * p) @ flat.T).reshape(*delta.shape[:2], *delta.shape[:2])
        total = total + rate * inner[:, None, :, None] * outer
    return total

"""Bridge to Equinox: a network as an `eqx.nn.Sequential` of ordinary layers.

To train in a loop of your own, keep the `Network`, which is an Equinox module itself, and take
`neuronal.interop.optax`.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from .. import activations
from ..network import Network
from .scaling import Affine, affine_layers


def to_equinox(network: Network, bias: bool = False) -> eqx.nn.Sequential:
    """A network as a model that predicts the same for one input `x (d,)`; `jax.vmap` it over more.

    Args:
        network: of any measures; factored weights are multiplied out.
        bias: whether the network's inputs are `(x, 1)`: the model then takes `x`, and its first
            layer has a bias in place of the constant coordinate.

    Raises:
        InvalidInput: weights too large for a matrix.

    !!! example
        ```python
        >>> import jax, neuronal as nr
        >>> from neuronal.interop.equinox import to_equinox
        >>> network = nr.embeddings.Bidirectional(2, 2).sample(64, jax.random.key(0))
        >>> model = to_equinox(network)
        >>> x = jax.numpy.ones((5, 2))
        >>> bool(jax.numpy.allclose(jax.vmap(model)(x), network(x), atol=1e-6))
        True

        ```
    """
    layers: list[eqx.nn.Linear | eqx.nn.Lambda] = []
    for layer, activation in zip(affine_layers(network, bias), network.activations, strict=True):
        layers.append(_linear(layer))
        if activation != activations.identity:
            layers.append(eqx.nn.Lambda(activation))
    return eqx.nn.Sequential(layers)


def _linear(layer: Affine) -> eqx.nn.Linear:
    outputs, inputs = layer.weight.shape
    biased = layer.bias is not None
    empty = eqx.nn.Linear(inputs, outputs, biased, layer.weight.dtype, key=jax.random.key(0))
    linear = eqx.tree_at(lambda module: module.weight, empty, jnp.asarray(layer.weight))
    if biased:
        linear = eqx.tree_at(lambda module: module.bias, linear, jnp.asarray(layer.bias))
    return linear

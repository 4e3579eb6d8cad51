r"""A network as ordinary linear layers, and what its learning rates are there.

The averages of equations (1) and (2) go into the weights: $W_1 = w_1$ and $W_i = (p_{i-1} w_i)^\top$,
of shape (outputs, inputs) as libraries have it, so that $H_i = W_i \varphi_{i-1}(H_{i-1})$. With
$p_i = 1/n_i$ a mean-field step, $w_i \leftarrow w_i - \epsilon\,\xi_i\,n_{i-1} n_i\,\partial_{w_i}
\mathcal{L}$ ($n_1$ for the first layer, $n_{L-1}$ for the last), is plain gradient descent on
$W_i$ with the rate $\epsilon\,\xi_i$ times

$$n_1, \qquad n_i / n_{i-1} \quad (2 \le i \le L-1), \qquad 1 / n_{L-1}.$$

Other measures give every pair of neurons a rate of its own, $p_{i-1}(j) / p_i(j')$: the layers
predict the same, but no rate per layer trains them as `neuronal.train` does.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ..checks import require
from ..network import Network
from ..units.linear import LINEAR


class Affine(NamedTuple):
    """`x -> weight @ x + bias`."""

    weight: Float[np.ndarray, "n_out n"]
    bias: Float[np.ndarray, "n_out"] | None = None


def affine_layers(network: Network, bias: bool = False) -> list[Affine]:
    """The L linear layers of a network.

    Args:
        bias: whether the last coordinate of the inputs is a constant 1, in place of which the
            first layer gets a bias.

    Raises:
        InvalidInput: factored weights too large for a matrix; a bias in place of the only
            coordinate; a first layer that is not linear.
    """
    require_linear(network)
    first, *others = map(np.asarray, network.matrices)
    layers = [Affine(first)]
    if bias:
        require(
            network.input_dim >= 2,
            "bias: stands for the constant coordinate of inputs (x, 1), but the network takes one",
        )
        layers = [Affine(first[:, :-1], first[:, -1])]
    folded = zip(others, network.measures, strict=True)
    return layers + [Affine((np.asarray(p)[:, None] * w).T) for w, p in folded]


def require_linear(network: Network) -> None:
    """Raise `InvalidInput` unless the first layer is the paper's."""
    require(
        network.unit == LINEAR,
        f"network: its first layer is {network.unit}; other libraries take linear ones alone",
    )


def kernels(layers: Sequence[Affine]) -> list[Float[np.ndarray, "_ _"]]:
    """`affine_layers` back, for the measures 1/n: $w_1, ..., w_L$.

    A bias of the first layer becomes the weight of a last, constant coordinate.
    """
    (first, bias), *others = layers
    if bias is not None:
        first = np.column_stack([first, bias])
    return [first, *(w.shape[1] * w.T for w, _ in others)]


def rate_factors(widths: Sequence[int]) -> list[float]:
    r"""The learning rate of each linear layer over $\epsilon\,\xi_i$, from the hidden widths."""
    middle = [after / before for before, after in itertools.pairwise(widths)]
    return [float(widths[0]), *middle, 1 / widths[-1]]


def is_uniform(network: Network) -> bool:
    """Whether all measures are 1/n up to rounding, as those of an ordinary network."""
    return all(
        bool(np.allclose(np.asarray(p) * len(p), 1, rtol=0, atol=1e-5)) for p in network.measures
    )

r"""Equations (1) and (2): the passes and the velocity, written once.

A network is the mean-field system on a weighted ensemble: $\mathbb{E}_{C_i}[f] =
\sum_j p_i(j) f(j)$. With $p_i = 1/n_i$ this module computes equation (1), the network of
widths $n_i$; with the nodes and weights of a quadrature rule on $(\Omega_i, P_i)$, equation
(2), the limit. SGD (`neuronal.train`), the ODE (`neuronal.solve`) and everything else drive
these functions. Index i of the paper is position i - 1 of a Python sequence.

Shapes: `x (m, d)`, $H_i$ and $\Delta^H_i$ `(m, n_i)`, `w_1 (n_1, d)`, `w_i (n_{i-1}, n_i)`,
`w_L (n_{L-1}, k)`, measures `p_i (n_i,)` for the L - 1 hidden layers. A first layer other than the paper's
(`neuronal.units`) has p parameters per neuron, `w_1 (n_1, p)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .activations import Activation
from .kernels import average_incoming, average_outgoing, mean_square, outer, seeing
from .losses import Loss
from .units.base import Unit
from .units.linear import LINEAR

Weights = tuple[Float[Array, "..."], ...]
Kernels = tuple[Any, ...]
"""Weights however they are kept: middle layers as arrays or as `kernels.Delayed`, `kernels.Factored`."""
Measures = tuple[Float[Array, "_"], ...]
Layers = list[Float[Array, "m _"]]


def forward(
    weights: Kernels,
    measures: Measures,
    activations: Sequence[Activation],
    x: Float[Array, "m d"],
    unit: Unit = LINEAR,
) -> tuple[Layers, Layers, Layers]:
    r"""Forward pass of equations (1) and (2).

    Args:
        unit: the first layer, $H_1 = h(w_1, x)$; the paper's is $\langle w_1, x \rangle$.

    Returns:
        $H_i$, $\varphi_i(H_i)$ and $\varphi_i'(H_i)$ of all L layers; $\hat y =
        \varphi_L(H_L)$ is the last of the second list.
    """
    preactivations: Layers = [unit.seen(weights[0], x)]
    values: Layers = []
    slopes: Layers = []
    for i, activation in enumerate(activations):
        if i > 0:  # H_i = E_{C_{i-1}}[w_i phi_{i-1}(H_{i-1})]
            preactivations.append(average_incoming(weights[i], measures[i - 1], values[-1]))
        value, slope = activation.value_and_derivative(preactivations[-1])
        values.append(value)
        slopes.append(slope)
    return preactivations, values, slopes


def backward(
    weights: Kernels,
    measures: Measures,
    slopes: Layers,
    loss_gradient: Float[Array, "m k"],
) -> Layers:
    r"""Backward pass: the sensitivities $\Delta^H_i$ of all L layers.

    Args:
        slopes: $\varphi_i'(H_i)$ from `forward`.
        loss_gradient: $\partial_2\mathcal{L}(y, \hat y)$, times a weight per sample if wanted:
            the pass is linear in it.
    """
    return backward_with_averages(weights, measures, slopes, loss_gradient)[0]


def backward_with_averages(
    weights: Kernels, measures: Measures, slopes: Layers, loss_gradient: Float[Array, "m k"]
) -> tuple[Layers, Layers]:
    r"""`backward`, and $\mathbb{E}_{C_{i+1}}[\Delta^H_{i+1} w_{i+1}]$ of the L - 1 hidden layers."""
    sensitivities: Layers = [loss_gradient * slopes[-1]]  # Delta_L; no average over outputs
    averages: Layers = []
    for i in range(len(weights) - 1, 0, -1):
        # Delta_i = E_{C_{i+1}}[Delta_{i+1} w_{i+1}] phi'_i
        averages.insert(0, average_above(weights, measures, i, sensitivities[0]))
        sensitivities.insert(0, averages[0] * slopes[i - 1])
    return sensitivities, averages


def average_above(
    weights: Kernels, measures: Measures, layer: int, g: Float[Array, "m n_out"]
) -> Float[Array, "m n"]:
    r"""$\mathbb{E}_{C_{i+1}}[w_{i+1}(c_i, C)\, g(x, C)]$ for hidden layer i; no average over outputs."""
    w = weights[layer]
    last = layer == len(weights) - 1
    return average_outgoing(w, jnp.ones(w.shape[1], w.dtype) if last else measures[layer], g)


def layer_norms(weights: Kernels, measures: Measures) -> Float[Array, "L"]:
    r"""Norms of $w_1$ in $L^2(P_1)$, of $w_i$ in $L^2(P_{i-1} \times P_i)$, of $w_L$ in $L^2(P_{L-1})$.

    Coordinates of the input and outputs are averaged over.
    """
    return jnp.sqrt(layer_mean_squares(weights, measures))


def layer_mean_squares(weights: Kernels, measures: Measures) -> Float[Array, "L"]:
    """The squares of `layer_norms`."""
    first = jnp.mean(jnp.square(weights[0]), axis=1) @ measures[0]
    last = measures[-1] @ jnp.mean(jnp.square(weights[-1]), axis=1)
    middle = [
        mean_square(w, p, q) for p, w, q in zip(measures, weights[1:-1], measures[1:], strict=False)
    ]
    return jnp.stack([first, *middle, last])


def velocity_factors(
    weights: Kernels,
    measures: Measures,
    activations: Sequence[Activation],
    loss: Loss,
    rates: Sequence[Float[Array, ""]],
    x: Float[Array, "m d"],
    y: Float[Array, "m k"],
    sample_weights: Float[Array, "m"],
    unit: Unit = LINEAR,
) -> tuple[list[tuple[Float[Array, "m _"], Float[Array, "m _"]]], Float[Array, "m k"]]:
    r"""Right-hand side of the MF ODE, $-\xi_i\,\mathbb{E}_Z[\Delta^w_i]$, as pairs of factors.

    Args:
        rates: $\xi_i$ at the present time, times any factor common to the caller's step.
        sample_weights: the law of $Z$ on the samples given; sum 1.

    Returns:
        for every layer the factors whose `outer` product is the velocity of $w_i$, and the
        prediction $\hat y$; a factor has a row per sample, the first layer's as many as its
        unit gives.
    """
    pairs, prediction, _ = velocity_factors_and_potentials(
        weights, measures, activations, loss, rates, x, y, sample_weights, unit
    )
    return pairs, prediction


def velocity_factors_and_potentials(
    weights: Kernels,
    measures: Measures,
    activations: Sequence[Activation],
    loss: Loss,
    rates: Sequence[Float[Array, ""]],
    x: Float[Array, "m d"],
    y: Float[Array, "m k"],
    sample_weights: Float[Array, "m"],
    unit: Unit = LINEAR,
) -> tuple[
    list[tuple[Float[Array, "m _"], Float[Array, "m _"]]],
    Float[Array, "m k"],
    list[Float[Array, "n_i"]],
]:
    r"""`velocity_factors`, and the risk's derivatives in the measures of the hidden layers.

    These are $V_i = \mathbb{E}_Z[\varphi_i(H_i)\,\mathbb{E}_{C_{i+1}}[\Delta^H_{i+1} w_{i+1}]]$.
    """
    _, values, slopes = forward(weights, measures, activations, x, unit)
    prediction = values[-1]
    gradient = loss.gradient(y, prediction) * sample_weights[:, None]
    sensitivities, averages = backward_with_averages(weights, measures, slopes, gradient)
    potentials = [jnp.sum(v * a, axis=0) for v, a in zip(values, averages, strict=False)]
    down = [-rate * delta for rate, delta in zip(rates, sensitivities, strict=True)]
    # Delta^w_1 = Delta^H_1 d_1 h,  Delta^w_i = Delta^H_i phi_{i-1}(H_{i-1})
    first = unit.factors(weights[0], x, down[0])
    seen = [seeing(w, value) for w, value in zip(weights[1:], values, strict=False)]
    return [first, *zip(seen, down[1:], strict=True)], prediction, potentials


def velocity(
    weights: Weights,
    measures: Measures,
    activations: Sequence[Activation],
    loss: Loss,
    rates: Sequence[Float[Array, ""]],
    x: Float[Array, "m d"],
    y: Float[Array, "m k"],
    sample_weights: Float[Array, "m"],
    unit: Unit = LINEAR,
) -> tuple[Weights, Float[Array, "m k"]]:
    """`velocity_factors` with the products formed: velocities shaped as the weights."""
    pairs, prediction = velocity_factors(
        weights, measures, activations, loss, rates, x, y, sample_weights, unit
    )
    return tuple(outer(f, g) for f, g in pairs), prediction

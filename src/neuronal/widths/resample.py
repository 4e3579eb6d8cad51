r"""The width of a trained network as a dial: a small network drawn from it, and its error beforehand.

With its weights held, the prediction is a function of the measures $p_1, \dots, p_{L-1}$ of the
hidden layers. A network of $n_i$ neurons drawn independently from each $p_i$ puts empirical
measures in their place. To first order (the delta method; von Mises, Ann. Math. Stat. 18, 1947)
its prediction leaves the network's by the average of an influence over the draws of each layer,

$$I_i(x, c_i) = \frac{\partial \hat y(x)}{\partial p_i}(c_i) = \varphi_i(H_i(x, c_i))\,
\mathbb{E}_{C_{i+1}}\big[w_{i+1}(c_i, C_{i+1})\, \tilde\Delta_{i+1}(x, C_{i+1})\big],$$

with the sensitivities $\tilde\Delta$ of $\hat y$ itself. Layers are drawn independently, so that

$$\mathrm{Var}\,\hat y(x) = \sum_{i=1}^{L-1} \frac{1}{n_i}\, \mathrm{Var}_{C_i \sim p_i}[I_i(x, C_i)]
+ O(n^{-2}).$$

The same influences cure the error: measures that give each layer's influences at some inputs the
average that they had leave an error of second order, $O(1/n)$ (`inputs` of `resample`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray, UInt

from .. import dynamics
from ..checks import hidden_sizes, key_of, require
from ..kernels.dense import neurons
from ..network import Network
from .reweight import least_moved_weights

_NUMBERS = 2**24
"""Influences held at once."""


def resample(
    network: Network,
    widths: int | Sequence[int],
    key: PRNGKeyArray | int,
    inputs: ArrayLike | None = None,
) -> Network:
    r"""A network of neurons drawn independently from each layer of another, by its measure.

    The weights are those between the neurons drawn, and every neuron has the measure $1/n_i$. A
    neuron may be drawn more than once. The prediction leaves that of `network` by about
    `resampling_error`, which falls as $n^{-1/2}$.

    Args:
        network: a trained network or limit (`Trajectory.network`).
        widths: of the hidden layers, one number or one per layer; larger or smaller than those of
            `network`.
        key: of the draws; the first neurons of a wider network with the same key are the same.
        inputs: if given, `(m, d)` like those to predict at: the measures of the neurons drawn are
            no longer $1/n_i$ but moved from it, as little as possible (`neuronal.widths.reweight`), so that
            every layer's average influence on the predictions there is that of `network`. What
            is left of the error is of second order and falls as $n^{-1}$.

    Returns:
        the network; factored weights stay factored where that is the smaller of the two.

    Raises:
        InvalidInput: a width below 1, or not L - 1 of them.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> rng = np.random.default_rng(0)
        >>> net = nr.Network([rng.normal(size=(512, 2)), rng.normal(size=(512, 1))])
        >>> nr.resample(net, 16, key=0).widths
        (16,)

        ```
    """
    require(isinstance(network, Network), "network: takes a Network, as Trajectory.network is")
    sizes = hidden_sizes("widths", widths, network.depth)
    key = key_of(key)
    drawn = [
        _draws(p, n, jax.random.fold_in(key, i))
        for i, (p, n) in enumerate(zip(network.measures, sizes, strict=True), start=1)
    ]
    first, *middle, last = network.weights
    between = [
        neurons(w, above, below)
        for w, above, below in zip(middle, drawn[:-1], drawn[1:], strict=True)
    ]
    measures = None
    if inputs is not None:
        x = network.inputs(inputs)
        require(len(x) > 0, "inputs: takes one or more")
        require(bool(jnp.all(jnp.isfinite(x))), "inputs: holds NaN or infinite values")
        measures = _matched(network, drawn, x)
    weights = [first[drawn[0]], *between, last[drawn[-1]]]
    return Network(weights, network.activations, measures, network.unit)


def resampling_error(
    network: Network, widths: int | Sequence[int], x: ArrayLike
) -> Float[Array, "m k"]:
    r"""The standard deviation of the predictions of `resample(network, widths, key)`, to first order.

    It belongs to inputs `x (m, d)`, one by one; the root mean square over them predicts the
    distance of a resampled network. As it is $\sqrt{V(x) / n}$ for equal widths, the width that an
    error $e$ takes is the mean square of `resampling_error(network, 1, x)` over $e^2$.

    Raises:
        InvalidInput: a width below 1, or not L - 1 of them, or inputs that do not fit.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> rng = np.random.default_rng(0)
        >>> net = nr.Network([rng.normal(size=(512, 2)), rng.normal(size=(512, 1))])
        >>> x = rng.normal(size=(20, 2))
        >>> error = nr.resampling_error(net, 100, x)
        >>> bool(np.allclose(error, nr.resampling_error(net, 1, x) / 10))
        True

        ```
    """
    require(isinstance(network, Network), "network: takes a Network, as Trajectory.network is")
    sizes = hidden_sizes("widths", widths, network.depth, most=2**62)
    shares = jnp.asarray([1 / n for n in sizes], network.weights[0].dtype)
    variances = [_variances(network, some) for some in _pieces(network, network.inputs(x))]
    return jnp.sqrt(jnp.einsum("i,imk->mk", shares, jnp.concatenate(variances, axis=1)))


def influences(network: Network, x: ArrayLike) -> list[Float[Array, "m k n_i"]]:
    r"""$I_i(x, j) = \partial \hat y(x) / \partial p_i(j)$, with the weights held, of each hidden layer.

    Raises:
        InvalidInput: inputs that do not fit.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, 3, rank=4)
        >>> network = embedding.sample(16, key=0)
        >>> [of.shape for of in nr.influences(network, x)]
        [(8, 1, 16), (8, 1, 16)]

        ```
    """
    return _influences(network, network.inputs(x))


@eqx.filter_jit
def _influences(network: Network, x: Float[Array, "m d"]) -> list[Float[Array, "m k n_i"]]:
    _, values, slopes = network.forward(x)

    def of_output(unit: Float[Array, "k"]) -> list[Float[Array, "m n_i"]]:
        gradient = jnp.broadcast_to(unit, values[-1].shape)
        sensitivities = network.backward(slopes, gradient)
        return [
            values[i - 1]
            * dynamics.average_above(network.weights, network.measures, i, sensitivities[i])
            for i in range(1, network.depth)
        ]

    return jax.vmap(of_output, out_axes=1)(jnp.eye(network.output_dim, dtype=x.dtype))


@eqx.filter_jit
def _variances(network: Network, x: Float[Array, "m d"]) -> Float[Array, "hidden m k"]:
    """The variance of the influences of each layer over its neurons."""
    found = []
    for influence, p in zip(_influences(network, x), network.measures, strict=True):
        centred = influence - (influence @ p)[..., None]
        found.append(centred**2 @ p)
    return jnp.stack(found)


@eqx.filter_jit
def _of_drawn(
    network: Network, drawn: Sequence[Int[Array, "_"]], x: Float[Array, "m d"]
) -> list[Float[Array, "m k _"]]:
    """Influences of the neurons drawn, less their mean in the network."""
    return [
        influence[..., index] - (influence @ p)[..., None]
        for influence, p, index in zip(
            _influences(network, x), network.measures, drawn, strict=True
        )
    ]


def _matched(
    network: Network, drawn: Sequence[Int[Array, "_"]], x: Float[Array, "m d"]
) -> list[Float[np.ndarray, "_"]]:
    """Measures of the neurons drawn under which influences at `x` have their mean in the network."""
    pieces = list(_pieces(network, x))
    variances = np.sum(
        np.concatenate([_variances(network, some) for some in pieces], axis=1), axis=2
    )
    parts = [_of_drawn(network, drawn, some) for some in pieces]
    measures = []
    for layer, variance in zip(zip(*parts, strict=True), variances, strict=True):
        values = np.concatenate(layer, dtype=np.float64).reshape(-1, layer[0].shape[-1]).T
        spread = float(np.sqrt(np.mean(variance, dtype=np.float64)))
        # An error below spread / n is lost in those of second order.
        tolerance = spread / len(values)
        even = np.full(len(values), 1 / len(values))
        measures.append(
            least_moved_weights(values / np.sqrt(len(x)), tolerance) if tolerance > 0 else even
        )
    return measures


def _pieces(network: Network, x: Float[Array, "m d"]) -> Iterator[Float[Array, "_ d"]]:
    """Inputs as many at once as their influences fit the memory."""
    rows = max(1, _NUMBERS // (max(network.widths) * network.output_dim))
    for i in range(0, max(1, len(x)), rows):
        yield x[i : i + rows]


def _draws(p: Float[Array, "n"], count: int, key: PRNGKeyArray) -> Int[Array, "count"]:
    """Independent neurons by their measure, a key per draw; in double precision, as n may be large."""
    cumulative = np.cumsum(np.asarray(p, np.float64))
    at = (np.asarray(_bits(key, jnp.arange(count))) + 0.5) * 2.0**-32 * cumulative[-1]
    return jnp.asarray(np.searchsorted(cumulative, at, side="right"))


@jax.jit
def _bits(key: PRNGKeyArray, numbers: Int[Array, "count"]) -> UInt[Array, "count"]:
    bits = lambda j: jax.random.bits(jax.random.fold_in(key, j), dtype=jnp.uint32)
    return jax.vmap(bits)(numbers)

"""A network, finite or the limit's: neurons, their measure, their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from . import activations as activations_
from . import dynamics
from .activations import Activation
from .checks import (
    as_numpy_if_free,
    columns,
    finite,
    is_known,
    numbers,
    on_device,
    require,
    several,
)
from .kernels import Kernel, grows, is_finite, mapped, matrix, rank
from .losses import Loss
from .units.base import Unit, checked
from .units.linear import LINEAR

_MATRIX_BYTES = 2**32


class Network(eqx.Module):
    r"""An L-layer network on a weighted ensemble of neurons, equations (1) and (2).

    Attributes:
        weights: `w_1 (n_1, d)`, `w_i (n_{i-1}, n_i)` for i = 2..L-1, `w_L (n_{L-1}, k)`; those
            of i = 2..L-1 may be factored (`neuronal.kernels`).
        measures: weights `p_i (n_i,)` of the neurons of the L - 1 hidden layers, each of
            sum 1; $1/n_i$ (an ordinary network of width $n_i$) if left out.
        activations: $\varphi_1, \dots, \varphi_L$, or one for the hidden layers, in which
            case $\varphi_L$ is the identity.
        unit: the first layer, $H_1 = h(w_1, x)$ (`neuronal.units`): then `w_1 (n_1, p)` holds its
            parameters. The paper's is $\langle w_1, x \rangle$.

    Raises:
        InvalidInput: fewer than two layers, shapes that do not chain, a width of 0, NaN,
            measures that are negative or do not sum to 1, a first layer that is none of its unit.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> rng = np.random.default_rng(0)
        >>> net = nr.Network([rng.normal(size=(64, 2)), rng.normal(size=(64, 1))], nr.activations.tanh)
        >>> net(np.zeros((5, 2))).shape
        (5, 1)

        ```
    """

    weights: dynamics.Kernels
    measures: dynamics.Measures
    activations: tuple[Activation, ...] = eqx.field(static=True)
    unit: Unit = eqx.field(static=True, default=LINEAR)

    def __init__(
        self,
        weights: Sequence[ArrayLike | Kernel],
        activations: str | Activation | Sequence[str | Activation] = activations_.tanh,
        measures: Sequence[ArrayLike] | None = None,
        unit: Unit = LINEAR,
    ):
        layers = several("weights", weights, "matrices, one per layer")
        given: tuple[Any, ...] = tuple(_weight(f"weights[{i}]", w) for i, w in enumerate(layers))
        depth = len(given)
        require(depth >= 2, f"weights: takes L >= 2 layers, got {depth}")
        for i, w in enumerate(given):
            require(min(w.shape) > 0, f"weights[{i}]: a width of 0, shape {w.shape}")
        hidden = [given[0].shape[0]]
        for i, w in enumerate(given[1:], start=1):
            require(
                w.shape[0] == hidden[-1],
                f"weights[{i}]: shape {w.shape} does not follow a layer of {hidden[-1]} neurons; "
                "w_1 is (n_1, d), w_i (n_{i-1}, n_i), w_L (n_{L-1}, k)",
            )
            hidden.append(w.shape[1])
        # One precision for all: loops carry them unchanged.
        dtype = jnp.result_type(*(w.dtype for w in given))
        self.weights = tuple(w.astype(dtype) for w in given)
        if isinstance(activations, str | Activation):
            self.activations = activations_.per_layer(activations, "identity", depth)
        else:
            own = several("activations", activations, "activations, one per layer")
            self.activations = tuple(map(activations_.get, own))
        require(
            len(self.activations) == depth,
            f"activations: takes one a layer ({depth}), got {len(self.activations)}",
        )
        self.measures = _measures(measures, hidden[:-1], dtype)
        self.unit, p = checked(unit), given[0].shape[1]
        require(unit.inputs(p) >= 1, f"weights[0]: {p} parameters per neuron are none of {unit}")

    def __repr__(self) -> str:
        if not all(hasattr(leaf, "shape") for leaf in jax.tree.leaves(self, is_leaf=_is_gone)):
            # Without some of its arrays, as JAX and Equinox make trees.
            return f"Network(a part of one, {activations_.in_words(self.activations)})"
        ranks = [rank(w) for w in self.weights[1:-1]]
        sizes = activations_.in_words(self.widths)
        products = activations_.in_words("full" if r is None else r for r in ranks)
        first = "" if self.unit == LINEAR else f"{self.unit}, "
        kept = f"factored weights of rank {products}" if self.factored else "dense weights"
        return (
            f"Network({self.input_dim} -> {sizes} -> {self.output_dim}, "
            f"{first}{activations_.in_words(self.activations)}, {self.weights[0].dtype}, {kept})"
        )

    def _repr_html_(self) -> str:
        from .pictures import tables

        kept = ["dense" if r is None else f"rank {r}" for r in map(rank, self.weights)]
        layers = zip(self.weights, self.activations, kept, strict=True)
        rows = [(i, f"{w.shape}", phi, how) for i, (w, phi, how) in enumerate(layers, start=1)]
        return tables.facts(
            repr(self), {}, tables.table(["layer", "weights", "activation", "kept"], rows)
        )

    @property
    def depth(self) -> int:
        """L, the number of layers of weights."""
        return len(self.weights)

    @property
    def widths(self) -> tuple[int, ...]:
        """Neurons of the L - 1 hidden layers."""
        return tuple(w.shape[0] for w in self.weights[1:])

    @property
    def input_dim(self) -> int:
        """d, the coordinates of an input."""
        return self.unit.inputs(self.weights[0].shape[1])

    @property
    def output_dim(self) -> int:
        """k, the number of outputs."""
        return self.weights[-1].shape[1]

    @property
    def matrices(self) -> dynamics.Weights:
        """The weights as matrices, factored ones multiplied out.

        Raises:
            InvalidInput: a layer of more than 4 GiB.
        """
        return tuple(_matrix(f"weights[{i}]", w) for i, w in enumerate(self.weights))

    @property
    def factored(self) -> bool:
        """Whether weights between layers are kept as factors."""
        return any(map(grows, self.weights))

    def forward(self, x: Float[Array, "m d"]) -> tuple[dynamics.Layers, ...]:
        r"""$H_i$, $\varphi_i(H_i)$ and $\varphi_i'(H_i)$ at inputs in its precision, unchecked."""
        return dynamics.forward(self.weights, self.measures, self.activations, x, self.unit)

    def backward(
        self, slopes: dynamics.Layers, loss_gradient: Float[Array, "m k"]
    ) -> dynamics.Layers:
        r"""$\Delta^H_i$ from the slopes of `forward` and the loss's gradient."""
        return dynamics.backward(self.weights, self.measures, slopes, loss_gradient)

    def with_weights(self, weights: dynamics.Kernels) -> Network:
        """The same neurons and activations with other weights of the same shapes."""
        return eqx.tree_at(lambda network: network.weights, self, weights)

    def doubled(self) -> Network:
        r"""Every neuron of layer L - 1 twice, with half its measure and $w_L$ of both signs.

        $H_L = 0$ everywhere, up to roundings, and so $\hat y = \varphi_L(0)$ (Chizat, Oyallon and Bach
        2019). The last two layers' parts of the tangent kernel stay as they are; those of layers
        below vanish, with $\mathbb{E}[\Delta^H_{L-1} w_{L-1}]$.
        """
        twice = np.tile(np.arange(self.widths[-1]), 2)
        *below, incoming, outgoing = self.weights
        of_inputs = self.depth == 2
        incoming = incoming[twice] if of_inputs else mapped(incoming, lambda rows: rows, twice)
        weights = (*below, incoming, jnp.concatenate([outgoing, -outgoing]))
        measures = (*self.measures[:-1], jnp.tile(self.measures[-1] / 2, 2))
        return Network(weights, self.activations, measures, self.unit)

    def wrapped(self) -> Network:
        """The same network with the first layer's parameters in their unit's chart, such as a torus."""
        return self.with_weights((self.unit.wrap(self.weights[0]), *self.weights[1:]))

    def with_state(self, weights: dynamics.Kernels, measures: dynamics.Measures) -> Network:
        """Other weights and measures, of the same shapes, unchecked."""
        return eqx.tree_at(lambda n: (n.weights, n.measures), self, (weights, measures))

    def __call__(self, x: ArrayLike) -> Float[Array, "m k"]:
        r"""The prediction $\hat y(x)$."""
        return _predict(self, self.inputs(x))

    def preactivations(self, x: ArrayLike) -> list[Float[Array, "m n_i"]]:
        """$H_1, ..., H_L$ at inputs `x (m, d)`."""
        return _preactivations(self, self.inputs(x))

    def sensitivities(self, x: ArrayLike, y: ArrayLike, loss: Loss) -> list[Float[Array, "m n_i"]]:
        r"""$\Delta^H_1, \dots, \Delta^H_L$ at samples `x (m, d)`, `y (m,)` or `(m, k)`."""
        inputs: Array = finite("x", self.inputs(x), 2)
        targets = columns("y", y)
        require(len(targets) == len(inputs), f"y: {len(targets)} targets for {len(inputs)} inputs")
        if is_known(targets):
            loss.check(targets, self.output_dim)
        return _sensitivities(self, inputs, targets, loss)

    def inputs(self, x: ArrayLike) -> Float[Array, "m d"]:
        """`x (m, d)` in the network's precision, else `InvalidInput`."""
        x = numbers("x", x).astype(self.weights[0].dtype)
        require(
            x.ndim == 2 and x.shape[1] == self.input_dim,
            f"x: takes shape (m, {self.input_dim}), got {x.shape}",
        )
        return x


@eqx.filter_jit
def _predict(network: Network, x: Array) -> Array:
    return network.forward(x)[1][-1]


@eqx.filter_jit
def _preactivations(network: Network, x: Array) -> dynamics.Layers:
    return network.forward(x)[0]


@eqx.filter_jit
def _sensitivities(network: Network, x: Array, y: Array, loss: Loss) -> dynamics.Layers:
    _, values, slopes = network.forward(x)
    return network.backward(slopes, loss.gradient(y, values[-1]))


def _is_gone(leaf: object) -> bool:
    return leaf is None


def _matrix(name: str, w: Array | Kernel) -> Array:
    size = w.shape[0] * w.shape[1] * w.dtype.itemsize
    require(
        size <= _MATRIX_BYTES or w.nbytes >= size,
        f"{name}: factored, {w.shape[0]} by {w.shape[1]}; as a matrix it takes {size / 2**30:.0f} GiB",
    )
    return matrix(w)


def _weight(name: str, w: ArrayLike | Kernel) -> Any:
    if isinstance(w, Kernel):  # two dimensions by nature
        require(not is_known(w) or is_finite(w), f"{name}: holds NaN or infinite values")
        return w
    return finite(name, w, 2)


def _measures(
    measures: Sequence[ArrayLike] | None, widths: Sequence[int], dtype: np.dtype
) -> dynamics.Measures:
    if measures is None:
        return tuple(on_device(np.full(n, 1 / n, dtype)) for n in widths)
    measures = several("measures", measures, "arrays, one per hidden layer")
    require(
        len(measures) == len(widths),
        f"measures: takes one a hidden layer ({len(widths)}), got {len(measures)}",
    )
    arrays = []
    for i, (given, n) in enumerate(zip(measures, widths, strict=True)):
        p = finite(f"measures[{i}]", given, 1).astype(dtype)
        require(p.shape == (n,), f"measures[{i}]: takes shape ({n},), got {p.shape}")
        arrays.append(p)
        if not is_known(p):
            continue
        least, total = float(as_numpy_if_free(p).min()), float(as_numpy_if_free(p).sum())
        require(least >= 0, f"measures[{i}]: holds negative weights")
        require(abs(total - 1) < 1e-4, f"measures[{i}]: sums to {total}, not 1")
    return tuple(arrays)

"""An embedding from the user's own samplers and functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .. import activations as activations_
from .. import quadrature
from ..activations import Activation
from ..checks import of_shape, require, result_shape, results, several, whole
from ..errors import InvalidInput
from ..units.base import Unit, checked
from ..units.linear import LINEAR
from .base import AbstractEmbedding, Latents, over_pairs
from .biases import Bias, Biases, checked_biases

_SAMPLER = "takes a random key to the latents of one neuron"
_FIRST = "takes the latents c_1 of one neuron to its weights (d,), or its unit's parameters (p,)"
_MIDDLE = "takes the latents c, c' of one neuron a layer to one number"
_LAST = "takes the latents c_{L-1} of one neuron to its weights (k,), or one number"


class Embedding(AbstractEmbedding):
    r"""$(\Omega, P, \{w_i^0\})$ from callables.

    Args:
        samplers: one per hidden layer: either an integer D, for latents $N(0, I_D)$ (all
            quadrature rules work), or a callable `key -> latents` of one neuron, any pytree
            (then the only rule is ``monte-carlo``).
        functions: L of them: `w_1(c_1) -> (d,)`, `w_i(c_{i-1}, c_i) -> scalar` for
            i = 2..L-1, and `w_L(c_{L-1}) -> (k,)` or a scalar; each takes the latents of one
            neuron a layer, and JAX maps it over all pairs.
        activation: of the hidden layers; `last_activation` is $\varphi_L$.
        biases: those of layers 2..L-1 at the start, one for all or one per layer, each a number or a function
            `b_i(c_i) -> scalar`; none if left out.
        unit: the first layer (`neuronal.units`); `w_1(c_1) -> (p,)` are its parameters.

    Raises:
        InvalidInput: numbers of samplers and functions that do not fit, or functions that
            return other shapes.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> embedding = nr.embeddings.Embedding([2], [lambda c: c, lambda c: c[0]])  # w_1, w_2
        >>> embedding.sample(16, key=0).widths
        (16,)

        ```
    """

    input_dim: int = eqx.field(static=True)
    output_dim: int = eqx.field(static=True)
    activations: tuple[Activation, ...] = eqx.field(static=True)
    samplers: tuple[int | Callable[[PRNGKeyArray], Latents], ...] = eqx.field(static=True)
    functions: tuple[Callable[..., Array], ...] = eqx.field(static=True)
    unit: Unit = eqx.field(static=True)
    biases: tuple[Bias, ...] | None = eqx.field(static=True)

    def __init__(
        self,
        samplers: Sequence[int | Callable[[PRNGKeyArray], Latents]],
        functions: Sequence[Callable[..., Array]],
        activation: str | Activation = activations_.tanh,
        last_activation: str | Activation = activations_.identity,
        unit: Unit = LINEAR,
        biases: Biases = None,
    ):
        self.unit = checked(unit)  # pyright: ignore[reportIncompatibleVariableOverride]
        self.samplers = several("samplers", samplers, "samplers, one per hidden layer")
        self.functions = several("functions", functions, "functions, one per layer")
        depth = len(self.functions)
        require(depth >= 2, f"functions: takes one a layer, L >= 2, got {depth}")
        require(
            len(self.samplers) == depth - 1,
            f"samplers: takes one a hidden layer ({depth - 1}), got {len(self.samplers)}",
        )
        self.activations = activations_.per_layer(activation, last_activation, depth)
        one = [self._of_one_neuron(i) for i in range(1, depth)]
        self.biases = checked_biases(biases, depth, one)  # pyright: ignore[reportIncompatibleVariableOverride]
        first = self._shape_of(0, _FIRST, (1,), one[0])
        for i in range(1, depth - 1):
            self._shape_of(i, _MIDDLE, (0,), one[i - 1], one[i])
        last = self._shape_of(depth - 1, _LAST, (0, 1), one[-1])
        self.input_dim, self.output_dim = self.unit.inputs(first[0]), last[0] if last else 1
        require(self.input_dim >= 1, f"functions[0]: {first[0]} parameters are none of {self.unit}")

    def _of_one_neuron(self, layer: int) -> Any:
        """Shapes of the latents that a sampler draws."""
        name, sampler = f"samplers[{layer - 1}]", self.samplers[layer - 1]
        if not callable(sampler):
            return of_shape(whole(name, sampler, 1))
        return results(name, _SAMPLER, sampler, jax.random.key(0))

    def _shape_of(
        self, place: int, takes: str, dimensions: tuple[int, ...], *latents: Any
    ) -> tuple[int, ...]:
        """Of what a function gives for one neuron a layer."""
        name = f"functions[{place}]"
        shape = result_shape(name, takes, self.functions[place], *latents)
        require(len(shape) in dimensions and 0 not in shape, f"{name}: {takes}, got shape {shape}")
        return shape

    def draw(self, layer: int, key: PRNGKeyArray) -> Latents:
        sampler = self.samplers[layer - 1]
        return sampler(key) if callable(sampler) else jax.random.normal(key, (int(sampler),))

    def nodes(
        self, layer: int, nodes: int, rule: str, key: PRNGKeyArray
    ) -> tuple[Latents, Float[Array, "n"]]:
        sampler = self.samplers[layer - 1]
        if not callable(sampler):
            return quadrature.gaussian(rule, nodes, int(sampler), key)
        if rule != "monte-carlo":
            raise InvalidInput(
                f"rule: layer {layer} has a sampler of its own, which only monte-carlo can use; "
                "give the latents' dimension (an integer) for Gaussian latents"
            )
        return self.latents(layer, nodes, key), jnp.full(nodes, 1 / nodes)

    def initial_weights(self, latents: Sequence[Latents]) -> list[Float[Array, "_ _"]]:
        weights = [jax.vmap(self.functions[0])(latents[0])]
        for i in range(1, self.depth - 1):
            weights.append(over_pairs(self.functions[i], latents[i - 1], latents[i]))
        last = jax.vmap(self.functions[-1])(latents[-1])
        weights.append(last.reshape(last.shape[0], self.output_dim))
        return weights

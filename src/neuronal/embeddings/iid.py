r"""Independent initial weights, and their limit in its exact, collapsed form.

The latents are counters: $w_i^0(c, c')$ is a random number keyed by both latents, so any
two neurons of any network have their weight, and the same latents the same one.

*The limit.* For averages over neurons an independent weight is its mean: $\mathbb{E}_{C}[
w_i^0(C, c') f(C)] = \mu_i \mathbb{E}[f]$. So $H_2(\cdot, c_2)$ and $\Delta^H_2(\cdot, c_2)$
are the same for all $c_2$ unless the layer sees $w_L^0$, $w_i(t) - w_i(0)$ does not depend on
the neurons, and the limit closes on: the law of $w_1^0$ in layer 1, the law of $w_L^0$ in
layer L-1, and one node in each layer between ([NP20], first seen in [AOY19]). `IID.quadrature`
returns exactly that system. At L = 2 the two laws meet in one layer, at L = 3 no layer lies
between. Beside a layer of finite width a neuron also has its own weights to and from that
layer. With mean zero and $\varphi(0) = 0$, L >= 4, it never moves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .. import activations as activations_
from .. import quadrature
from ..activations import Activation
from ..bounds.finding import PROVED, VIOLATED, Finding
from ..bounds.proofs import proof
from ..checks import dimensions, hidden_sizes, key_of, one_or_several, require
from ..network import Network
from ..units.base import Unit, checked
from ..units.linear import LINEAR
from .base import (
    SAMPLE,
    AbstractEmbedding,
    Latents,
    Rules,
    append_zeros,
    carried_sizes,
    rules_of,
)
from .biases import checked_biases, with_biases
from .independence import Independence, of_normals
from .moments import gaussian


class IID(AbstractEmbedding):
    r"""Weights $w_i^0 \sim N(\mu_i, \sigma_i^2)$, independent.

    Args:
        input_dim, depth, output_dim: d, L and k.
        activation: of the hidden layers; `last_activation` is $\varphi_L$.
        mean: $\mu$ of layers 2..L (the first is centred), or one number per layer.
        std: $\sigma$ of all layers, or one number per layer.
        biases: those of layers 2..L-1 at the start, one number for all or one per layer; none if left out.
        unit: the first layer (`neuronal.units`), whose parameters have the law of $w_1^0$.

    Raises:
        InvalidInput: impossible dimensions, or not L numbers.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> embedding = nr.embeddings.IID(2, depth=3, std=2.0)
        >>> embedding.sample(64, key=0).widths
        (64, 64)

        ```
    """

    input_dim: int = eqx.field(static=True)
    output_dim: int = eqx.field(static=True)
    activations: tuple[Activation, ...] = eqx.field(static=True)
    means: tuple[float, ...] = eqx.field(static=True)
    stds: tuple[float, ...] = eqx.field(static=True)
    unit: Unit = eqx.field(static=True)
    biases: tuple[float, ...] | None = eqx.field(static=True)

    def __init__(
        self,
        input_dim: int,
        depth: int,
        output_dim: int = 1,
        activation: str | Activation = activations_.tanh,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        last_activation: str | Activation = activations_.identity,
        unit: Unit = LINEAR,
        biases: float | Sequence[float] | None = None,
    ):
        self.input_dim, depth, self.output_dim = dimensions(input_dim, depth, output_dim)
        self.unit = checked(unit)  # pyright: ignore[reportIncompatibleVariableOverride]
        self.unit.parameters(self.input_dim)  # refuses other inputs
        self.activations = activations_.per_layer(activation, last_activation, depth)
        self.biases = checked_biases(biases, depth)  # pyright: ignore[reportIncompatibleVariableOverride]
        self.means = one_or_several("mean", mean, depth)
        if np.ndim(mean) == 0:
            self.means = (0.0, *self.means[1:])
        self.stds = one_or_several("std", std, depth)
        for name, values in (("mean", self.means), ("std", self.stds)):
            require(len(values) == depth, f"{name}: takes one number, or one a layer ({depth})")
            require(all(map(math.isfinite, values)), f"{name}: takes finite numbers, got {values}")
        require(min(self.stds) >= 0, f"std: takes numbers >= 0, got {self.stds}")

    def draw(self, layer: int, key: PRNGKeyArray) -> Latents:
        """Two words: the neuron's counter, from which its weights are made."""
        return jax.random.bits(key, (2,), jnp.uint32)

    def nodes(
        self, layer: int, nodes: int, rule: str, key: PRNGKeyArray
    ) -> tuple[Latents, Float[Array, "n"]]:
        r"""Weights of $w_1^0$ at layer 1 and of $w_L^0$ at layer L - 1, else one empty node."""
        before = self.parameter_dim if layer == 1 else 0
        after = self.output_dim if layer == self.depth - 1 else 0
        return self._own_weights(before + after, nodes, rule, key)

    def _own_weights(
        self, dim: int, nodes: int, rule: str, key: PRNGKeyArray
    ) -> tuple[Latents, Float[Array, "n"]]:
        """Nodes of neurons with so many weights of their own; one, where there are none."""
        if dim == 0:
            return jnp.zeros((1, 0)), jnp.ones(1)
        return quadrature.gaussian(rule, nodes, dim, key)

    def _all_nodes(
        self, nodes: int | Sequence[int], rule: Rules, key: PRNGKeyArray | int
    ) -> list[tuple[Latents, Float[Array, "n"]]]:
        """A neuron's own weights are those at the ends and those to and from sampled neighbours."""
        counts, rules = hidden_sizes("nodes", nodes, self.depth), rules_of(rule, self.depth)
        key = key_of(key)
        own = [n if of == SAMPLE else 0 for n, of in zip(counts, rules, strict=True)]
        around = [self.parameter_dim, *own, self.output_dim]
        return [
            self._sampled(i, n, key)
            if of == SAMPLE
            else self._own_weights(around[i - 1] + around[i + 1], n, of, jax.random.fold_in(key, i))
            for i, (n, of) in enumerate(zip(counts, rules, strict=True), start=1)
        ]

    def initial_weights(self, latents: Sequence[Latents]) -> list[Float[Array, "_ _"]]:
        weights = [self._of_inputs(latents[0], True)]
        for i in range(1, self.depth - 1):
            weights.append(self._pairs(i, latents[i - 1], latents[i]))
        return [*weights, self._of_outputs(latents[-1], True)]

    def quadrature(
        self,
        nodes: int | Sequence[int],
        rule: Rules = "sobol",
        key: PRNGKeyArray | int = 0,
        carry: Sequence[Latents] | None = None,
        kernel: str = "dense",
    ) -> Network:
        """The exact limit: nodes in the first and the last hidden layer, one node between.

        Numbers given for the layers between are not used. Carried neurons
        (`AbstractEmbedding.quadrature`) keep their own weights among themselves; between
        them and the nodes stand the means, which is all that averages see.

        Where some layers are sampled (rule ``sample``), the neurons of a limit beside one of n neurons have
        n weights to it of their own, and the latents of the rule are these.
        """
        require(kernel == "dense", "kernel: one node a layer between leaves nothing to factor")
        pairs, rules = self._all_nodes(nodes, rule, key), rules_of(rule, self.depth)
        sizes = [len(measure) for _, measure in pairs]
        sampled = [own == SAMPLE for own in rules]
        require(
            carry is None or not any(sampled),
            "carry: takes limits in all layers; here some are sampled",
        )
        latents = [c for c, _ in pairs]
        weights = [
            self._of_inputs(latents[0], sampled[0]),
            *(
                self._between(i, *latents[i - 1 : i + 1], *sampled[i - 1 : i + 1])
                for i in range(1, self.depth - 1)
            ),
            self._of_outputs(latents[-1], sampled[-1]),
        ]
        measures = [p for _, p in pairs]
        if carry is not None:
            counts = carried_sizes(carry, self.depth)
            own = self.initial_weights(carry)
            weights[0] = jnp.concatenate([weights[0], own[0]])
            weights[-1] = jnp.concatenate([weights[-1], own[-1]])
            for i in range(1, self.depth - 1):
                padded = ((0, counts[i - 1]), (0, counts[i]))
                joint = jnp.pad(weights[i], padded, constant_values=self.means[i])
                weights[i] = joint.at[sizes[i - 1] :, sizes[i] :].set(own[i])
            measures = [append_zeros(p, n) for p, n in zip(measures, counts, strict=True)]
        weights = with_biases(weights, self.biases)
        return Network(weights, self.activations, measures, self.unit)

    @property
    def edges_apart(self) -> bool:
        return self.depth > 2 and any(std > 0 for std in self.stds[1:-1])

    @proof
    def diversity(self) -> Finding:
        if self.depth == 2:
            full = min(self.stds) > 0
            how = "independent normal weights" if full else "std = 0: one value alone"
            return Finding(PROVED if full else VIOLATED, "exact", how)
        how = (
            "by the law of large numbers every average of w_i(., c_i) over incoming neurons is the "
            "same for all c_i, so they do not come near a target with another average. The figure: "
            "how the spread over neurons of the plain average falls with the width n, in layer 2"
        )
        return Finding(VIOLATED, f"{self.stds[1]:.3g} n^-1/2", how)

    @proof
    def moments(self) -> list[Finding]:
        dims = [self.parameter_dim, *[1] * (self.depth - 2), self.output_dim]
        return [
            Finding(PROVED, abs(mean) * math.sqrt(dim) + std * gaussian(dim), "normal")
            for mean, std, dim in zip(self.means, self.stds, dims, strict=True)
        ]

    @proof
    def independence(self) -> Independence | None:
        if self.depth != 3 or self.output_dim > 1:
            return None
        return of_normals(self.means, self.stds)

    def _of_inputs(self, c: Array, sampled: bool) -> Float[Array, "n d"]:
        """$w_1^0$: of counters, or held in the latents of a rule."""
        if sampled:
            return self._pairs(0, c, jnp.arange(self.parameter_dim))
        return self._scaled(0, c[:, : self.parameter_dim])

    def _of_outputs(self, c: Array, sampled: bool) -> Float[Array, "n k"]:
        """$w_L^0$, likewise."""
        if sampled:
            return self._pairs(self.depth - 1, c, jnp.arange(self.output_dim))
        return self._scaled(self.depth - 1, c[:, -self.output_dim :])

    def _between(
        self, layer: int, c: Array, c_next: Array, sampled: bool, sampled_next: bool
    ) -> Float[Array, "n n_out"]:
        """A middle layer: of two limits its mean, which is all that averages see."""
        if sampled and sampled_next:
            return self._pairs(layer, c, c_next)
        if sampled:
            return self._scaled(layer, c_next[:, : len(c)]).T
        if sampled_next:
            return self._scaled(layer, c[:, -len(c_next) :])
        return jnp.full((len(c), len(c_next)), self.means[layer])

    def _pairs(self, layer: int, c: Array, c_next: Array) -> Array:
        return self._scaled(layer, _keyed_normal(c, c_next, layer))

    def _scaled(self, layer: int, normal: Array) -> Array:
        return normal * self.stds[layer] + self.means[layer]


@eqx.filter_jit
def _keyed_normal(c: Array, c_next: Array, layer: int) -> Array:
    """A standard normal a pair of counters, from Threefry keyed by both and by the layer."""
    tails = c_next if c_next.ndim == 2 else jnp.stack([c_next] * 2, -1).astype(jnp.uint32)

    def pair(head: Array, tail: Array) -> Array:
        key = jax.random.fold_in(jax.random.fold_in(head, tail[0]), tail[1])
        return jax.random.normal(key)

    heads = jax.vmap(lambda w: jax.random.fold_in(jax.random.wrap_key_data(w), layer))(c)
    return jax.vmap(lambda head: jax.vmap(lambda tail: pair(head, tail))(tails))(heads)

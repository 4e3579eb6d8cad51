r"""Neuronal embeddings $(\Omega, P, \{w_i^0\})$: where neurons come from.

An embedding states the latents $c_i$ of each hidden layer, their law, and the functions
$w_i^0(c_{i-1}, c_i)$. Sampling n latents a layer gives a network of width n; the nodes and
weights of a quadrature rule give the limit. Latents are drawn one random key per neuron, so the
first n neurons of a wider network with the same key are the same neurons.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from ..activations import Activation, in_words
from ..bounds.finding import UNKNOWN, Finding
from ..checks import choice, hidden_sizes, key_of, require, several
from ..errors import InvalidInput
from ..kernels import Kernel
from ..kernels.memory import require_memory
from ..network import Network
from ..programs import lightly
from ..units.base import Unit
from ..units.linear import LINEAR
from ..vocabulary import RULES
from .biases import Bias, with_biases
from .independence import Independence
from .moments import measured

Latents = PyTree[Array]
Rules = str | Sequence[str]
"""The rule of all hidden layers, or of each."""
SAMPLE = "sample"
"""Independent neurons, as a network has them, in the place of a rule."""


class AbstractEmbedding(eqx.Module):
    """What every embedding offers; a subclass states latents and initial weights.

    Attributes:
        input_dim: d.
        output_dim: k.
        activations: of all L layers.
    """

    input_dim: eqx.AbstractVar[int]
    output_dim: eqx.AbstractVar[int]
    activations: eqx.AbstractVar[tuple[Activation, ...]]

    unit: ClassVar[Unit] = LINEAR
    """The first layer (`neuronal.units`); a subclass may take another, per instance."""

    def __repr__(self) -> str:
        named = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        others = [
            f", {name}=({in_words(value)})"
            if isinstance(value, tuple)
            else f", {name}={_short(value)}"
            for name, value in named.items()
            if name not in ("input_dim", "output_dim", "activations") and _is_plain(value)
        ]
        if self.unit != LINEAR:
            others.append(f", unit={self.unit}")
        return (
            f"{type(self).__name__}({self.input_dim} -> {self.output_dim}, L = {self.depth}, "
            f"{in_words(self.activations)}{''.join(others)})"
        )

    biases: ClassVar[tuple[Bias, ...] | None] = None
    """Initial biases of layers 2..L-1, where there are any; they take dense kernels."""

    @property
    def parameter_dim(self) -> int:
        """p, the numbers of $w_1(c_1)$; d for the paper's first layer."""
        return self.unit.parameters(self.input_dim)

    @property
    def depth(self) -> int:
        """L, the number of layers of weights."""
        return len(self.activations)

    @abc.abstractmethod
    def draw(self, layer: int, key: PRNGKeyArray) -> Latents:
        """The latents of one neuron of hidden layer `layer` (1..L-1)."""

    @abc.abstractmethod
    def nodes(
        self, layer: int, nodes: int, rule: str, key: PRNGKeyArray
    ) -> tuple[Latents, Float[Array, "n"]]:
        """Latents and weights of a quadrature rule on $(\\Omega_i, P_i)$."""

    @abc.abstractmethod
    def initial_weights(self, latents: Sequence[Latents]) -> list[Float[Array, "_ _"]]:
        """$w_1^0, ..., w_L^0$ on latents of the L - 1 hidden layers."""

    factored: ClassVar[bool] = False
    """Whether `initial_kernels` gives the middle layers as factors."""

    @property
    def edges_apart(self) -> bool:
        """Whether weights between neurons have a randomness of their own, which nodes do not show."""
        return False

    def initial_kernels(self, latents: Sequence[Latents]) -> list[Array | Kernel]:
        """`initial_weights` with the middle layers as factors, if the embedding knows them."""
        raise InvalidInput(
            f"kernel: the initial weights of {type(self).__name__} are known as functions of pairs "
            "only, not as factors; take 'dense'"
        )

    def diversity(self) -> Finding:
        r"""Assumption 1.2: whether $(w_i^0(\cdot, C_i), w_{i+1}^0(C_i, \cdot))$ has full support.

        A method that overrides this one or `moments` is marked by
        `neuronal.bounds.proofs.proof`, unless it holds for every subclass.
        """
        return Finding(UNKNOWN, "", "no argument for a user's own functions w_i^0")

    def moments(self) -> list[Finding]:
        r"""Assumption 1.1 per layer: $\|w_i^0\|_G$ (`neuronal.embeddings.moments`); measured."""
        return measured(lambda width: self.sample(width, jax.random.key(0)).matrices)

    def independence(self) -> Independence | None:
        """The laws of independent initial weights, of three layers and one output; None of others.

        A method that overrides this one is marked as of `diversity`.
        """
        return None

    def _network(
        self,
        latents: Sequence[Latents],
        kernel: str,
        measures: Sequence[Array] | None = None,
    ) -> Network:
        choice("kernel", kernel, ("dense", "factored"))
        if kernel == "dense":
            field = "widths" if measures is None else "nodes"
            require_memory(field, [len(jax.tree.leaves(c)[0]) for c in latents])
        weights = (
            self.initial_weights(latents) if kernel == "dense" else self.initial_kernels(latents)
        )
        require(kernel == "dense" or self.biases is None, "kernel: biases take 'dense'")
        weights = with_biases(weights, self.biases, latents)
        return Network(weights, self.activations, measures, self.unit)

    def latents(self, layer: int, width: int, key: PRNGKeyArray | int) -> Latents:
        """Independent latents of `width` neurons; a prefix of those of any larger width."""
        layer_key = jax.random.fold_in(key_of(key), layer)
        return jax.vmap(lambda k: self.draw(layer, k))(_keys(layer_key, int(width)))

    def sample(
        self, widths: int | Sequence[int], key: PRNGKeyArray | int, kernel: str = "dense"
    ) -> Network:
        """A network of independent neurons, of one width or one per hidden layer.

        Args:
            kernel: ``factored`` keeps the middle layers as factors, so that no array of width
                times width is formed, here or by `train` and `solve`; the embedding must know
                factors.

        Raises:
            InvalidInput: a width below 1, or not L - 1 of them, or no factors.
        """
        widths = hidden_sizes("widths", widths, self.depth)
        latents = [self.latents(i, n, key) for i, n in enumerate(widths, start=1)]
        return self._network(latents, kernel)

    def quadrature(
        self,
        nodes: int | Sequence[int],
        rule: Rules = "sobol",
        key: PRNGKeyArray | int = 0,
        carry: Sequence[Latents] | None = None,
        kernel: str = "dense",
    ) -> Network:
        """The limit on the nodes and weights of a rule (`neuronal.quadrature`).

        Args:
            nodes: how many per hidden layer, one number or one per layer.
            rule: ``sobol``, ``lattice``, ``antithetic``, ``monte-carlo`` or ``gauss-hermite``; or
                ``sample``, the neurons of `sample` with that key and measure 1/n, so that the layer has
                finite width. One for all hidden layers, or one per layer: the layers that are
                not sampled are the limit beside those that are.
            key: of the scrambling or the draws; equal keys give equal nodes.
            carry: latents, one set a hidden layer, of neurons carried along: they come
                after the nodes and have measure zero, so that the limit moves them and they
                do not move it. Their weights are $w_i(t, C_{i-1}(j), C_i(j'))$, section 4.
            kernel: as for `sample`.
        """
        pairs = self._all_nodes(nodes, rule, key)
        latents = [c for c, _ in pairs]
        measures = [p for _, p in pairs]
        if carry is not None:
            sizes = carried_sizes(carry, self.depth)
            latents = [
                jax.tree.map(lambda a, b: jnp.concatenate([a, b]), c, more)
                for c, more in zip(latents, carry, strict=True)
            ]
            measures = [append_zeros(p, n) for p, n in zip(measures, sizes, strict=True)]
        return self._network(latents, kernel, measures)

    def node_latents(
        self, nodes: int | Sequence[int], rule: str = "sobol", key: PRNGKeyArray | int = 0
    ) -> list[Latents]:
        """The latents of the nodes that `quadrature` has, a set per hidden layer."""
        return [c for c, _ in self._all_nodes(nodes, rule, key)]

    def sizes(
        self, nodes: int | Sequence[int], rule: Rules = "sobol", key: PRNGKeyArray | int = 0
    ) -> tuple[int, ...]:
        """Nodes per hidden layer that `quadrature` has: fewer where neurons are alike."""
        return tuple(len(p) for _, p in self._all_nodes(nodes, rule, key))

    def _all_nodes(
        self, nodes: int | Sequence[int], rule: Rules, key: PRNGKeyArray | int
    ) -> list[tuple[Latents, Float[Array, "n"]]]:
        counts, rules = hidden_sizes("nodes", nodes, self.depth), rules_of(rule, self.depth)
        key = key_of(key)
        return [
            self._sampled(i, n, key)
            if own == SAMPLE
            else self.nodes(i, n, own, jax.random.fold_in(key, i))
            for i, (n, own) in enumerate(zip(counts, rules, strict=True), start=1)
        ]

    def _sampled(
        self, layer: int, width: int, key: PRNGKeyArray
    ) -> tuple[Latents, Float[Array, "n"]]:
        """The neurons of `sample`, each of measure 1/n."""
        return self.latents(layer, width, key), jnp.full(width, 1 / width)


def rules_of(rule: Rules, depth: int) -> tuple[str, ...]:
    """The rule of each hidden layer."""
    if isinstance(rule, str):
        return (rule,) * (depth - 1)
    rules = several("rule", rule, "rules")
    require(len(rules) == depth - 1, f"rule: takes one, or one per hidden layer ({depth - 1})")
    for own in rules:
        choice("rule", own, (*RULES, SAMPLE))
    return rules


def _short(value: object) -> str:
    return in_words([value])


def _is_plain(value: object) -> bool:
    """A number or words, or several."""
    values = value if isinstance(value, tuple) else (value,)
    return all(isinstance(v, int | float | str) for v in values)


@lightly()
def _keys(key: PRNGKeyArray, width: int) -> Array:
    return jax.vmap(lambda j: jax.random.fold_in(key, j))(jnp.arange(width))


def carried_sizes(carry: Sequence[Latents], depth: int) -> list[int]:
    """How many neurons are carried in each hidden layer."""
    require(len(carry) == depth - 1, f"carry: takes latents of each hidden layer ({depth - 1})")
    return [len(jax.tree.leaves(c)[0]) for c in carry]


def append_zeros(measure: Float[Array, "n"], count: int) -> Float[Array, "n_more"]:
    """`measure` with `count` nodes of weight zero behind it."""
    return jnp.concatenate([measure, jnp.zeros(count, measure.dtype)])


def over_pairs(function: Callable[[Any, Any], Array], c: Latents, c_next: Latents) -> Array:
    """The matrix of `function(c[j], c_next[l])` over all pairs."""
    return jax.vmap(lambda a: jax.vmap(lambda b: function(a, b))(c_next))(c)

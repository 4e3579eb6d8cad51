r"""A correlated initialisation that is bidirectionally diverse (Assumption 1.2).

Latents: $c_1 = (u, \beta_1)$, $c_i = (\alpha_i, \beta_i)$ for $2 \le i \le L-1$, all
coordinates standard normal; $w_1^0 = s u$, $w_L^0(c_{L-1}, j) = \beta_{L-1,j}$, and between

$$w_i^0(c, c') = g_i \sum_{k \le K} s_k [\alpha'_k \psi_k(c) + \beta_k \chi_k(c')],$$

$\alpha'$ from $c'$, $\beta$ from $c$, with bounded features $\psi_k$, $\chi_k$ of dense span
(`neuronal.embeddings.features`) and summable $s_k$. As the rank $K \to \infty$ the embedding is
bidirectionally diverse (the proof is in the documentation, "Theory"); a finite rank is its
truncation. By Stein's lemma $H_i = \sum_k \alpha_{i,k} f_{i,k}(x)$ at $t = 0$ with $f_{i+1,k}
\approx g\,\mathbb{E}[\varphi'] f_{i,k}$: the signal crosses layers as through the identity,
both ways, and the critical gain keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from .. import activations as activations_
from .. import quadrature
from ..activations import Activation
from ..bounds.finding import PROVED, Finding
from ..bounds.proofs import proof
from ..checks import (
    dimensions,
    finite,
    on_device,
    one_or_several,
    positive,
    require,
    shown,
    whole,
)
from ..kernels import Kernel, factored, matrix
from ..units.base import Unit, checked
from ..units.linear import LINEAR
from . import features
from .base import AbstractEmbedding, Latents
from .biases import checked_biases
from .moments import gaussian

FLAT_RANK = 16
"""Coefficients s_k are 1 up to here, then fall as k**-2: summable, and no layer attenuates
one of the first signals more than another."""

_SPREAD, _FALL = 2.0, 0.3
"""The spread at L = 3, and the power of 1/(L - 2) with which it falls: chosen by `benchmarks/start.py`."""
_MILD = 0.5
"""The spread where the activation does not saturate, and passes a larger one on to the steps' curvature."""

_ROWS = 64
"""Inputs on which a critical gain is measured: a multiple of them."""


class Bidirectional(AbstractEmbedding):
    r"""The bidirectionally diverse embedding.

    Args:
        input_dim, depth, output_dim: d, L and k.
        activation: of the hidden layers; `last_activation` is $\varphi_L$.
        rank: K, at which the sums are cut.
        gain: ``critical``, or $g_i$ as one number or one per middle layer (L - 2 of them).
            The critical gain keeps the spread of $H_i$ over inputs at `spread` in every
            layer; it is computed on the limit and so belongs to no width.
        input_scale: s, the standard deviation of the first layer's weights;
            $1/\sqrt{d}$ times 1.5 if left out.
        spread: root mean square over neurons of the standard deviation of $H_i$ over inputs;
            if left out $2 (L-2)^{-0.3}$, with which networks of 3 to 32 layers learn fastest, and 0.5
            where the activation does not saturate (is not both bounded and of a derivative never 0).
        inputs: `(m, d)`, on which the critical gain measures spread; standard normal inputs
            if left out. Give the problem's own where they lie far from those.
        biases: those of layers 2..L-1 at the start, one number for all or one per layer; none if left
            out. The critical gain does not see them.
        unit: the first layer (`neuronal.units`), whose parameters are normal of standard deviation s.

    Raises:
        InvalidInput: impossible dimensions, gains or scales.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> embedding = nr.embeddings.Bidirectional(2, depth=4, rank=8)
        >>> embedding.sample((32, 16, 8), key=0).widths
        (32, 16, 8)

        ```
    """

    input_dim: int = eqx.field(static=True)
    output_dim: int = eqx.field(static=True)
    activations: tuple[Activation, ...] = eqx.field(static=True)
    rank: int = eqx.field(static=True)
    input_scale: float = eqx.field(static=True)
    gains: tuple[float, ...] = eqx.field(static=True)
    unit: Unit = eqx.field(static=True)
    biases: tuple[float, ...] | None = eqx.field(static=True)

    def __init__(
        self,
        input_dim: int,
        depth: int,
        output_dim: int = 1,
        activation: str | Activation = activations_.tanh,
        rank: int = 16,
        gain: str | float | Sequence[float] = "critical",
        input_scale: float | None = None,
        spread: float | None = None,
        inputs: ArrayLike | None = None,
        last_activation: str | Activation = activations_.identity,
        unit: Unit = LINEAR,
        biases: float | Sequence[float] | None = None,
    ):
        self.input_dim, depth, self.output_dim = dimensions(input_dim, depth, output_dim)
        self.unit = checked(unit)  # pyright: ignore[reportIncompatibleVariableOverride]
        self.unit.parameters(self.input_dim)  # refuses other inputs
        self.rank = whole("rank", rank, 1)
        self.activations = activations_.per_layer(activation, last_activation, depth)
        self.biases = checked_biases(biases, depth)  # pyright: ignore[reportIncompatibleVariableOverride]
        if input_scale is None:
            input_scale = 1.5 / math.sqrt(self.input_dim)
        self.input_scale = positive("input_scale", input_scale)
        if isinstance(gain, str):
            require(gain == "critical", f"gain: takes 'critical' or numbers, got {shown(gain)}")
            if spread is None:
                spread = _default_spread(self.activations[0], depth)
            self.gains = self._critical_gains(positive("spread", spread), inputs)
        else:
            given = one_or_several("gain", gain, depth - 2)
            require(
                len(given) == depth - 2 and all(math.isfinite(g) and g > 0 for g in given),
                f"gain: takes one positive number, or one a middle layer ({depth - 2})",
            )
            self.gains = given

    @property
    def coefficients(self) -> Float[np.ndarray, "K"]:
        """$s_1, ..., s_K$."""
        return np.minimum(1.0, (FLAT_RANK / np.arange(1, self.rank + 1)) ** 2)

    def draw(self, layer: int, key: PRNGKeyArray) -> Latents:
        return jax.random.normal(key, (sum(self._split(layer)),))

    def nodes(
        self, layer: int, nodes: int, rule: str, key: PRNGKeyArray
    ) -> tuple[Latents, Float[Array, "n"]]:
        return quadrature.gaussian(rule, nodes, sum(self._split(layer)), key)

    def initial_weights(self, latents: Sequence[Latents]) -> list[Float[Array, "_ _"]]:
        return [matrix(w) for w in self.initial_kernels(latents)]

    @property
    def factored(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.biases is None

    def initial_kernels(self, latents: Sequence[Latents]) -> list[Array | Kernel]:
        middle = [
            factored(*self.factors(i, latents[i - 2], latents[i - 1])) for i in range(2, self.depth)
        ]
        parts = self._split(1)[0], self._split(self.depth - 1)[0]
        first, last = _ends(latents[0], latents[-1], self.input_scale, parts)
        return [first, *middle, last]

    def factors(
        self, layer: int, c: Float[Array, "n D"], c_next: Float[Array, "n_out D2"]
    ) -> tuple[Float[Array, "n r"], Float[Array, "n_out r"]]:
        """U and V with $w_i^0$ = U V^T, r = 2K, for a middle layer (2..L-1)."""
        scale = on_device((self.gains[layer - 2] * self.coefficients).astype(c.dtype))
        outputs = layer == self.depth - 1  # whose number is not the rank
        slots = features.in_turn(self.rank, self.output_dim) if outputs else features.own(self.rank)
        return _factors(c, c_next, scale, self.rank, layer == 2, slots)

    @proof
    def diversity(self) -> Finding:
        if self.depth == 2:
            how = "(u, beta) is normal on R^d x R^k, whose every open set it charges"
            return Finding(PROVED, "exact", how)
        how = (
            "bounded features of dense span, s_k summable: a fixed point of Brouwer's meets any "
            f"target (docs, Theory). Proved for rank -> infinity; rank {self.rank} is its "
            "truncation, whose reach the next rows measure"
        )
        return Finding(PROVED, "rank -> inf", how)

    @proof
    def moments(self) -> list[Finding]:
        # Given c, sum_k s_k alpha'_k psi_k(c) is normal with variance sum (s_k psi_k)^2, since
        # alpha' belongs to c'; likewise the other sum. Features are below 1 / E[z tanh z] (the
        # cosines below sqrt 2).
        most = max(1 / features.tanh_overlap(), math.sqrt(2))
        root = math.sqrt(float(np.sum(self.coefficients**2)))
        how = "both sums are normal given the features, which are bounded; true of every rank"
        middle = [Finding(PROVED, 2 * g * most * root * gaussian(1), how) for g in self.gains]
        p = self.parameter_dim
        of_first = f"normal, |w_1| in R^{'d' if self.unit == LINEAR else p}"
        return [
            Finding(PROVED, self.input_scale * gaussian(p), of_first),
            *middle,
            Finding(PROVED, gaussian(self.output_dim), "standard normal"),
        ]

    def _split(self, layer: int) -> tuple[int, int]:
        """Coordinates of the first part (u or alpha) and of beta in a latent of that layer."""
        first = self.parameter_dim if layer == 1 else self.rank
        return first, self.output_dim if layer == self.depth - 1 else self.rank

    def _critical_gains(
        self, spread: float, inputs: ArrayLike | None, nodes: int = 4096, most: int = 256
    ) -> tuple[float, ...]:
        """Gains that give every middle layer that spread, on the limit at t = 0.

        There H_i = sum_k alpha_{i,k} f_{i,k}(x) exactly (beta_{i-1} is independent of
        H_{i-1}), so the spread's square is g^2 sum_k Var_x f_{i,k}, layer after layer.
        """
        if self.depth == 2:
            return ()
        key = jax.random.key(0)
        if inputs is None:
            x = quadrature.gaussian("sobol", most, self.input_dim, key)[0]
        else:
            x = np.asarray(finite("inputs", inputs, 2), jax.dtypes.canonicalize_dtype(float))
            require(
                x.shape[1] == self.input_dim and len(x) > 0,
                f"inputs: takes shape (m, {self.input_dim}), got {x.shape}",
            )
            x = x[:: max(1, len(x) // most)]
            require(
                bool(np.any(np.ptp(x, axis=0) > 0)),
                "inputs: are all equal; the critical gain needs a spread",
            )
        # Padded to few sizes, to compile rarely.
        m, more = len(x), -len(x) % _ROWS
        weights = np.pad(np.full(m, 1 / m, x.dtype), (0, more))
        signal = np.pad(np.asarray(x), ((0, more), (0, 0)))
        scale = np.asarray(self.input_scale, x.dtype)
        unit = None if self.unit == LINEAR else self.unit
        if unit is None:
            signal = signal * scale
        coefficients = np.asarray(self.coefficients, x.dtype)
        gains: list[float] = []
        for i in range(1, self.depth - 1):
            c, p = self.nodes(i, nodes, "sobol", jax.random.fold_in(key, i))
            f, size = _carried(
                c, p, signal, weights, coefficients, self.activations[i - 1], self.rank, i == 1,
                scale, unit if i == 1 else None,
            )  # fmt: skip
            total = float(size)
            require(
                math.isfinite(total) and total > 1e-12,
                f"gain: no signal reaches layer {i + 1}; give the gains as numbers",
            )
            gains.append(spread / total)
            signal = np.asarray(f) * np.asarray(gains[-1], f.dtype)
        return tuple(gains)


def _default_spread(activation: Activation, depth: int) -> float:
    saturates = math.isfinite(activation.bound) and activation.derivative_nonzero
    return _SPREAD * max(depth - 2, 1) ** -_FALL if saturates else _MILD


@partial(jax.jit, static_argnames=("scale", "parts"))
def _ends(
    c_first: Float[Array, "n D"],
    c_last: Float[Array, "n_out D2"],
    scale: float,
    parts: tuple[int, int],
) -> tuple[Float[Array, "n d"], Float[Array, "n_out k"]]:
    """$w_1^0$ and $w_L^0$, of latents whose first part has so many coordinates."""
    return c_first[:, : parts[0]] * scale, c_last[:, parts[1] :]


@partial(jax.jit, static_argnames=("rank", "first_layer", "slots"))
def _factors(
    c: Float[Array, "n D"],
    c_next: Float[Array, "n_out D2"],
    scale: Float[Array, "K"],
    rank: int,
    first_layer: bool,
    slots: features.Slots,
) -> tuple[Float[Array, "n r"], Float[Array, "n_out r"]]:
    """Both sides of the sum over k, `c` of the first layer or of a later one."""
    beta, alpha, beta_next = c[:, -rank:], c_next[:, :rank], c_next[:, rank:]
    chi = features.coordinatewise(beta_next, alpha, slots)
    u = jnp.concatenate([_psi(c, rank, first_layer) * scale, beta * scale], axis=1)
    return u, jnp.concatenate([alpha, chi], axis=1)


@partial(jax.jit, static_argnames=("activation", "rank", "first_layer", "unit"))
def _carried(
    c: Float[Array, "n D"],
    p: Float[Array, "n"],
    signal: Float[Array, "m a"],
    weights: Float[Array, "m"],
    coefficients: Float[Array, "K"],
    activation: Activation,
    rank: int,
    first_layer: bool,
    scale: Float[Array, ""],
    unit: Unit | None,
) -> tuple[Float[Array, "m K"], Float[Array, ""]]:
    r"""$s_k f_k(x)$ of the next layer, and the root of their variances over inputs, summed."""
    first = c[:, :-rank]
    h = first @ signal.T if unit is None else unit.value(scale * first, signal).T
    f = activation(h).T @ (_psi(c, rank, first_layer) * p[:, None]) * coefficients
    return f, jnp.sqrt(jnp.sum(weights @ (f - weights @ f) ** 2))


def _psi(c: Float[Array, "n D"], rank: int, first_layer: bool) -> Float[Array, "n K"]:
    """Features of the incoming side, of latents of the first layer or of a later one."""
    first, beta = c[:, :-rank], c[:, -rank:]
    if first_layer:
        return features.directional(first, rank)
    return features.coordinatewise(first, beta, features.own(rank))

"""Synthetic regression: $y = f(x) + \\text{noise}$, with known Bayes risk."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .. import quadrature
from ..bounds.finding import VIOLATED, Finding
from ..bounds.proofs import proof
from ..checks import columns, non_negative, of_shape, result_shape
from ..errors import InvalidInput
from ..losses import Loss
from .base import Distribution
from .conditional import Conditional
from .inputs import Inputs
from .own import inputs_of

_NOISE_NODES = 9
_CONDITIONAL_NODES = 64
_RISK_NODES = 200


class Regression(Distribution):
    r"""$Y = f(X) + \sigma \zeta$, $\zeta$ standard normal in every output.

    Args:
        target: f, a JAX-traceable map of `x (m, d)` to `(m,)` or `(m, k)`; or of one sample `(d,)` to a
            number or `(k,)`, which is recognised and mapped.
        inputs: the law of X: `neuronal.distributions.Uniform`, ...; a continuous law of `scipy.stats`, or
            several for independent coordinates; or a sampler, a random key to one input `(d,)`.
        noise: $\sigma$.

    Raises:
        InvalidInput: a target of another shape, negative noise.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> law = nr.distributions.Regression(lambda x: x[0] ** 2, nr.distributions.Uniform(), noise=0.5)
        >>> round(law.bayes_risk(nr.losses.Squared()), 6)  # that of the noise
        0.125

        ```
    """

    target: Callable[[Array], Array] = eqx.field(static=True)
    inputs: Inputs
    noise: float = eqx.field(static=True)

    def __init__(self, target: Callable[[Array], Array], inputs: Any, noise: float = 0.0):
        self.inputs, self.noise = inputs_of(inputs), non_negative("noise", noise)
        self.target = batched(target, self.inputs.dim)

    def __repr__(self) -> str:
        name = getattr(self.target, "__name__", type(self.target).__name__)
        return f"Regression({name}, {self.inputs!r}, noise={self.noise:g})"

    @property
    def input_dim(self) -> int:
        return self.inputs.dim

    def mean(self, x: Float[Array, "m d"]) -> Float[Array, "m k"]:
        """The noiseless target f(x)."""
        y = jnp.asarray(self.target(x))
        return y[:, None] if y.ndim == 1 else y

    def sample(self, key: PRNGKeyArray, m: int) -> tuple[Array, Array]:
        for_x, for_noise = jax.random.split(key)
        x = self.inputs.sample(for_x, m)
        y = self.mean(x)
        return x, y + self.noise * jax.random.normal(for_noise, y.shape, y.dtype)

    def quadrature(self, m: int) -> tuple[Array, Array, Array]:
        """Nodes in x; with noise, each times 9 Gauss nodes of the noise in each output.

        Beyond two outputs the noise has 64 Sobol points instead of the product.
        """
        x, weights = self.inputs.quadrature(m)
        y = columns("target", self.mean(x))
        if self.noise == 0:
            return x, y, weights
        few = y.shape[1] <= 2
        rule = "gauss-hermite" if few else "sobol"
        count = _NOISE_NODES ** y.shape[1] if few else 64
        zeta, p = quadrature.gaussian(rule, count, y.shape[1], jax.random.key(1))
        noisy = y[:, None, :] + self.noise * zeta[None]
        return (
            jnp.repeat(x, count, axis=0),
            noisy.reshape(-1, y.shape[1]),
            (weights[:, None] * p[None]).reshape(-1),
        )

    def bayes_risk(self, loss: Loss) -> float | None:
        r"""The least risk of a loss of the residual; it is that of the noise alone."""
        if not (loss.of_residual and loss.sums_over_outputs):
            return None
        one = jax.ShapeDtypeStruct((1, self.input_dim), float)
        outputs = jax.eval_shape(self.mean, one).shape[1]
        known = loss.normal_infimum(self.noise)
        if known is not None:
            return known * outputs
        # One output at a time: the loss is a sum over outputs.
        zeta, p = quadrature.gaussian("gauss-hermite", _RISK_NODES, 1, jax.random.key(0))
        return outputs * float(loss.infimum(self.noise * zeta[None], p[None])[0])

    @proof
    def norm_bound(self) -> Finding:
        return self.inputs.norm_bound()

    @proof
    def has_constant(self) -> bool:
        return self.inputs.has_constant()

    @proof
    def reflected_pairs(self) -> float | None:
        return self.inputs.reflected_pairs()

    @proof
    def is_function(self) -> bool:
        return self.noise == 0

    @proof
    def target_bound(self) -> Finding:
        if self.noise > 0:
            return Finding(VIOLATED, math.inf, "Gaussian noise in Y is unbounded")
        return super().target_bound()

    @proof
    def conditional(self, nodes: int, outputs_apart: bool = True) -> Conditional:
        """As in `Distribution`: noise by 64 Gauss nodes, if each output may be looked at alone."""
        with jax.enable_x64(True):
            if self.noise > 0:
                x, mass = (np.asarray(a, float) for a in self.inputs.quadrature(nodes))
                mean = np.asarray(self.mean(jnp.asarray(x)), float)
                if outputs_apart or mean.shape[1] == 1:
                    zeta, p = quadrature.gaussian(
                        "gauss-hermite", _CONDITIONAL_NODES, 1, jax.random.key(0)
                    )
                    y = mean[:, None] + self.noise * np.asarray(zeta)[None]
                    return Conditional(x, mass, y, np.tile(np.asarray(p), (len(x), 1)))
        return super().conditional(nodes, outputs_apart)

    def curve(
        self, count: int
    ) -> tuple[Float[np.ndarray, "g"], Float[np.ndarray, "g d"], Float[np.ndarray, "g"]] | None:
        found = self.inputs.line(count)
        if found is None:
            return None
        values, x = found
        return values, x, np.asarray(self.mean(jnp.asarray(x, dtype=float)))[:, 0]


@dataclass(frozen=True, repr=False)
class OfOneSample:
    """A function of one sample `(d,)`, mapped over a batch."""

    function: Callable[[Array], Array]

    def __repr__(self) -> str:
        return f"<{self.__name__} of one sample>"

    def __call__(self, x: Float[Array, "m d"]) -> Array:
        return jax.vmap(self.function)(x)

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)


def batched(target: Callable[[Array], Array], dim: int) -> Callable[[Array], Array]:
    """The target as a function of a batch, whether it is one or is one of a sample.

    Raises:
        InvalidInput: it is neither.
    """
    m = dim + 2  # another number, so that rows and coordinates are told apart
    takes = (
        f"takes a batch x (m, {dim}) to (m,) or (m, k), a row per sample, or one sample ({dim},) to a "
        "number or (k,)"
    )
    fits = lambda shape: len(shape) in (1, 2) and shape[0] == m and shape[-1] > 0
    failed: InvalidInput | None = None
    for candidate in (target, OfOneSample(target)):
        try:
            shape = result_shape("target", takes, candidate, of_shape(m, dim))
        except InvalidInput as error:
            failed = failed or error
            continue
        if fits(shape):
            return candidate
        failed = failed or InvalidInput(f"target: {takes}, got shape {shape} for m = {m}")
    assert failed is not None
    raise failed

"""What is learned: a law of $(X, Y)$, a loss, and a learning-rate schedule a layer."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from . import dynamics
from .checks import require
from .distributions import Distribution, Samples
from .embeddings import AbstractEmbedding
from .losses import Loss
from .network import Network
from .schedules import Schedule, Schedules, per_layer


class Problem(eqx.Module):
    r"""A learning problem.

    Attributes:
        distribution: the law of $Z = (X, Y)$.
        loss: $\mathcal{L}$.
        schedules: $\xi_i$: one callable of MF time for all layers, or one a layer; 1 if
            left out.
    """

    distribution: Distribution
    loss: Loss = eqx.field(static=True)
    schedules: Schedules

    def __init__(self, distribution: Distribution, loss: Loss, schedules: Schedules = None):
        require(
            isinstance(distribution, Distribution), "distribution: takes a law such as Empirical"
        )
        require(
            isinstance(loss, Loss), f"loss: takes a loss such as losses.Squared(), got {loss!r}"
        )
        if schedules is not None and not callable(schedules):
            require(
                isinstance(schedules, Sequence),
                f"schedules: takes one callable, or one a layer, got {schedules!r}",
            )
            schedules = tuple(schedules)
        self.distribution, self.loss, self.schedules = distribution, loss, schedules

    def rates(self, t: Float[Array, ""], depth: int) -> list[Float[Array, ""]]:
        r"""$\xi_1(t), \dots, \xi_L(t)$."""
        return [jnp.asarray(xi(t), t.dtype) for xi in self.layer_schedules(depth)]

    def layer_schedules(self, depth: int) -> tuple[Schedule, ...]:
        r"""$\xi_1, \dots, \xi_L$."""
        return per_layer(self.schedules, depth)

    def quadrature(self, m: int, dtype: jnp.dtype | None = None) -> Samples:
        """The law for $E_Z$ on about `m` nodes (a finite law: all of it), of one dtype."""
        require(m >= 1, f"data_nodes: takes 1 or more, got {m}")
        x, y, weights = self.distribution.quadrature(m)
        dtype = dtype or jnp.asarray(x).dtype
        return Samples(x.astype(dtype), y.astype(dtype), weights.astype(dtype))

    def risk(self, network: Network, data_nodes: int = 1024) -> float:
        r"""$\mathcal{L}(W) = E_Z[\mathcal{L}(Y, \hat y(X; W))]$."""
        self.check(network)
        x, y, weights = self.quadrature(data_nodes, network.weights[0].dtype)
        return float(mean_loss(network, self.loss, x, y, weights))

    def check(self, model: Network | AbstractEmbedding) -> None:
        """Raise `InvalidInput` unless inputs, targets and schedules fit the network."""
        d = self.distribution.input_dim
        require(
            model.input_dim == d,
            f"input_dim: the network takes {model.input_dim} coordinates, the data have {d}",
        )
        self.loss.check(jnp.asarray(self.distribution.quadrature(64)[1]), model.output_dim)
        self.layer_schedules(model.depth)


@eqx.filter_jit
def mean_loss(network: Network, loss: Loss, x: Array, y: Array, weights: Array) -> Array:
    """The loss averaged over weighted samples."""
    values = dynamics.forward(network.weights, network.measures, network.activations, x)[1]
    return weights @ loss(y, values[-1])

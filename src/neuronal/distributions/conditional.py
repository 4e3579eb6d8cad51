"""The law of Z as X and Y given X, on nodes: what risks' infima and E[. | X = x] need."""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..losses import Loss


@dataclass(frozen=True)
class Conditional:
    """Nodes of X, and at each the law of Y; all in double precision.

    Attributes:
        x: `(g, d)`, each node once.
        mass: `(g,)`, of sum 1.
        y: `(g, c, k)`.
        p: `(g, c)`, probabilities of `y` given x; rows of sum 1.
    """

    x: Float[np.ndarray, "g d"]
    mass: Float[np.ndarray, "g"]
    y: Float[np.ndarray, "g c k"]
    p: Float[np.ndarray, "g c"]

    def mean(self) -> Float[np.ndarray, "g k"]:
        """E[Y | X = x]."""
        return np.einsum("gc,gck->gk", self.p, self.y)

    def risk_and_gradient(
        self, loss: Loss, prediction: Float[np.ndarray, "g k"]
    ) -> tuple[Float[np.ndarray, "g"], Float[np.ndarray, "g k"]]:
        r"""$E[L(Y, a) | X = x]$ and $E[\partial_2 L(Y, a) | X = x]$ at a = `prediction`."""
        g, c, _ = self.y.shape
        with jax.enable_x64(True):
            y = jnp.asarray(self.y.reshape(g * c, -1))
            a = jnp.repeat(jnp.asarray(prediction, float), c, axis=0)
            values, gradients = map(np.asarray, _values_and_gradients(loss, y, a))
        return (
            np.einsum("gc,gc->g", self.p, values.reshape(g, c)),
            np.einsum("gc,gck->gk", self.p, gradients.reshape(g, c, -1)),
        )

    def outputs_apart(self) -> Conditional:
        """Each output a node of its own with one output: `(g k)` nodes."""
        g, c, k = self.y.shape
        return Conditional(
            np.repeat(self.x, k, axis=0),
            np.repeat(self.mass, k),
            self.y.transpose(0, 2, 1).reshape(g * k, c, 1),
            np.repeat(self.p, k, axis=0),
        )


@eqx.filter_jit
def _values_and_gradients(loss: Loss, y: Array, a: Array) -> tuple[Array, Array]:
    return loss(y, a), loss.gradient(y, a)


def grouped(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n k"], weights: Float[np.ndarray, "n"]
) -> Conditional:
    """Samples that share their x together; the shorter groups padded with probability 0."""
    kept = weights > 0
    nodes, group, counts = np.unique(x[kept], axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    order = np.argsort(group, kind="stable")
    place = np.empty(len(group), int)
    place[order] = np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)
    y, weights = y[kept], weights[kept] / weights[kept].sum()
    first = y[order[np.cumsum(counts) - counts]]
    targets = np.repeat(first[:, None], counts.max(), axis=1)
    p = np.zeros((len(nodes), counts.max()))
    targets[group, place], p[group, place] = y, weights
    mass = p.sum(axis=1)
    return Conditional(nodes, mass, targets, p / mass[:, None])

"""The law of $Z = (X, Y)$: what a distribution offers to SGD, to the ODE and to the reports."""

from __future__ import annotations

import abc
from typing import NamedTuple

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray

from ..losses import Loss


class Samples(NamedTuple):
    """Weighted samples: the law of $Z$ as $E_Z$ sees it, weights of sum 1."""

    x: Float[Array, "m d"]
    y: Float[Array, "m k"]
    weights: Float[Array, "m"]


class Distribution(eqx.Module):
    """A law of samples `x (m, d)`, `y (m, k)`."""

    @property
    @abc.abstractmethod
    def input_dim(self) -> int:
        """d."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, m: int) -> tuple[Float[Array, "m d"], Float[Array, "m k"]]:
        """`m` independent samples; traceable, so that SGD draws inside its compiled loop."""

    @abc.abstractmethod
    def quadrature(
        self, m: int
    ) -> tuple[Float[Array, "n d"], Float[Array, "n k"], Float[Array, "n"]]:
        """Samples and weights of sum 1 for $E_Z$: about `m` nodes, or all of a finite law."""

    def bayes_risk(self, loss: Loss) -> float | None:
        r"""$\inf_{\tilde y} E_Z[\mathcal{L}(Y, \tilde y(X))]$, or None where it is not known."""
        return None

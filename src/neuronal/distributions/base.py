"""The law of $Z = (X, Y)$: what a distribution offers to SGD, to the ODE and to the reports."""

from __future__ import annotations

import abc
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ..bounds.finding import UNKNOWN, Finding
from ..losses import Loss
from .conditional import Conditional, grouped
from .facts import FactsOfX


class Samples(NamedTuple):
    """Weighted samples: the law of $Z$ as $E_Z$ sees it, weights of sum 1.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> problem.quadrature(8)
        Samples(x (8, 1), y (8, 1), weights (8,))

        ```
    """

    x: Float[Array, "m d"]
    y: Float[Array, "m k"]
    weights: Float[Array, "m"]

    def __repr__(self) -> str:
        return f"Samples(x {self.x.shape}, y {self.y.shape}, weights {self.weights.shape})"


class Distribution(FactsOfX):
    """A law of samples `x (m, d)`, `y (m, k)`; a subclass states the first three methods."""

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

    def parted(self, share: float, key: PRNGKeyArray) -> tuple[Distribution, Samples | None]:
        """A law to learn from, and samples apart from it on which a risk is that of new ones.

        None where the law's own quadrature is that already, since no sample comes twice.
        """
        return self, None

    def mean(self, x: Float[Array, "m d"]) -> Float[Array, "m k"] | None:
        """$E[Y | X = x]$ at any x; None where it is known at the law's own inputs alone, or not at all."""
        return None

    def bayes_risk(self, loss: Loss) -> float | None:
        r"""$\inf_{\tilde y} E_Z[\mathcal{L}(Y, \tilde y(X))]$, or None where it is not known."""
        return None

    def _inputs(self, key: PRNGKeyArray, m: int) -> Array:
        return self.sample(key, m)[0]

    def conditional(self, nodes: int, outputs_apart: bool = True) -> Conditional:
        """The law as X and Y given X, on about `nodes` nodes of X; of a finite law all of it.

        Args:
            outputs_apart: only each output's own law matters, not their joint one, as for
                losses that are sums over outputs: normal noise is then as cheap in many outputs
                as in one.
        """
        with jax.enable_x64(True):
            return grouped(*(np.asarray(a, float) for a in self.quadrature(nodes)))

    def is_function(self) -> bool | None:
        """Whether Y is a function of X; None: as the nodes of `conditional` have it."""
        return None

    def target_bound(self) -> Finding:
        r"""K with $|Y| \le K$ almost surely, of the largest output."""
        return Finding(UNKNOWN, "", "no proven bound of the targets")

    def curve(
        self, count: int
    ) -> tuple[Float[np.ndarray, "g"], Float[np.ndarray, "g d"], Float[np.ndarray, "g"]] | None:
        """What a plot over one coordinate shows: its values, the inputs there, the noiseless
        first target; None where X is no single coordinate, or Y no function with noise."""
        return None

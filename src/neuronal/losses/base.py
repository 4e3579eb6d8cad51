r"""A loss, with what Assumption 1.1 and Theorem 2 ask of it."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..bounds.forms import LossForm
from ..bounds.intervals import supremum
from ..checks import require


@dataclass(frozen=True)
class Loss(abc.ABC):
    r"""A loss; a subclass states value, gradient, infimum and constants.

    `gradient_bound` and `gradient_lipschitz` are those of $\partial_2\mathcal{L}$
    (``inf`` where there is none); `zero_gradient_is_zero_loss` is Case 2's condition. They and
    `convex` are declared: `certify` measures them, or proves them by `interval_form` and
    `convexity`.

    Attributes:
        takes_classes: targets are classes, not numbers; `two_classes`: two of them, no more.
        sums_over_outputs: the loss is a sum of losses of one output each.
        of_residual: it is a function of ``prediction - y`` alone.
    """

    takes_classes: ClassVar[bool] = False
    two_classes: ClassVar[bool] = False
    sums_over_outputs: ClassVar[bool] = False
    of_residual: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return "".join("_" + c.lower() if c.isupper() else c for c in type(self).__name__)[1:]

    gradient_bound = math.inf
    gradient_lipschitz = math.inf
    convex = True
    zero_gradient_is_zero_loss = False

    @abc.abstractmethod
    def __call__(
        self, y: Float[Array, "m k"], prediction: Float[Array, "m k"]
    ) -> Float[Array, "m"]:
        """The loss of each sample."""

    @abc.abstractmethod
    def gradient(
        self, y: Float[Array, "m k"], prediction: Float[Array, "m k"]
    ) -> Float[Array, "m k"]:
        r"""$\partial_2 \mathcal{L}(y, \hat y)$ of each sample."""

    @abc.abstractmethod
    def infimum(self, y: Float[Array, "m c k"], weights: Float[Array, "m c"]) -> Float[Array, "m"]:
        """Least conditional risk of each of m laws, each on c targets with weights of sum 1."""

    def outputs(self, y: Float[Array, "m k"]) -> int:
        """Outputs a network needs for these targets."""
        return y.shape[1]

    def scores(self, prediction: Float[Array, "m k"]) -> Float[Array, "m c"] | None:
        """Of each class, so that their softmax are its probabilities; None of a loss of numbers."""
        return None

    def labels(self, y: Float[Array, "m k"]) -> Int[Array, "m"]:
        """The numbers of the classes that targets name, of a loss that has `scores`."""
        return jnp.argmax(y, axis=1) if y.shape[1] > 1 else y[:, 0].astype(int)

    def check(self, y: Float[Array, "m k"], outputs: int) -> None:
        """Raise `InvalidInput` if a network of that many outputs cannot learn targets `y`."""
        require(
            y.shape[1] == outputs,
            f"y: the network has {outputs} outputs, the targets {y.shape[1]} columns; "
            f"build the embedding with output_dim={y.shape[1]}",
        )

    def interval_form(self) -> LossForm | None:
        r"""$\partial_2\mathcal{L}$ on intervals, which proves its constants; None: measured.

        A method that overrides this one, `convexity`, `proven_infimum` or `normal_infimum` is
        marked by `neuronal.bounds.proofs.proof`, unless it holds for every subclass.
        """
        return None

    def convexity(self) -> str:
        """Why the loss is convex in the prediction, if that is proved; else empty."""
        form = self.interval_form()
        if form is None or not self.sums_over_outputs:
            return ""
        steepest_fall = supremum(lambda u: -form.slope(u))[1]
        rises = steepest_fall <= 1e-300
        return f"{self.name}: d22 L >= 0 by intervals over the whole line" if rises else ""

    def proven_infimum(
        self, y: Float[np.ndarray, "m c k"], weights: Float[np.ndarray, "m c"]
    ) -> Float[np.ndarray, "m"] | None:
        """A lower bound of `infimum` by an argument; None: by tangents, if the loss is convex."""
        return None

    def normal_infimum(self, std: float) -> float | None:
        """`infimum` of one output whose target is N(0, std^2), where it has a closed form."""
        return None

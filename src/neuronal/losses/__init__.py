r"""Losses $\mathcal{L}(y, \hat y)$ with what Assumption 1.1 and Theorem 2 ask of them.

Every loss maps targets `y (m, k)` and predictions `(m, k)` to values `(m,)`, a sum over
outputs, and gives $\partial_2 \mathcal{L}$ in closed form. `infimum` is
$\min_a \sum_j p_j \mathcal{L}(y_j, a)$, the least conditional risk: averaged over
$x$ it is the infimum of Theorem 2, Case 1.
"""

from __future__ import annotations

from ..checks import choice
from ..errors import InvalidInput
from .base import Loss
from .classes import CrossEntropy, Logistic
from .own import of
from .residual import Cauchy, Huber, LogCosh, PseudoHuber, ResidualLoss, Squared

__all__ = [
    "LOSSES",
    "Cauchy",
    "CrossEntropy",
    "Huber",
    "LogCosh",
    "Logistic",
    "Loss",
    "PseudoHuber",
    "ResidualLoss",
    "Squared",
    "get",
    "of",
]

LOSSES: dict[str, type[Loss]] = {
    "squared": Squared,
    "pseudo_huber": PseudoHuber,
    "huber": Huber,
    "log_cosh": LogCosh,
    "cauchy": Cauchy,
    "logistic": Logistic,
    "cross_entropy": CrossEntropy,
}


def get(name: str, **parameters: float) -> Loss:
    """The loss of that name, as a configuration file names it.

    Raises:
        InvalidInput: no loss has that name, or it has no such parameter.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.losses.get("huber", delta=0.5).gradient_bound
        0.5

        ```
    """
    choice("loss", name, LOSSES)
    try:
        return LOSSES[name](**parameters)
    except TypeError as error:
        raise InvalidInput(f"loss: {name} does not take {sorted(parameters)}") from error

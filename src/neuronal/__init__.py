"""The mean-field theory of multilayer neural networks, made executable.

A network is the mean-field system on an ensemble of neurons: see `neuronal.dynamics`.
"""

from typing import TYPE_CHECKING, Any

from . import (
    activations,
    communication,
    distributions,
    embeddings,
    losses,
    schedules,
    sharding,
    transfer,
)
from .coupling import Coupling, couple
from .errors import DivergenceError, InvalidInput
from .flow import flow, reverse_flow
from .grow import grow
from .network import Network
from .problem import Problem
from .resample import resample, resampling_error
from .solve import solve
from .theory.certificate import Certificate, certify
from .theory.corollary3 import TripleLimit, triple_limit
from .theory.picard import Picard, picard, residual
from .train import train
from .trajectory import Trajectory

if TYPE_CHECKING:
    from .interop.sklearn import MeanFieldClassifier, MeanFieldRegressor

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "Coupling",
    "DivergenceError",
    "InvalidInput",
    "MeanFieldClassifier",
    "MeanFieldRegressor",
    "Network",
    "Picard",
    "Problem",
    "Trajectory",
    "TripleLimit",
    "activations",
    "certify",
    "communication",
    "couple",
    "distributions",
    "embeddings",
    "flow",
    "grow",
    "losses",
    "picard",
    "resample",
    "resampling_error",
    "residual",
    "reverse_flow",
    "schedules",
    "sharding",
    "solve",
    "train",
    "transfer",
    "triple_limit",
]


def __getattr__(name: str) -> Any:
    """The estimators: scikit-learn takes a second to import."""
    if name in ("MeanFieldClassifier", "MeanFieldRegressor"):
        from .interop import sklearn

        return getattr(sklearn, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

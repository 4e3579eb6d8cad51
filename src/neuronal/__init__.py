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
from .drivers.driver import Report
from .drivers.flow import fields, flow, reverse_flow
from .drivers.ode.solve import solve
from .drivers.sgd.train import train
from .drivers.trajectory import DivergenceError, Trajectory
from .errors import InaccuracyWarning, InvalidInput
from .network import Network
from .problem import Problem
from .theory.certificate import Certificate, certify
from .theory.corollary3 import TripleLimit, triple_limit
from .theory.coupling import Coupling, couple
from .theory.picard import Picard, picard, residual
from .widths.grow import grow
from .widths.resample import influences, resample, resampling_error

if TYPE_CHECKING:
    from .estimators.sklearn import MeanFieldClassifier, MeanFieldRegressor

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "Coupling",
    "DivergenceError",
    "InaccuracyWarning",
    "InvalidInput",
    "MeanFieldClassifier",
    "MeanFieldRegressor",
    "Network",
    "Picard",
    "Problem",
    "Report",
    "Trajectory",
    "TripleLimit",
    "activations",
    "certify",
    "communication",
    "couple",
    "distributions",
    "embeddings",
    "fields",
    "flow",
    "grow",
    "influences",
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
        from .estimators import sklearn

        return getattr(sklearn, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

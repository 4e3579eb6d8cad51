from . import (
    activations,
    communication,
    datasets,
    distributions,
    embeddings,
    losses,
    pictures,
    records,
    schedules,
    sharding,
    transfer,
    units,
    works,
)
from .drivers.driver import Report
from .drivers.flow import fields, flow, reverse_flow
from .drivers.ode.rkc import RKC
from .drivers.ode.solve import solve
from .drivers.sgd.train import train
from .drivers.trajectory import Trajectory
from .errors import DivergenceError, InaccuracyWarning, InvalidInput
from .estimators.sklearn import MeanFieldClassifier, MeanFieldRegressor
from .network import Network
from .problem import Problem
from .runs.experiment import Experiment
from .saving.file import load, save
from .theory.certificate import Certificate, certify
from .theory.corollary3 import TripleLimit, triple_limit
from .theory.coupling import Coupling, couple
from .theory.fluctuations import Fluctuations, fluctuations
from .theory.linearised import KernelFlow, kernel_flow
from .theory.picard import Picard, picard, residual
from .theory.planning import Plan, plan
from .theory.tangent import tangent_kernel
from .widths.grow import grow
from .widths.resample import influences, resample, resampling_error

__version__: str

__all__ = [
    "RKC",
    "Certificate",
    "Coupling",
    "DivergenceError",
    "Experiment",
    "Fluctuations",
    "InaccuracyWarning",
    "InvalidInput",
    "KernelFlow",
    "MeanFieldClassifier",
    "MeanFieldRegressor",
    "Network",
    "Picard",
    "Plan",
    "Problem",
    "Report",
    "Trajectory",
    "TripleLimit",
    "activations",
    "certify",
    "communication",
    "couple",
    "datasets",
    "distributions",
    "embeddings",
    "fields",
    "flow",
    "fluctuations",
    "grow",
    "influences",
    "kernel_flow",
    "load",
    "losses",
    "picard",
    "pictures",
    "plan",
    "records",
    "resample",
    "resampling_error",
    "residual",
    "reverse_flow",
    "save",
    "schedules",
    "sharding",
    "solve",
    "tangent_kernel",
    "train",
    "transfer",
    "triple_limit",
    "units",
    "works",
]

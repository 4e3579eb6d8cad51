"""Laws of $(X, Y)$ and of X: finite data, synthetic regression, Gaussian classes and their lengths."""

from .base import Distribution, Samples
from .empirical import Empirical
from .inputs import Biased, Gaussian, Inputs, Sphere, Uniform, with_bias
from .mixture import GaussianMixture
from .own import inputs_of
from .radial import Radial
from .regression import Regression

__all__ = [
    "Biased",
    "Distribution",
    "Empirical",
    "Gaussian",
    "GaussianMixture",
    "Inputs",
    "Radial",
    "Regression",
    "Samples",
    "Sphere",
    "Uniform",
    "inputs_of",
    "with_bias",
]

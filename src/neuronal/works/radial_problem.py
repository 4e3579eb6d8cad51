"""The problem of Mei, Montanari and Nguyen: two isotropic Gaussians, and neurons that start isotropic."""

from __future__ import annotations

import numpy as np

from ..activations import Activation, identity
from ..distributions import Distribution, GaussianMixture, Radial
from ..losses import Squared
from ..network import Network
from ..problem import Problem
from ..schedules import Frozen, constant

KNOTS, VALUES = np.array([0.5, 1.5]), np.array([-2.5, 7.5])
"""The activation: -2.5 up to 1/2, 7.5 from 3/2, straight between."""
FAILING = np.array([0.0, 0.5, 1.5]), np.array([-2.5, -4.0, 7.5])
"""One that first falls."""
RATE = 2.0
"""The source's gradient is that of the square, without the package's 1/2."""
START = 0.8
r"""$\kappa$ of the start $N(0, \kappa^2/d\, I)$."""


def classes(dim: int, separation: float) -> GaussianMixture:
    r"""$N(0, (1 \pm \Delta)^2 I)$ with labels 1 and -1."""
    return GaussianMixture(
        np.zeros((2, dim)), np.array([1 + separation, 1 - separation]), np.array([1.0, -1.0])
    )


def trained_radii(law: GaussianMixture | Radial) -> Problem:
    """Only the first layer moves."""
    return Problem(law, Squared(), schedules=[constant(RATE), Frozen()])


def drawn(dim: int, start: float, count: int, phi: Activation, seed: int) -> Network:
    r"""Neurons $w \sim N(0, \kappa^2/d\, I)$."""
    w = np.random.default_rng([dim, count, seed]).normal(size=(count, dim)) * start / np.sqrt(dim)
    return Network([w, np.ones((count, 1))], [phi, identity])


def output_spread(law: Distribution, network: Network) -> float:
    """The mean over inputs of the variance of the neurons' outputs: over 2 N, what N add to the risk."""
    x = law.quadrature(2048)[0]
    return float(np.mean(np.var(np.asarray(network.forward(x)[1][0]), axis=1)))

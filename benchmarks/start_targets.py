"""What `start` learns: five targets to choose by, and six that were named before and kept from the choice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import neuronal as nr

from .common import target_1d

LAWS = nr.distributions
TEST = 4096


@dataclass(frozen=True, eq=False)
class Target:
    """What is learned, and the samples on which its risk is taken."""

    law: nr.distributions.Distribution
    loss: nr.losses.Loss
    outputs: int = 1
    apart: nr.distributions.Distribution | None = None

    def inputs(self, m: int) -> Float[np.ndarray, "m d"]:
        x = np.asarray(self.law.quadrature(m)[0])
        return x[:: max(1, len(x) // m)]

    @cached_property
    def test(self) -> tuple[Any, float, float]:
        """Samples apart, the infimum of the risk there, and the risk of the best constant."""
        if self.apart is not None:
            samples = self.apart.quadrature(1)
        elif isinstance(self.law, LAWS.Regression) and self.law.noise > 0:
            samples = self.law.quadrature(512)
        else:
            x, y = self.law.sample(jax.random.key(99), TEST)
            samples = x, y, jnp.full(len(x), 1 / len(x))
        known = self.law.bayes_risk(self.loss) if self.apart is None else 0.0
        y, weights = samples[1], samples[2]
        constant = float(self.loss.infimum(y[None], weights[None])[0])
        return samples, float(known or 0.0), constant


def cube(dim: int) -> LAWS.Biased:
    return LAWS.Biased(LAWS.Uniform(-1.0, 1.0, dim))


def of(function: Callable[[Array], Array], inputs: Any, noise: float = 0.0) -> Target:
    return Target(LAWS.Regression(function, inputs, noise), nr.losses.PseudoHuber(1.0))


def labelled(function: Callable[[Array], Array], dim: int, classes: int) -> Target:
    """Classes that the inputs settle."""
    law = LAWS.Regression(function, cube(dim))
    if classes == 2:
        return Target(law, nr.losses.Logistic())
    return Target(law, nr.losses.CrossEntropy(), classes)


def table(split: nr.datasets.Split) -> Target:
    if split.task == "regression":
        return Target(split.train, nr.losses.PseudoHuber(1.0), 1, split.test)
    return Target(split.train, nr.losses.CrossEntropy(), split.outputs, split.test)


def rings(x: Array) -> Array:
    """0, 1, 2 by the distance from the middle."""
    r = jnp.sqrt(x[:, 0] ** 2 + x[:, 1] ** 2)
    return (r > 0.5).astype(float) + (r > 0.9)


def checkers(x: Array) -> Array:
    """Nine fields."""
    return jnp.sign(jnp.sin(4.7 * x[:, 0] + 1.5) * jnp.sin(4.7 * x[:, 1] + 1.5) + 1e-9)


def interactions(x: Array) -> Array:
    pair = jnp.sin(math.pi * x[:, 0] * x[:, 1])
    return 1.2 * pair + 1.5 * (x[:, 2] ** 2 - 1 / 3) + 0.8 * x[:, 3] + 0.4 * x[:, 4]


def indices(x: Array) -> Array:
    one, two = x[:, :4].sum(1) / 2, (x[:, 0] - x[:, 1] + x[:, 2] - x[:, 5]) / 2
    return jnp.tanh(2 * one) + 0.7 * jnp.cos(2 * two)


def product_2d(x: Array) -> Array:
    return jnp.sin(3 * x[:, 0]) * jnp.cos(2 * x[:, 1]) + 0.3 * x[:, 0]


def step_1d(x: Array) -> Array:
    return jnp.tanh(8 * x[:, 0]) + jnp.abs(x[:, 0] - 0.3)


def ripples(x: Array) -> Array:
    return jnp.cos(6 * jnp.sqrt((x[:, 0] - 0.2) ** 2 + x[:, 1] ** 2 + 1e-6))


CHOICE: dict[str, Callable[[], Target]] = {
    "1-D waves": lambda: of(target_1d, cube(1)),
    "2-D product": lambda: of(product_2d, cube(2)),
    "8-D interactions": lambda: of(interactions, cube(8)),
    "2-D rings, 3 classes": lambda: labelled(rings, 2, 3),
    "digits, 10 classes": lambda: table(nr.datasets.digits()),
}
HELD_OUT: dict[str, Callable[[], Target]] = {
    "1-D step, noise 0.3": lambda: of(step_1d, cube(1), 0.3),
    "2-D ripples": lambda: of(ripples, cube(2)),
    "8-D indices, normal": lambda: of(indices, LAWS.Biased(LAWS.Gaussian(dim=8))),
    "2-D checkers, 2 classes": lambda: labelled(checkers, 2, 2),
    "breast cancer, 2 classes": lambda: table(nr.datasets.breast_cancer()),
    "diabetes, regression": lambda: table(nr.datasets.diabetes()),
}
TARGETS = CHOICE | HELD_OUT


@cache
def target(name: str) -> Target:
    return TARGETS[name]()

"""From a file's problem to the law of (X, Y)."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array

from .. import datasets
from ..datasets import Split
from ..distributions import (
    Biased,
    Distribution,
    Gaussian,
    GaussianMixture,
    Inputs,
    Regression,
    Sphere,
    Uniform,
)
from ..distributions.own import inputs_of
from ..distributions.regression import batched
from ..errors import InvalidInput
from ..vocabulary import TARGETS as TAKES
from . import code
from .learned import (
    BundledProblem,
    InputsSection,
    MixtureProblem,
    ProblemSection,
    RegressionProblem,
    TableProblem,
)
from .targets import TARGETS


def law_of(section: ProblemSection) -> tuple[Distribution, Split | None]:
    """The law, and the split of real data.

    Raises:
        InvalidInput: data or functions that cannot be read, inputs that do not fit the target.
    """
    if isinstance(section, RegressionProblem):
        return _regression(section), None
    if isinstance(section, MixtureProblem):
        law = GaussianMixture(
            jnp.asarray(section.means),
            jnp.asarray(section.stds),
            None if section.labels is None else jnp.asarray(section.labels),
            None if section.probabilities is None else jnp.asarray(section.probabilities),
            section.bias,
        )
        return law, None
    if isinstance(section, TableProblem):
        split = datasets.table(
            section.path,
            section.target,
            section.features,
            section.task,
            section.test_size,
            section.split_seed,
        )
        return split.train, split
    assert isinstance(section, BundledProblem)
    split = datasets.BUNDLED[section.kind](section.test_size, section.split_seed)
    return split.train, split


def _regression(section: RegressionProblem) -> Regression:
    inputs, target = _inputs(section.inputs), _target(section.target)
    takes = TAKES.get(section.target)
    if takes is not None and takes != inputs.dim:
        raise InvalidInput(
            f"problem.inputs.law: target {section.target!r} takes {takes} coordinates, got {inputs.dim}"
        )
    if not section.bias:
        return Regression(target, inputs, section.noise)
    return Regression(_biased(target, inputs.dim), Biased(inputs), section.noise)


@functools.cache  # one object a target: what is compiled for it is compiled once
def _biased(target: Callable[[Array], Array], dim: int) -> Callable[[Array], Array]:
    """The target as a function of inputs whose last coordinate is the constant one."""
    function = batched(target, dim)
    return lambda x: function(x[:, :-1])


def _target(name: str) -> Callable[[Array], Array]:
    """The target of that name, or the user's own."""
    return TARGETS[name].function if name in TARGETS else code.own(name, "problem.target")


def _inputs(section: InputsSection) -> Inputs:
    if section.own:
        name = "problem.inputs.law"
        return inputs_of(code.own(section.law, name), name)
    if section.law == "uniform":
        return Uniform(section.low, section.high, section.dim)
    if section.law == "gaussian":
        return Gaussian(section.dim, section.mean, section.std)
    return Sphere(section.dim, section.radius)

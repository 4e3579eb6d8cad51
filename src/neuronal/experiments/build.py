"""From an experiment's data to the objects of the mathematics."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .. import losses, schedules
from ..datasets import Split
from ..distributions import Distribution
from ..embeddings import AbstractEmbedding
from ..errors import InvalidInput
from ..losses import Loss
from ..problem import Problem
from ..schedules import Schedules
from . import code
from .config import Experiment
from .embedding import embedding_of
from .given import Given, GivenProblem, GivenSystem
from .laws import law_of
from .learned import RegressionProblem, ScheduleSection

_GRID = 241


@dataclass(frozen=True)
class System:
    """A labelled embedding and the problem as it learns it (schedules may depend on depth)."""

    label: str
    embedding: AbstractEmbedding
    problem: Problem


@dataclass(frozen=True)
class Grid:
    """A one-dimensional problem's inputs for plots: `x (g,)`, as the networks see them
    `inputs (g, d)`, and the noiseless `target (g,)`."""

    x: Float[np.ndarray, "g"]
    inputs: Float[np.ndarray, "g d"]
    target: Float[np.ndarray, "g"]


@dataclass(frozen=True)
class Built:
    """All that a runner needs besides the numbers of the configuration.

    Attributes:
        systems: at least one.
        split: of a real data set, else None.
        grid: of a one-dimensional regression, else None.
        infimum: the Bayes risk, or the infimum over all functions on finite data; None if
            it is not known.
        constant_risk: the least risk of a constant prediction (the variance, where the loss
            is a square).
        code: digest of the modules that the experiment names.
    """

    systems: list[System]
    split: Split | None
    grid: Grid | None
    infimum: float | None
    constant_risk: float
    code: str = ""

    @property
    def digest(self) -> str:
        """Of real data and of the user's own code; empty where there is neither."""
        return (self.split.digest if self.split else "") + self.code


def build(experiment: Experiment) -> Built:
    """The objects that an experiment names.

    Raises:
        InvalidInput: a data file that cannot be read, a loss that does not fit the targets.
    """
    if isinstance(experiment.problem, GivenProblem):
        return _of_given(experiment, experiment.given)
    law, split = law_of(experiment.problem)
    loss = _loss(experiment, split)
    _, y, _ = law.quadrature(1024)
    outputs = loss.outputs(jnp.asarray(y))
    systems = []
    for section in experiment.systems:
        if isinstance(section, GivenSystem):
            raise InvalidInput(f"systems: {section.label!r} takes a problem made in Python")
        embedding = embedding_of(section, law, outputs)
        rates = _schedules(experiment.schedule, section.depth)
        motion = experiment.motion
        problem = Problem(
            law,
            loss,
            rates,
            motion.decay,
            temperature=motion.temperature,
            penalty=motion.penalty,
            momentum=motion.momentum,
            birth_death=motion.birth_death,
            reinject=embedding if motion.reinject else None,
        )
        problem.check(embedding)
        systems.append(System(section.label, embedding, problem))
    return replace(_built(systems, split), code=_code(experiment))


def _code(experiment: Experiment) -> str:
    return code.digest(experiment.model_dump())


def _built(systems: list[System], split: Split | None) -> Built:
    """All that follows from the systems, which learn one problem."""
    law, loss = systems[0].problem.distribution, systems[0].problem.loss
    _, y, weights = law.quadrature(1024)
    constant = float(loss.infimum(jnp.asarray(y)[None], jnp.asarray(weights)[None])[0])
    return Built(systems, split, _grid(law), law.bayes_risk(loss), constant)


def _of_given(experiment: Experiment, given: Given | None) -> Built:
    """Those of an experiment whose problem and embeddings were made in Python."""
    if given is None:
        raise InvalidInput(
            "problem: was made in Python, and a file has its words alone; go on from there, with the "
            "nr.Experiment that made it"
        )
    systems = []
    for section in experiment.systems:
        if not isinstance(section, GivenSystem):
            raise InvalidInput(f"systems: {section.label!r} takes an embedding made in Python")
        embedding = given.embedding(section)
        given.problem.check(embedding)
        systems.append(System(section.label, embedding, given.problem))
    return _built(systems, given.split)


def data_digest(experiment: Experiment) -> str:
    """The digest of real data, as `Built` has it, without building systems.

    Raises:
        InvalidInput: a data file that cannot be read, a loss that does not fit the targets.
    """
    if isinstance(experiment.problem, GivenProblem):
        return ""  # the problem's own is in the configuration
    split = law_of(experiment.problem)[1] if experiment.on_real_data else None
    _loss(experiment, split)
    return (split.digest if split else "") + _code(experiment)


def _loss(experiment: Experiment, split: Split | None) -> Loss:
    section = experiment.loss
    name = section.name
    if name in losses.LOSSES:
        loss = losses.get(name, **section.parameters)
    else:
        found = code.own(name, "loss.name")
        loss = found if isinstance(found, Loss) else losses.of(found)
    if split is None:
        if loss.takes_classes and isinstance(experiment.problem, RegressionProblem):
            raise InvalidInput(
                f"loss.name: {name!r} takes classes, and problem.kind 'regression' has a number "
                f"as target; take {_losses_of_numbers()}"
            )
        return loss
    if loss.takes_classes and split.task == "regression":
        raise InvalidInput(
            f"loss.name: {name!r} takes classes, and the target of {split.name!r} is a "
            f"number; take {_losses_of_numbers()}"
        )
    if not loss.takes_classes and split.task == "classification":
        raise InvalidInput(
            f"loss.name: {name!r} takes a number as target, and {split.name!r} has "
            f"classes; take {_losses_of_classes()}"
        )
    if loss.two_classes and len(split.classes) > 2:
        raise InvalidInput(
            f"loss.name: {name!r} takes two classes, {split.name!r} has "
            f"{len(split.classes)}; take {' or '.join(_names(takes_classes=True, two_classes=False))}"
        )
    return loss


def _names(**facts: bool) -> list[str]:
    """The losses of which these facts hold."""
    return [
        name
        for name, loss in losses.LOSSES.items()
        if all(getattr(loss, fact) is value for fact, value in facts.items())
    ]


def _losses_of_numbers() -> str:
    *names, last = _names(takes_classes=False, convex=True)
    return f"{', '.join(names)} or {last}"


def _losses_of_classes() -> str:
    several = _names(takes_classes=True, two_classes=False)
    two = _names(takes_classes=True, two_classes=True)
    return f"{', '.join(several)}, or {' or '.join(two)} for two"


def _schedules(section: ScheduleSection, depth: int) -> Schedules:
    rates = _rates(section, depth)
    if not section.frozen:
        return rates
    layers = enumerate(schedules.per_layer(rates, depth), start=1)
    return [schedules.Frozen() if i in section.frozen else xi for i, xi in layers]


def _rates(section: ScheduleSection, depth: int) -> Schedules:
    if section.kind == "constant":
        return schedules.constant(section.value)
    if section.kind == "depth_balanced":
        return schedules.depth_balanced(depth, section.power)
    if section.kind == "exponential":
        assert section.time_constant is not None
        return schedules.exponential(section.time_constant, section.value)
    assert section.horizon is not None
    if section.kind == "cosine":
        return schedules.cosine(section.horizon, section.value, section.final)
    return schedules.warmup(section.horizon, section.value)


def _grid(law: Distribution) -> Grid | None:
    found = law.curve(_GRID)
    return None if found is None else Grid(*found)

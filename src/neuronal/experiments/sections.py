"""Tables of an experiment file: their base, what is learned, and how weights move."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ..vocabulary import MOST_RECORDS, RULES, TARGETS

Positive = Annotated[float, Field(gt=0)]


NonNegative = Annotated[float, Field(ge=0)]


Count = Annotated[int, Field(ge=1, lt=2**31)]


NonNegativeInt = Annotated[int, Field(ge=0, lt=2**31)]


MOST = 10_000
"""Layers and coordinates at most: as many can be listed."""


Seed = Annotated[int, Field(ge=0, lt=2**32)]


def one_of(*names: str) -> Any:
    """A string that is one of `names`, kept in the registries of the mathematics."""
    return Literal[names]  # pyright: ignore[reportInvalidTypeForm]


OWN = re.compile(r"[^:\s][^:]*(?::[\\/][^:]*)?:[A-Za-z_]\w*")
"""`module:function`, or `file.py:function`: the user's own (`neuronal.experiments.code`)."""


def one_of_or_own(*names: str) -> Any:
    """A string that is one of `names`, or names a function of the user's own."""

    def check(value: str) -> str:
        if value not in names and not OWN.fullmatch(value):
            listed = ", ".join(map(repr, names))
            expected = {"expected": f"{listed} or a function of your own, 'module:name'"}
            raise PydanticCustomError("literal_error", "takes {expected}", expected)
        return value

    return Annotated[str, AfterValidator(check)]


class Section(BaseModel):
    """A table of the file: unknown names, NaN and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class InputsSection(Section):
    """The law of X: a cube, a Gaussian or a sphere."""

    law: Literal["uniform", "gaussian", "sphere"] = "uniform"
    dim: Annotated[int, Field(ge=1, le=MOST)] = 1
    low: float = -1.0
    high: float = 1.0
    mean: float = 0.0
    std: Positive = 1.0
    radius: Positive = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> InputsSection:
        if self.low >= self.high:
            raise ValueError(f"low, high: takes low < high, got {self.low:g} and {self.high:g}")
        if self.law == "sphere" and self.dim < 2:
            raise ValueError(f"dim: a sphere takes 2 or more, got {self.dim}")
        return self


class RegressionProblem(Section):
    """Synthetic: y = target(x) + noise."""

    kind: Literal["regression"]
    target: one_of_or_own(*TARGETS)  # pyright: ignore[reportInvalidTypeForm]
    inputs: InputsSection = InputsSection()
    noise: NonNegative = 0.0
    bias: bool = True

    @model_validator(mode="after")
    def _dimension(self) -> RegressionProblem:
        takes = TARGETS.get(self.target)
        if takes is not None and takes != self.inputs.dim:
            raise ValueError(
                f"inputs.dim: target {self.target!r} takes {takes} coordinates, got {self.inputs.dim}"
            )
        return self


class MixtureProblem(Section):
    """Gaussian classes: one mean a class; labels 0, 1, ... unless given."""

    kind: Literal["gaussian_mixture"]
    means: Annotated[list[list[float]], Field(min_length=2)]
    stds: list[Positive] | Positive = 1.0
    labels: list[float] | None = None
    probabilities: list[Positive] | None = None
    bias: bool = True

    @model_validator(mode="after")
    def _lengths(self) -> MixtureProblem:
        if len({len(mean) for mean in self.means}) != 1:
            raise ValueError("means: takes points of one dimension")
        for name in ("stds", "labels", "probabilities"):
            value = getattr(self, name)
            if isinstance(value, list) and len(value) != len(self.means):
                raise ValueError(f"{name}: takes one number a class ({len(self.means)})")
        return self


class BundledProblem(Section):
    """A real data set that comes with scikit-learn."""

    kind: Literal["digits", "breast_cancer", "wine", "diabetes"]
    test_size: Annotated[float, Field(gt=0, lt=1)] = 0.25
    split_seed: Seed = 0


class TableProblem(Section):
    """A CSV or Parquet file; a relative path is taken from the TOML file's folder."""

    kind: Literal["table"]
    path: str
    target: str
    features: list[str] | None = None
    task: Literal["auto", "classification", "regression"] = "auto"
    test_size: Annotated[float, Field(gt=0, lt=1)] = 0.25
    split_seed: Seed = 0


ProblemSection = Annotated[
    RegressionProblem | MixtureProblem | BundledProblem | TableProblem, Field(discriminator="kind")
]


class ScheduleSection(Section):
    """Learning-rate schedules: xi_i of MF time; layers of the numbers in `frozen` stay as they are."""

    kind: Literal["constant", "cosine", "exponential", "warmup", "depth_balanced"] = "constant"
    value: NonNegative = 1.0
    final: NonNegative = 0.0
    horizon: Positive | None = None
    time_constant: Positive | None = None
    power: float = 1.0
    frozen: list[Count] = []

    @model_validator(mode="after")
    def _parameters(self) -> ScheduleSection:
        if self.kind in ("cosine", "warmup") and self.horizon is None:
            raise ValueError(f"horizon: is missing; {self.kind!r} takes an MF time")
        if self.kind == "exponential" and self.time_constant is None:
            raise ValueError("time_constant: is missing; 'exponential' takes an MF time")
        return self


class MotionSection(Section):
    """What is added to the paper's system, for all layers or one per layer; the penalty is the last one's."""

    decay: NonNegative | list[NonNegative] = 0.0
    temperature: NonNegative | list[NonNegative] = 0.0
    penalty: NonNegative = 0.0
    momentum: NonNegative | list[NonNegative] | None = None
    birth_death: NonNegative | list[NonNegative] | None = None
    reinject: bool | None = None

    @model_validator(mode="after")
    def _together(self) -> MotionSection:
        given = (("momentum", self.momentum is not None), ("temperature", self._noisy))
        others = [name for name, is_there in (*given, ("penalty", self.penalty > 0)) if is_there]
        if self.birth_death is not None and others:
            raise ValueError(f"birth_death: does not go with {' and '.join(others)}")
        if self.reinject and self.birth_death is None:
            raise ValueError("reinject: takes rates of birth and death, motion.birth_death")
        return self

    @property
    def _noisy(self) -> bool:
        return any(self.temperature) if isinstance(self.temperature, list) else self.temperature > 0

    @property
    def carried(self) -> str:
        """What a state carries besides weights, in words; empty if nothing."""
        given = {"momentum": self.momentum, "birth_death": self.birth_death}
        return " and ".join(name for name, value in given.items() if value is not None)

    @property
    def stepwise(self) -> str:
        """What steps do besides the velocity, in words; empty if nothing."""
        given = {"temperature": self._noisy, "penalty": self.penalty > 0}
        return " and ".join(name for name, does in given.items() if does)

    @property
    def steps_alone(self) -> bool:
        """Whether Euler's method takes whole steps for it, at whose ends alone there are records."""
        return bool(self.stepwise) or self.momentum is not None

    def check(self, label: str, depth: int) -> None:
        """Raise `ValueError` unless it fits a system."""
        for name in ("decay", "temperature", "momentum"):
            value = getattr(self, name)
            if isinstance(value, list) and len(value) != depth:
                raise ValueError(
                    f"motion.{name}: takes one number, or one per layer; {label!r} has {depth} layers"
                )
        rates = self.birth_death
        if isinstance(rates, list) and len(rates) != depth - 1:
            raise ValueError(
                f"motion.birth_death: takes one number, or one per hidden layer; {label!r} has {depth - 1}"
            )
        if self.reinject and depth > 2:
            raise ValueError(
                f"motion.reinject: takes systems of two layers, {label!r} has {depth}: a newborn neuron has "
                "outgoing weights 0, and between hidden layers incoming ones of no law"
            )
        inner = self.temperature[1:-1] if isinstance(self.temperature, list) else [self.temperature]
        if depth > 2 and any(inner):
            raise ValueError(
                "motion.temperature: takes one number per layer, 0 between hidden layers, where noise "
                f"averages out; {label!r} has {depth} layers"
            )


class CouplingSection(Section):
    """What `neuronal couple` couples: SGD, the flow of its own neurons, and the limit."""

    widths: Annotated[list[Count], Field(min_length=1)] = [64, 128, 256, 512]
    learning_rates: Annotated[list[Positive], Field(min_length=1)] = [0.1]
    seeds: Count = 5
    batch_size: Count = 1
    nodes: Count = 1024
    rule: one_of(*RULES) = "sobol"  # pyright: ignore[reportInvalidTypeForm]
    carried: NonNegativeInt = 64
    rtol: Positive = 1e-4
    atol: Positive = 1e-6
    until: Positive | None = None
    records: Annotated[int, Field(ge=1, le=MOST_RECORDS)] = 16
    predicted: bool = False


class PlanSection(Section):
    """What `neuronal plan` spends on what; where left out, as `neuronal.plan` has it."""

    budget: Positive
    held_out: bool = False
    depths: Annotated[list[Annotated[int, Field(ge=2, le=MOST)]], Field(min_length=1)] | None = None
    widths: Annotated[list[Count], Field(min_length=1)] | None = None
    learning_rates: Annotated[list[Positive], Field(min_length=1)] | None = None
    batch_size: Count | None = None
    until: Positive | None = None
    level: Annotated[float, Field(gt=0, lt=1)] | None = None
    probes: NonNegativeInt | None = None
    nodes: Count | None = None
    rule: one_of(*RULES) | None = None  # pyright: ignore[reportInvalidTypeForm]
    data_nodes: Count | None = None
    directions: Annotated[int, Field(ge=4, lt=2**31)] | None = None
    rtol: Positive | None = None

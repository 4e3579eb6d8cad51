"""Tables of an experiment file: what is learned, and how weights move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, create_model, model_validator

from ..vocabulary import LOSSES, TARGETS
from .given import GivenProblem
from .sections import (
    MOST,
    OWN,
    Count,
    Inputs,
    Loss,
    NonNegative,
    Positive,
    Section,
    Seed,
    Share,
    Target,
)


class InputsSection(Section):
    """The law of X: a cube, a Gaussian, a sphere, or one of your own."""

    law: Inputs = Field(
        default="uniform",
        description="A law, or the name of your own as of scipy.stats, or a sampler.",
    )
    dim: Annotated[int, Field(ge=1, le=MOST)] = Field(default=1, description="Coordinates.")
    low: float = Field(default=-1.0, description="Where the cube begins, in each coordinate.")
    high: float = Field(default=1.0, description="Where the cube ends.")
    mean: float = Field(default=0.0, description="Of each Gaussian coordinate.")
    std: Positive = Field(
        default=1.0, description="Standard deviation of each Gaussian coordinate."
    )
    radius: Positive = Field(default=1.0, description="Of the sphere.")

    @property
    def own(self) -> bool:
        """Whether the law is one of the user's own, which has all that these fields say."""
        return OWN.fullmatch(self.law) is not None

    @model_validator(mode="after")
    def _ordered(self) -> InputsSection:
        if self.low >= self.high:
            raise ValueError(f"low, high: takes low < high, got {self.low:g} and {self.high:g}")
        if self.law == "sphere" and self.dim < 2:
            raise ValueError(f"dim: a sphere takes 2 or more, got {self.dim}")
        for name, field in type(self).model_fields.items():
            if self.own and name != "law" and getattr(self, name) != field.default:
                raise ValueError(f"{name}: is not taken here; {self.law!r} is a law of its own")
        return self


class RegressionProblem(Section):
    """Synthetic: y = target(x) + noise."""

    kind: Literal["regression"] = Field(description="Which problem.")
    target: Target = Field(description="The function that is learned.")
    inputs: InputsSection = Field(default=InputsSection(), description="The law of X.")
    noise: NonNegative = Field(default=0.0, description="Standard deviation of Y given X.")
    bias: bool = Field(default=True, description="Append the constant coordinate 1.")

    @model_validator(mode="after")
    def _dimension(self) -> RegressionProblem:
        takes = TARGETS.get(self.target)
        if takes is not None and not self.inputs.own and takes != self.inputs.dim:
            raise ValueError(
                f"inputs.dim: target {self.target!r} takes {takes} coordinates, got {self.inputs.dim}"
            )
        return self


class MixtureProblem(Section):
    """Gaussian classes: one mean a class; labels 0, 1, ... unless given."""

    kind: Literal["gaussian_mixture"] = Field(description="Which problem.")
    means: Annotated[list[list[float]], Field(min_length=2)] = Field(
        description="Points, one per class."
    )
    stds: list[Positive] | Positive = Field(default=1.0, description="A number, or one per class.")
    labels: list[float] | None = Field(default=None, description="The target of each class.")
    probabilities: list[Positive] | None = Field(
        default=None, description="Of the classes; equal if left out."
    )
    bias: bool = Field(default=True, description="Append the constant coordinate 1.")

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

    kind: Literal["digits", "breast_cancer", "wine", "diabetes"] = Field(
        description="Which problem."
    )
    test_size: Share = Field(default=0.25, description="The share of rows held out.")
    split_seed: Seed = Field(default=0, description="Of the split.")


class TableProblem(Section):
    """A CSV or Parquet file; a relative path is taken from the TOML file's folder."""

    kind: Literal["table"] = Field(description="Which problem.")
    path: str = Field(description="A .csv, .tsv, .txt, .parquet or .pq file.")
    target: str = Field(description="The column to predict.")
    features: list[str] | None = Field(
        default=None, description="The columns to predict from; all others if left out."
    )
    task: Literal["auto", "classification", "regression"] = Field(
        default="auto", description="What the target is."
    )
    test_size: Share = Field(default=0.25, description="The share of rows held out.")
    split_seed: Seed = Field(default=0, description="Of the split.")


ProblemSection = Annotated[
    RegressionProblem | MixtureProblem | BundledProblem | TableProblem, Field(discriminator="kind")
]
Learned = Annotated[ProblemSection | GivenProblem, Field(discriminator="kind")]


class _NamedLoss(Section):
    """The loss by its name, and its parameters by theirs: positive numbers."""

    name: Loss = Field(default="squared", description="Which loss.")

    @property
    def parameters(self) -> dict[str, float]:
        """Those given."""
        given = {name: getattr(self, name) for name in LOSS_PARAMETERS}
        return {name: value for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _parameters(self) -> _NamedLoss:
        for parameter in self.parameters:
            takers = LOSS_PARAMETERS[parameter]
            if self.name not in takers:
                words = f"is a parameter of {', '.join(takers)}, not of {self.name!r}"
                raise ValueError(f"{parameter}: {words}")
        return self


def _loss_parameters() -> dict[str, list[str]]:
    """Parameters of losses, such as `delta`, and the losses that take them."""
    takers: dict[str, list[str]] = {}
    for name, parameters in LOSSES.items():
        for parameter in parameters:
            takers.setdefault(parameter, []).append(name)
    return takers


LOSS_PARAMETERS = _loss_parameters()
if TYPE_CHECKING:
    LossSection = _NamedLoss
else:
    _OF_LOSSES = {
        name: (Positive | None, Field(None, description=f"A parameter of {', '.join(takers)}."))
        for name, takers in LOSS_PARAMETERS.items()
    }
    LossSection = create_model(
        "LossSection", __base__=_NamedLoss, __doc__=_NamedLoss.__doc__, **_OF_LOSSES
    )


class ScheduleSection(Section):
    """Learning-rate schedules: xi_i of MF time; layers of the numbers in `frozen` stay as they are."""

    kind: Literal["constant", "cosine", "exponential", "warmup", "depth_balanced"] = Field(
        default="constant", description="Which schedule."
    )
    value: NonNegative = Field(default=1.0, description="Its height; not of depth_balanced.")
    final: NonNegative = Field(default=0.0, description="Where a cosine ends.")
    horizon: Positive | None = Field(
        default=None, description="Of a cosine or a warm-up, an MF time."
    )
    time_constant: Positive | None = Field(
        default=None, description="Of the exponential, an MF time."
    )
    power: float = Field(
        default=1.0, description="p of depth_balanced: ξ_i = (L - 2)^-p in the middle."
    )
    frozen: list[Count] = Field(default=[], description="Numbers of layers that stay as they are.")

    needs = {
        ("kind", "cosine"): ("horizon", "an MF time"),
        ("kind", "warmup"): ("horizon", "an MF time"),
        ("kind", "exponential"): ("time_constant", "an MF time"),
    }


class MotionSection(Section):
    """What is added to the paper's system, for all layers or one per layer; the penalty is the last one's."""

    decay: NonNegative | list[NonNegative] = Field(
        default=0.0, description="λ_i of weight decay: one number, or one per layer."
    )
    temperature: NonNegative | list[NonNegative] = Field(
        default=0.0, description="τ_i of noise: one number where L = 2, or one per layer."
    )
    penalty: NonNegative = Field(default=0.0, description="λ of λ E|w_L|, by proximal steps.")
    momentum: NonNegative | list[NonNegative] | None = Field(
        default=None, description="Friction γ_i of the heavy ball: one number, or one per layer."
    )

    birth_death: NonNegative | list[NonNegative] | None = Field(
        default=None, description="α_i of birth and death: one number, or one per hidden layer."
    )
    reinject: bool | None = Field(
        default=None, description="Newborn neurons of the embedding's law; of two layers, in SGD."
    )

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

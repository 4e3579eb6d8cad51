"""Tables of an experiment file: their base, and what is learned (`[problem]`)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ..vocabulary import TARGETS

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


class OwnSystem(Section):
    """What a function of the user's own makes: `make(input_dim, output_dim)` gives an embedding."""

    label: Annotated[str, Field(min_length=1)]
    embedding: Literal["own"]
    depth: Annotated[int, Field(ge=2, le=MOST)]
    make: one_of_or_own()  # pyright: ignore[reportInvalidTypeForm]


ProblemSection = Annotated[
    RegressionProblem | MixtureProblem | BundledProblem | TableProblem, Field(discriminator="kind")
]

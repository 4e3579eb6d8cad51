"""Tables of systems: embeddings by name, and those of the user's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..vocabulary import ACTIVATIONS
from .sections import MOST, Count, NonNegative, Positive, Section, one_of_or_own
from .units import UnitSection


class _System(Section):
    label: Annotated[str, Field(min_length=1)]
    depth: Annotated[int, Field(ge=2, le=MOST)]
    activation: one_of_or_own(*ACTIVATIONS) = "tanh"  # pyright: ignore[reportInvalidTypeForm]
    last_activation: one_of_or_own(*ACTIVATIONS) = "identity"  # pyright: ignore[reportInvalidTypeForm]
    unit: UnitSection | None = None
    biases: float | list[float] | None = None

    @model_validator(mode="after")
    def _inner(self) -> _System:
        if self.biases is not None and self.depth == 2:
            raise ValueError("biases: are those of layers 2..L-1, and a system of depth 2 has none")
        if isinstance(self.biases, list) and len(self.biases) != self.depth - 2:
            raise ValueError(
                f"biases: takes one number, or one per layer 2..L-1 ({self.depth - 2})"
            )
        return self


class BidirectionalSystem(_System):
    """`nr.embeddings.Bidirectional`; the critical gain sees the problem's own inputs."""

    embedding: Literal["bidirectional"]
    rank: Count = 16
    gain: Literal["critical"] | Positive | list[Positive] = "critical"
    input_scale: Positive | None = None
    spread: Positive = 0.5

    @model_validator(mode="after")
    def _gains(self) -> BidirectionalSystem:
        if isinstance(self.gain, list) and len(self.gain) != self.depth - 2:
            raise ValueError(f"gain: takes one number a middle layer ({self.depth - 2})")
        return self


class IIDSystem(_System):
    """`nr.embeddings.IID`; its limit is solved in the exact, collapsed form."""

    embedding: Literal["iid"]
    mean: float | list[float] = 0.0
    std: NonNegative | list[NonNegative] = 1.0

    @model_validator(mode="after")
    def _layers(self) -> IIDSystem:
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, list) and len(value) != self.depth:
                raise ValueError(f"{name}: takes one number, or one a layer ({self.depth})")
        return self


class OwnSystem(Section):
    """What a function of the user's own makes: `make(input_dim, output_dim)` gives an embedding."""

    label: Annotated[str, Field(min_length=1)]
    embedding: Literal["own"]
    depth: Annotated[int, Field(ge=2, le=MOST)]
    make: one_of_or_own()  # pyright: ignore[reportInvalidTypeForm]

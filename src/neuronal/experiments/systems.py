"""Tables of an experiment file: systems, where neurons come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .given import GivenSystem
from .sections import Activation, Count, Depth, Label, Maker, NonNegative, Positive, Section
from .units import UnitSection


class _System(Section):
    label: Label = Field(description="Its name on the page.")
    depth: Depth = Field(description="L, the layers of weights.")
    activation: Activation = Field(default="tanh", description="Of the hidden layers.")
    last_activation: Activation = Field(default="identity", description="Of the last layer, φ_L.")

    unit: UnitSection | None = Field(default=None, description="The first layer's; the paper's.")
    biases: float | list[float] | None = Field(
        default=None, description="Of layers 2..L-1 at the start: one number, or one per layer."
    )

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

    embedding: Literal["bidirectional"] = Field(description="Which one.")
    rank: Count = Field(default=16, description="K, the number of features.")
    gain: Literal["critical"] | Positive | list[Positive] = Field(
        default="critical",
        description="Of the middle layers: the critical one, a number, or one per layer.",
    )
    input_scale: Positive | None = Field(
        default=None, description="Standard deviation of w_1 at the start; 1.5/sqrt(d) if left out."
    )
    spread: Positive | None = Field(
        default=None,
        description="The spread over inputs that the critical gain keeps; if left out 2 (L - 2)^-0.3, and "
        "0.5 where the activation does not saturate.",
    )

    @model_validator(mode="after")
    def _gains(self) -> BidirectionalSystem:
        if isinstance(self.gain, list) and len(self.gain) != self.depth - 2:
            raise ValueError(f"gain: takes one number a middle layer ({self.depth - 2})")
        return self


class IIDSystem(_System):
    """`nr.embeddings.IID`; its limit is solved in the exact, collapsed form."""

    embedding: Literal["iid"] = Field(description="Which one.")
    mean: float | list[float] = Field(
        default=0.0, description="Of w_i at the start, from layer 2 on; or one per layer."
    )
    std: NonNegative | list[NonNegative] = Field(
        default=1.0, description="Standard deviation of w_i at the start; or one per layer."
    )

    @model_validator(mode="after")
    def _layers(self) -> IIDSystem:
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, list) and len(value) != self.depth:
                raise ValueError(f"{name}: takes one number, or one a layer ({self.depth})")
        return self


class OwnSystem(Section):
    """What a function of the user's own makes: `make(input_dim, output_dim)` gives an embedding."""

    label: Label = Field(description="Its name on the page.")
    embedding: Literal["own"] = Field(description="Which one.")
    depth: Depth = Field(description="L, the layers of weights.")
    make: Maker = Field(description="A function of (input_dim, output_dim) to an embedding.")


SystemSection = Annotated[
    BidirectionalSystem | IIDSystem | OwnSystem | GivenSystem, Field(discriminator="embedding")
]

"""Tables of an experiment file: how limits are solved, networks trained, and both compared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..vocabulary import MOST_RECORDS
from .sections import (
    UNIQUE,
    Count,
    Depth,
    Kernel,
    NonNegative,
    NonNegativeInt,
    Positive,
    Rule,
    Section,
    Seed,
    Share,
    Solver,
)

Widths = Annotated[list[Count], Field(min_length=1)]
Records = Annotated[int, Field(ge=1, le=MOST_RECORDS)]


class LimitSection(Section):
    """The mean-field ODE. `step` takes a constant step instead of the tolerances.

    `kernel` and `solver` are those of `neuronal.solve`.
    """

    enabled: bool = Field(default=True, description="Solve the limits.")
    nodes: Count = Field(default=512, description="Quadrature nodes per layer.")
    rule: Rule = Field(default="sobol", description="How nodes are chosen.")
    kernel: Kernel = Field(default="auto", description="How weights between layers are kept.")
    solver: Solver = Field(default="auto", description="How the ODE is integrated.")
    rtol: Positive = Field(default=1e-3, description="Relative tolerance of a step.")
    atol: Positive = Field(default=1e-6, description="Absolute tolerance of a step.")
    step: Positive | None = Field(default=None, description="A constant step instead, in MF time.")
    until: Positive | None = Field(
        default=None, description="A shorter horizon; that of run if left out."
    )
    data_nodes: Count = Field(
        default=128, description="Quadrature nodes of E_Z; finite data are whole."
    )

    needs = {("solver", "euler"): ("step", "a constant step in MF time")}


class NetworksSection(Section):
    """Finite networks, trained by SGD; no widths, no networks."""

    widths: list[Count] = Field(
        default=[], description="Neurons per layer; none, no networks.", json_schema_extra=UNIQUE
    )
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        default=[0], description="A network and a stream of samples each.", json_schema_extra=UNIQUE
    )
    learning_rate: Positive = Field(default=0.1, description="ε, in MF time.")
    batch_size: Count = Field(default=1, description="Samples per step.")

    @model_validator(mode="after")
    def _distinct(self) -> NetworksSection:
        for name in ("widths", "seeds"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name}: names one twice, got {values}")
        return self


class CouplingSection(Section):
    """What `neuronal couple` couples: SGD, the flow of its own neurons, and the limit."""

    widths: Widths = Field(default=[64, 128, 256, 512], description="Of the networks.")
    learning_rates: Annotated[list[Positive], Field(min_length=1)] = Field(
        default=[0.1], description="Of SGD; several must divide the largest."
    )
    seeds: Count = Field(default=5, description="How many.")
    batch_size: Count = Field(default=1, description="Samples per step.")
    nodes: Count = Field(default=1024, description="Quadrature nodes per layer of the limit.")
    rule: Rule = Field(default="sobol", description="How nodes are chosen.")
    carried: NonNegativeInt = Field(
        default=64, description="Neurons per layer whose weights are compared."
    )
    rtol: Positive = Field(default=1e-4, description="Relative tolerance of a step.")
    atol: Positive = Field(default=1e-6, description="Absolute tolerance of a step.")
    until: Positive | None = Field(
        default=None, description="The horizon; that of run if left out."
    )
    records: Records = Field(default=16, description="Times at which to compare.")
    predicted: bool = Field(
        default=False, description="Predict the distances from the limit alone, too."
    )


class FluctuationsSection(Section):
    """What is predicted of networks, from their limit alone; where left out, of the experiment's own."""

    widths: Widths | None = Field(
        default=None, description="Of the networks; their own if left out."
    )
    learning_rate: NonNegative | None = Field(
        default=None, description="Of SGD; 0 is gradient flow."
    )
    batch_size: Count | None = Field(default=None, description="Samples per step.")
    nodes: Count = Field(default=512, description="Quadrature nodes per layer of the limit.")
    rule: Rule = Field(default="sobol", description="How nodes are chosen.")
    accuracy: Positive | None = Field(
        default=None, description="Of the limit's prediction, on as many nodes as it takes."
    )
    directions: Annotated[int, Field(ge=4, lt=2**31)] = Field(
        default=16, description="Per hidden layer, and for the samples."
    )
    rtol: Positive = Field(default=1e-3, description="Of the steps on which derivatives are taken.")
    repeats: Count = Field(default=1, description="Sets of nodes.")
    data_nodes: Count = Field(
        default=64, description="Quadrature nodes of E_Z; finite data are whole."
    )
    until: Positive | None = Field(
        default=None, description="The horizon; that of run if left out."
    )
    records: Records | None = Field(
        default=None, description="Times; those of the run if left out."
    )


class RunSection(Section):
    """How long, how often, from which seed and in which precision."""

    until: Positive = Field(description="The horizon, an MF time.")
    records: Annotated[int, Field(ge=2, le=MOST_RECORDS)] = Field(
        default=60, description="Times at which the risk is recorded."
    )
    spacing: Literal["linear", "log"] = Field(default="linear", description="Of the records.")
    checkpoints: Count = Field(default=10, description="Of each limit and each network.")
    seed: Seed = Field(default=0, description="Of everything random.")
    precision: Literal["float32", "float64"] = Field(
        default="float32", description="Of all numbers."
    )


class PlanSection(Section):
    """What `neuronal plan` spends on what; where left out, as `neuronal.plan` has it."""

    budget: Positive = Field(description="Floating-point operations of training.")
    held_out: bool = Field(default=False, description="Plan for the risk of samples held out.")
    depths: Annotated[list[Depth], Field(min_length=1)] | None = Field(
        default=None, description="Among which to choose."
    )
    widths: Widths | None = Field(default=None, description="Among which to choose.")
    learning_rates: Annotated[list[Positive], Field(min_length=1)] | None = Field(
        default=None, description="Among which to choose."
    )
    batch_size: Count | None = Field(default=None, description="Samples per step.")
    until: Positive | None = Field(default=None, description="The longest horizon, an MF time.")
    level: Share | None = Field(default=None, description="Of the interval of the expected risk.")
    probes: NonNegativeInt | None = Field(default=None, description="Runs that check the plan.")
    nodes: Count | None = Field(default=None, description="Quadrature nodes per layer.")
    rule: Rule | None = Field(default=None, description="How nodes are chosen.")
    data_nodes: Count | None = Field(default=None, description="Quadrature nodes of E_Z.")
    directions: Annotated[int, Field(ge=4, lt=2**31)] | None = Field(
        default=None, description="Per hidden layer, and for the samples."
    )
    rtol: Positive | None = Field(default=None, description="Of the steps of derivatives.")

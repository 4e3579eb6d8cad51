"""The first layer as a file names it: `neuronal.units`, a table of its `kind`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..errors import InvalidInput
from . import code
from .sections import MOST, Activation, Count, Maker, Positive, Section


class LinearUnit(Section):
    """The paper's."""

    kind: Literal["linear"] = Field(description="Which unit.")


class GaussianUnit(Section):
    """`nr.units.Gaussian`."""

    kind: Literal["gaussian"] = Field(description="Which unit.")
    width: Positive = Field(default=1.0, description="Of the bump.")


class DirichletUnit(Section):
    """`nr.units.Dirichlet`."""

    kind: Literal["dirichlet"] = Field(description="Which unit.")
    order: Count = Field(description="N, the highest frequency.")


class AmplitudeUnit(Section):
    """`nr.units.Amplitude`."""

    kind: Literal["amplitude"] = Field(description="Which unit.")
    activation: Activation = Field(default="tanh", description="φ of a φ(<w, x> + b).")
    bias: bool = Field(default=True, description="Whether there is b.")


class HomogeneousUnit(Section):
    """`nr.units.Homogeneous`; its `place` is the unit of its kernel."""

    kind: Literal["homogeneous"] = Field(description="Which unit.")
    place: Annotated[LinearUnit | GaussianUnit | DirichletUnit, Field(discriminator="kind")] = (
        Field(description="The unit of its kernel.")
    )
    rates: Annotated[list[Positive], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="How fast r and u flow."
    )
    cone: bool = Field(default=False, description="Whether u flows in the cone's metric.")


class OwnUnit(Section):
    """`nr.units.Functions`, of `function(theta, x)` of one's own."""

    kind: Literal["own"] = Field(description="Which unit.")
    function: Maker = Field(description="A function of (theta, x).")
    parameters: Annotated[int, Field(ge=1, le=MOST)] = Field(description="Numbers of theta.")
    rates: Positive | list[Positive] | None = Field(
        default=None, description="How fast parameters flow: one number, or one each."
    )

    @model_validator(mode="after")
    def _each(self) -> OwnUnit:
        if isinstance(self.rates, list) and len(self.rates) != self.parameters:
            raise ValueError(f"rates: takes one number, or one per parameter ({self.parameters})")
        return self


UnitSection = Annotated[
    LinearUnit | GaussianUnit | DirichletUnit | AmplitudeUnit | HomogeneousUnit | OwnUnit,
    Field(discriminator="kind"),
]


def unit_of(section: Any, input_dim: int) -> Any:
    """The `neuronal.units.Unit` that a section names; None is the paper's.

    Raises:
        InvalidInput: a function of one's own that is not there or does not fit.
    """
    from .. import units

    if isinstance(section, GaussianUnit):
        return units.Gaussian(section.width)
    if isinstance(section, DirichletUnit):
        return units.Dirichlet(section.order)
    if isinstance(section, AmplitudeUnit):
        return units.Amplitude(
            activation_of(section.activation, "systems.unit.activation"), section.bias
        )
    if isinstance(section, HomogeneousUnit):
        place = unit_of(section.place, input_dim)
        rates = (1.0, 1.0) if section.rates is None else tuple(section.rates)
        return units.Homogeneous(place, rates, section.cone)
    if isinstance(section, OwnUnit):
        function = code.own(section.function, "systems.unit.function")
        rates = tuple(section.rates) if isinstance(section.rates, list) else section.rates
        try:
            return units.Functions(function, section.parameters, input_dim, rates)
        except InvalidInput as error:
            raise InvalidInput(f"systems.unit.{error}") from None
    return units.Linear()


def activation_of(name: str, field: str) -> Any:
    """The activation of that name, or the user's own, which may be a function."""
    from .. import activations

    if name in activations.ACTIVATIONS:
        return activations.ACTIVATIONS[name]
    found = code.own(name, field)
    return found if isinstance(found, activations.Activation) else activations.of(found)

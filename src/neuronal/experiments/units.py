"""The first layer as a file names it: `neuronal.units`, a table of its `kind`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..errors import InvalidInput
from ..vocabulary import ACTIVATIONS
from . import code
from .sections import MOST, Count, Positive, Section, one_of_or_own


class LinearUnit(Section):
    """The paper's."""

    kind: Literal["linear"]


class GaussianUnit(Section):
    """`nr.units.Gaussian`."""

    kind: Literal["gaussian"]
    width: Positive = 1.0


class DirichletUnit(Section):
    """`nr.units.Dirichlet`."""

    kind: Literal["dirichlet"]
    order: Count


class AmplitudeUnit(Section):
    """`nr.units.Amplitude`."""

    kind: Literal["amplitude"]
    activation: one_of_or_own(*ACTIVATIONS) = "tanh"  # pyright: ignore[reportInvalidTypeForm]
    bias: bool = True


class HomogeneousUnit(Section):
    """`nr.units.Homogeneous`; its `place` is the unit of its kernel."""

    kind: Literal["homogeneous"]
    place: Annotated[LinearUnit | GaussianUnit | DirichletUnit, Field(discriminator="kind")]
    rates: Annotated[list[Positive], Field(min_length=2, max_length=2)] | None = None
    cone: bool = False


class OwnUnit(Section):
    """`nr.units.Functions`, of `function(theta, x)` of one's own."""

    kind: Literal["own"]
    function: one_of_or_own()  # pyright: ignore[reportInvalidTypeForm]
    parameters: Annotated[int, Field(ge=1, le=MOST)]
    rates: Positive | list[Positive] | None = None

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

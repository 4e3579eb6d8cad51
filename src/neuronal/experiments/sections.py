"""What tables of an experiment file are made of: their base, and the kinds of their fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from ..vocabulary import ACTIVATIONS, KERNELS, LOSSES, RULES, SOLVERS, TARGETS

MOST = 10_000
"""Layers and coordinates at most: as many can be listed."""

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
NonNegativeInt = Annotated[int, Field(ge=0, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Depth = Annotated[int, Field(ge=2, le=MOST)]
Label = Annotated[str, Field(min_length=1)]

UNIQUE: dict[str, Any] = {"uniqueItems": True}
"""Of a list that names nothing twice, as a schema has it."""

OWN = re.compile(r"[^:\s][^:]*(?::[\\/][^:]*)?:[A-Za-z_]\w*")
"""`module:function`, or `file.py:function`: the user's own (`neuronal.experiments.code`)."""


def one_of(*names: str) -> Any:
    """A string that is one of `names`, kept in the registries of the mathematics."""
    return Literal[names]  # pyright: ignore[reportInvalidTypeForm]


def one_of_or_own(*names: str) -> Any:
    """A string that is one of `names`, or names a function of the user's own."""

    def check(value: str) -> str:
        if value not in names and not OWN.fullmatch(value):
            listed = ", ".join(map(repr, names))
            expected = {"expected": f"{listed} or a function of your own, 'module:name'"}
            raise PydanticCustomError("literal_error", "takes {expected}", expected)
        return value

    own = {"type": "string", "pattern": f"^(?:{OWN.pattern})$", "title": "module:function"}
    either = {"anyOf": [{"enum": list(names)}, own]} if names else own
    return Annotated[str, AfterValidator(check), WithJsonSchema(either)]


if TYPE_CHECKING:
    Activation = str
    Inputs = str
    Kernel = str
    Loss = str
    Maker = str
    Rule = str
    Solver = str
    Target = str
else:
    Activation = one_of_or_own(*ACTIVATIONS)
    Inputs = one_of_or_own("uniform", "gaussian", "sphere")
    Kernel = one_of(*KERNELS)
    Loss = one_of_or_own(*LOSSES)
    Maker = one_of_or_own()
    Rule = one_of(*RULES)
    Solver = one_of(*SOLVERS)
    Target = one_of_or_own(*TARGETS)


def _say_needs(schema: dict[str, Any], section: Any) -> None:
    """Into the schema of a section what its values need."""
    rules = [
        {
            "if": {"properties": {field: {"const": value}}, "required": [field]},
            "then": {"required": [needed]},
        }
        for (field, value), (needed, _) in section.needs.items()
    ]
    if rules:
        schema["allOf"] = rules


class Section(BaseModel):
    """A table of the file: unknown names, NaN and values of another type are refused."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        frozen=True,
        json_schema_extra=_say_needs,
    )

    needs: ClassVar[dict[tuple[str, str], tuple[str, str]]] = {}
    """A field and its value, with the field that this value takes and what that is."""

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Section:
        for (field, value), (needed, words) in self.needs.items():
            if getattr(self, field) == value and getattr(self, needed) is None:
                raise ValueError(f"{needed}: is missing; {value!r} takes {words}")
        return self

"""The JSON Schema of experiment files, for editors: from what their tables declare."""

from __future__ import annotations

from typing import Any

from ..vocabulary import TARGETS
from .config import Experiment
from .learned import LOSS_PARAMETERS, InputsSection
from .sections import OWN

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_UNSAID = ("title", "discriminator")
"""What pydantic adds and an editor has no use for: names of classes, OpenAPI's word for a union's tag."""


def schema() -> Schema:
    """A JSON Schema (draft 2020-12) that every experiment file satisfies.

    It refuses what a schema can refuse. What relates numbers of different tables, such as a list of one
    number per layer and the depth, is checked when the file is loaded.

    !!! example
        ```python
        >>> from neuronal.experiments.schema import schema
        >>> nodes = schema()["$defs"]["LimitSection"]["properties"]["nodes"]
        >>> nodes["default"], nodes["minimum"], nodes["description"]
        (512, 1, 'Quadrature nodes per layer.')

        ```
    """
    found: Schema = _plain(Experiment.model_json_schema())
    sections = found["$defs"]
    sections["LossSection"]["dependentSchemas"] = {
        parameter: _where(name={"enum": takers}) for parameter, takers in LOSS_PARAMETERS.items()
    }
    sections["InputsSection"]["allOf"] = [
        _if(_where(law={"const": "sphere"}), _where(dim={"minimum": 2})),
        _if(_where(law=_OWN_LAW), {"properties": _defaults_of_a_named_law()}),
    ]
    sections["RegressionProblem"]["allOf"] = [
        _if(_where(target={"const": name}), _of_dimension(dim))
        for name, dim in TARGETS.items()
        if dim is not None
    ]
    return {"$schema": DIALECT, "title": "An experiment of neuronal", **found, "allOf": _whole()}


_OWN_LAW = {"pattern": f"^(?:{OWN.pattern})$"}


def _plain(part: Any) -> Any:
    """Without null, which TOML does not have, and without what an editor has no use for."""
    if isinstance(part, list):
        return [_plain(item) for item in part if item != {"type": "null"}]
    if not isinstance(part, dict):
        return part
    if "properties" in part:  # whose keys are names of fields, not words of the schema
        fields = {name: _plain(field) for name, field in part["properties"].items()}
        part = {**part, "properties": None}
    else:
        fields = None
    found = {
        word: _plain(value)
        for word, value in part.items()
        if not (word in _UNSAID and value != "module:function")
        and not (word == "default" and (value is None or isinstance(value, dict)))
    }
    if fields is not None:
        found["properties"] = fields
    branches = found.get("anyOf", ())
    if len(branches) == 1:
        found |= found.pop("anyOf")[0]
    return found


def _where(**fields: Schema) -> Schema:
    """What holds of a table with these fields, each as its schema has it."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def _if(condition: Schema, consequence: Schema) -> Schema:
    return {"if": condition, "then": consequence}


def _defaults_of_a_named_law() -> Schema:
    fields = InputsSection.model_fields.items()
    return {name: {"const": field.default} for name, field in fields if name != "law"}


def _of_dimension(dim: int) -> Schema:
    """Of a regression: inputs of so many coordinates, or of a law of the user's own."""
    own = _where(inputs=_where(law=_OWN_LAW))
    named = {"properties": {"dim": {"const": dim}}}
    if dim == InputsSection.model_fields["dim"].default:
        return {"anyOf": [own, {"properties": {"inputs": named}}]}
    return {"anyOf": [own, _where(inputs=_where(dim={"const": dim}))]}


def _whole() -> list[Schema]:
    """What `Experiment` asks of several tables together, as far as a schema can say it."""
    positive = {"type": "number", "exclusiveMinimum": 0}
    some = {"anyOf": [positive, {"type": "array", "contains": positive}]}
    solved = {"properties": {"limit": {"properties": {"enabled": {"const": True}}}}}
    every = lambda system: {"properties": {"systems": {"items": system}}}
    of_limit = lambda **fields: {"properties": {"limit": {"properties": fields}}}
    stepwise = {
        "anyOf": [_where(motion=_where(penalty=positive)), _where(motion=_where(temperature=some))]
    }
    return [
        _if(
            _where(limit=_where(enabled={"const": False})),
            _where(networks=_where(widths={"minItems": 1})),
        ),
        _if(
            {"allOf": [solved, _where(limit=_where(kernel={"const": "factored"}))]},
            every(
                {"properties": {"depth": {"minimum": 3}, "embedding": {"not": {"const": "iid"}}}}
            ),
        ),
        _if(
            {"allOf": [solved, stepwise]},
            _where(limit=_where(solver={"const": "euler"}, step={})),
        ),
        _if(
            {"allOf": [solved, _where(motion=_where(momentum={}))]},
            of_limit(solver={"not": {"const": "rkc"}}, kernel={"not": {"const": "factored"}}),
        ),
        _if(
            {"allOf": [solved, _where(motion=_where(birth_death={}))]},
            of_limit(solver={"not": {"const": "rkc"}}),
        ),
        _if(
            _where(motion=_where(reinject={"const": True})),
            {
                **every({"properties": {"depth": {"maximum": 2}}}),
                "allOf": [
                    _where(limit=_where(enabled={"const": False}), motion=_where(birth_death={}))
                ],
            },
        ),
        _if(
            _where(motion=_where(temperature=positive)),
            every({"properties": {"depth": {"maximum": 2}}}),
        ),
    ]

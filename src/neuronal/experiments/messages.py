"""Validation errors as lines that name the field and what it takes."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

_BOUNDS = {
    "greater_than": ("gt", "a number above"),
    "greater_than_equal": ("ge", "a number of at least"),
    "less_than": ("lt", "a number below"),
    "less_than_equal": ("le", "a number of at most"),
}
_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
}


def lines(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """One line per field; where a field takes one of several kinds, what each of them takes."""
    takes: dict[str, list[str]] = {}
    got: dict[str, str] = {}
    for item in error.errors():
        path, owner = _walk(item["loc"], root, item["type"] == "extra_forbidden")
        if item["type"] == "value_error":  # a section's own check, which names its field itself
            error_itself = str(item.get("ctx", {})["error"])
            told = f"{path}.{error_itself}" if path else error_itself
            takes.setdefault(told, [])
            continue
        told = _message(item, owner)
        if told not in takes.setdefault(path, []):
            takes[path].append(told)
        got.setdefault(path, _got(item))
    inner = {path for path in takes for other in takes if other.startswith(f"{path}[")}
    return [
        f"{path}: {_joined(told)}{got[path]}" if told else path
        for path, told in takes.items()
        if path not in inner  # an element's error says more than its list's
    ]


def _joined(told: list[str]) -> str:
    return " or ".join([told[0], *(t.removeprefix("takes ") for t in told[1:])])


def _message(item: Any, owner: type[BaseModel] | None) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"takes {words} {context[key]:g}"
    if kind in _TYPES:
        return f"takes {_TYPES[kind]}"
    if kind == "literal_error":
        return f"takes {context['expected']}"
    if kind == "union_tag_invalid":
        key = str(context["discriminator"]).strip("'")
        near = _near(context["tag"], context["expected_tags"].replace("'", "").split(", "))
        return f"{key} takes {context['expected_tags']}, got {context['tag']!r}{near}"
    if kind == "union_tag_not_found":
        return f"{str(context['discriminator']).strip(chr(39))} is missing"
    if kind == "string_pattern_mismatch":
        return "takes letters, digits, '.', '_' and '-', without spaces"
    if kind == "missing":
        return "is missing"
    if kind in ("too_short", "string_too_short"):
        return f"takes at least {context['min_length']}"
    if kind == "extra_forbidden":
        names = list(owner.model_fields) if owner else []
        return f"unknown name{_near(str(item['loc'][-1]), names)} (takes {', '.join(names)})"
    return str(item["msg"])


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _got(item: Any) -> str:
    silent = ("missing", "extra_forbidden", "union_tag_not_found", "union_tag_invalid")
    value = item["input"]
    shown = item["type"] not in silent and isinstance(value, str | int | float | bool | list)
    return f", got {value!r}" if shown else ""


def _walk(
    location: tuple[int | str, ...], root: type[BaseModel], unknown: bool
) -> tuple[str, type[BaseModel] | None]:
    """The path as a file writes it, without the names of a union's branches, and its section."""
    path, candidates = "", [root]
    for i, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
            continue
        owner = candidates[0] if len(candidates) == 1 else None
        if owner is None:  # a tag: the branch of that name
            candidates = [c for c in candidates if part in _tags(c)]
        elif part in owner.model_fields:
            path += f".{part}"
            inner = list(_sections(owner.model_fields[part].annotation))
            candidates = inner or candidates
        elif unknown and i == len(location) - 1:
            path += f".{part}"
    return path.lstrip("."), candidates[0] if len(candidates) == 1 else None


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _sections(argument)


def _tags(section: type[BaseModel]) -> set[str]:
    """The values of the literal field by which a union tells its branches."""
    first = (section.model_fields.get(name) for name in ("kind", "embedding"))
    return {tag for field in first if field for tag in typing.get_args(field.annotation)}

"""Settings of a sweep, and the experiments at all their combinations."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...checks import require
from ...errors import InvalidInput
from ..config import Experiment, locate, parse

Settings = dict[str, list[Any]]
"""Values of each field that is swept; a field's name is its path, such as ``run.until``."""

_LONGEST = 180
"""Characters of a folder's name; file systems take 255 bytes."""


class Point(NamedTuple):
    """One combination: the folder's name, the values, the experiment."""

    name: str
    values: dict[str, Any]
    experiment: Experiment


def setting(text: str) -> tuple[str, list[Any]]:
    """`FIELD=VALUE,VALUE,...` as a field and its values, which are written as in TOML.

    `FIRST:LAST:log5` among them is five values of equal ratios, `FIRST:LAST:lin5` five at equal distances:
    whole numbers, rounded, where both ends are.

    Raises:
        InvalidInput: no such form.
    """
    field, equals, values = text.partition("=")
    require(
        bool(equals and re.fullmatch(r"[\w.]+", field.strip())),
        f"--set: takes FIELD=VALUE,VALUE such as networks.learning_rate=0.1,0.2, got {text!r}",
    )
    try:
        written = _RANGE.sub(_spelled, values)
        found = tomllib.loads(f"values = [{written}]")["values"]
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"--set: {field}: takes values as in TOML (a text in quotes), got {values!r} ({error})"
        ) from None
    require(len(found) > 0, f"--set: {field}: takes at least one value")
    return field.strip(), found


_NUMBER = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?"
_RANGE = re.compile(rf"(?<![^\s,])({_NUMBER}):({_NUMBER}):(log|lin)([0-9]{{1,6}})(?![^\s,])")


def _spelled(found: re.Match[str]) -> str:
    """The values of a range, with commas."""
    first, last, spacing, count = found.groups()
    whole = first.lstrip("+-").isdecimal() and last.lstrip("+-").isdecimal()
    low, high, many = float(first), float(last), int(count)
    require(
        many >= 2 and (spacing == "lin" or low * high > 0),
        f"--set: a range takes two values or more, and with log numbers of one sign, got {found[0]!r}",
    )
    values = (np.geomspace if spacing == "log" else np.linspace)(low, high, many)
    if whole:
        return ", ".join(str(round(v)) for v in values)
    return ", ".join(repr(float(f"{v:.12g}")) for v in values)


def changed_by(
    experiment: Experiment, texts: Sequence[str], home: Path | None = None
) -> Experiment:
    """The experiment with some fields set, each to one value; as it is if there are none.

    Args:
        texts: as `setting` takes them.
        home: as for `points`.

    Raises:
        InvalidInput: an unknown field, a value that it does not take, or several.
    """
    if not texts:
        return experiment
    swept = settings_of(texts)
    for field, values in swept.items():
        require(
            len(values) == 1, f"--set: {field}: takes one value; `neuronal sweep` takes several"
        )
    return points(experiment, swept, home)[0].experiment


def settings_of(texts: Sequence[str]) -> Settings:
    """Several of them, each a field of its own, else `InvalidInput`."""
    given = [setting(text) for text in texts]
    for field, _ in given:
        once = sum(field == other for other, _ in given) == 1
        require(once, f"--set: {field} is given twice; take {field}=VALUE,VALUE")
    return dict(given)


def points(experiment: Experiment, settings: Settings, home: Path | None = None) -> list[Point]:
    """All combinations, checked before any is run.

    A field below `systems` is set in each of them (``systems.depth``), or in one, by its number
    (``systems.0.depth``).

    Args:
        home: the folder from which relative paths of data are taken, that of the experiment's
            file; the current one if left out.

    Raises:
        InvalidInput: an unknown field, or values that it does not take.
    """
    require(len(settings) > 0, "--set: takes at least one field to sweep")
    grid = {field: _values(field, values) for field, values in settings.items()}
    found: list[Point] = []
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        content = experiment.model_dump(exclude_none=True)
        for field, value in chosen.items():
            _put(content, field.split("."), value, field)
        locate(content, home or Path())
        name = ",".join(f"{field}={_word(value)}" for field, value in chosen.items())
        found.append(Point(name, chosen, parse(content, name).with_given(experiment.given)))
    count = Counter(point.name for point in found)
    return [
        point
        if count[point.name] == 1 and len(point.name) <= _LONGEST
        else point._replace(name=f"{point.name[:_LONGEST]}-{_digest(point.values)}")
        for point in found
    ]


def coordinates(values: list[Any]) -> np.ndarray:
    """The values of a field as a coordinate: numbers, or their words."""
    if all(isinstance(value, int | float) for value in values):
        array = np.asarray(values)
        if array.dtype.kind in "biuf":
            return array
    return np.asarray([str(value) for value in values])


def _values(field: str, values: Any) -> list[Any]:
    """The values of a field as a list: also of an array."""
    given = values.tolist() if isinstance(values, np.ndarray) else values
    require(
        isinstance(given, list | tuple) and len(given) > 0,
        f"--set: {field}: takes a list of at least one value, got {values!r}",
    )
    require(
        len(np.unique(coordinates(list(given)))) == len(given),
        f"--set: {field}: names a value twice",
    )
    return list(given)


def _digest(values: dict[str, Any]) -> str:
    return sha256(repr(values).encode()).hexdigest()[:8]


def _put(content: Any, path: list[str], value: Any, field: str) -> None:
    """Set the field at a path; a list without a number in the path has it set in each element."""
    head, *rest = path
    if isinstance(content, list):
        if head.isdecimal() and len(head) < 9:
            require(
                len(rest) > 0, f"--set: {field}: takes a field of that table, such as {field}.depth"
            )
            require(
                int(head) < len(content),
                f"--set: {field}: there are {len(content)}, numbered from 0",
            )
            return _put(content[int(head)], rest, value, field)
        for item in content:
            _put(item, path, value, field)
        return None
    require(isinstance(content, dict), f"--set: {field}: no field of that name")
    if not rest:
        content[head] = value
        return None
    # A table left out has its defaults, and is written.
    return _put(content.setdefault(head, {}), rest, value, field)


def _word(value: Any) -> str:
    """A value as a part of a folder's name."""
    if isinstance(value, float) and math.isfinite(value):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return re.sub(r"[^\w.+-]+", "_", str(value)).strip("_")

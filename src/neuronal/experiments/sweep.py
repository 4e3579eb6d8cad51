"""Sweeps: one experiment at every combination of some settings, each a run in a folder of its own."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ..checks import require
from ..drivers.trajectory import DivergenceError
from ..errors import InvalidInput
from . import results
from .config import Experiment, locate, parse
from .folder import SWEEP
from .runner import run

Settings = dict[str, list[Any]]
"""Values of each field that is swept; a field's name is its path, such as ``run.until``."""


class Point(NamedTuple):
    """One combination: the folder's name, the values, the experiment."""

    name: str
    values: dict[str, Any]
    experiment: Experiment


def setting(text: str) -> tuple[str, list[Any]]:
    """`FIELD=VALUE,VALUE,...` as a field and its values, which are written as in TOML.

    Raises:
        InvalidInput: no such form.
    """
    field, equals, values = text.partition("=")
    require(
        bool(equals and re.fullmatch(r"[\w.]+", field.strip())),
        f"--set: takes FIELD=VALUE,VALUE such as networks.learning_rate=0.1,0.2, got {text!r}",
    )
    try:
        found = tomllib.loads(f"values = [{values}]")["values"]
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"--set: {field}: takes values as in TOML (a text in quotes), got {values!r} ({error})"
        ) from None
    require(len(found) > 0, f"--set: {field}: takes at least one value")
    return field.strip(), found


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
    found = []
    for values in itertools.product(*settings.values()):
        chosen = dict(zip(settings, values, strict=True))
        content = experiment.model_dump(exclude_none=True)
        for field, value in chosen.items():
            _put(content, field.split("."), value, field)
        if home is not None:
            locate(content, home)
        name = ",".join(f"{field}={_word(value)}" for field, value in chosen.items())
        found.append(Point(name, chosen, parse(content, name)))
    names = [point.name for point in found]
    require(len(set(names)) == len(names), "--set: names a value twice")
    return found


def sweep(
    experiment: Experiment,
    settings: Settings,
    folder: str | Path,
    executor: Executor | None = None,
    overwrite: bool = False,
    on_done: Callable[[Point, str | None], None] | None = None,
    home: Path | None = None,
) -> xr.Dataset:
    """Run every combination and collect final risks.

    Args:
        folder: each combination has a folder in it; those finished are not run again.
        executor: of `concurrent.futures`, or Dask's; in turn, here, if left out.
        overwrite: run those finished again too.
        on_done: called with each point, and with what went wrong if it diverged.
        home: as `points` takes it.

    Returns:
        the dataset written as `sweep.nc`: a dimension per field, then `system`, and `width` and
        `seed` where there are networks; NaN where a run diverged.

    Raises:
        InvalidInput: fields or values that do not fit, or a folder of another experiment or of
            data that were edited since.
    """
    folder = Path(folder)
    todo = points(experiment, settings, home)
    parts, failed = [], []
    for point, error in _outcomes(todo, folder, executor, overwrite):
        if on_done:
            on_done(point, error)
        if error is None:
            parts.append(_final(results.read(folder / point.name), point.values))
        else:
            failed.append(error)
    require(len(parts) > 0, f"--set: every run diverged; the first: {(failed or ['?'])[0]}")
    data = xr.combine_by_coords(parts, combine_attrs="drop")
    assert isinstance(data, xr.Dataset)
    grid = {field: [_coordinate(v) for v in values] for field, values in settings.items()}
    data = data.reindex(grid)
    data.attrs = results.attributes(experiment)
    results.write(data, folder / SWEEP)
    return data


def _outcomes(
    todo: Sequence[Point], folder: Path, executor: Executor | None, overwrite: bool
) -> Iterator[tuple[Point, str | None]]:
    if executor is None:
        for point in todo:
            yield point, _one(point.experiment, folder / point.name, overwrite)
        return
    futures: list[Future[str | None]] = [
        executor.submit(_one, point.experiment, folder / point.name, overwrite) for point in todo
    ]
    for point, future in zip(todo, futures, strict=True):
        yield point, future.result()


def _one(experiment: Experiment, folder: Path, overwrite: bool) -> str | None:
    """One run, or what is there of it; why it has no result, if it diverged."""
    try:
        run(experiment, folder, resume=not overwrite, overwrite=overwrite)
    except DivergenceError as error:
        return str(error)
    return None


def _final(data: xr.Dataset, values: dict[str, Any]) -> xr.Dataset:
    """The last values of every series of a run."""
    series = {
        name: data[name].dropna("time", how="all").isel(time=-1, drop=True)
        for name in data.data_vars
        if "time" in data[name].dims
    }
    grid = {field: [_coordinate(value)] for field, value in values.items()}
    return xr.Dataset(series).expand_dims(grid)


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


def _coordinate(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)


def _word(value: Any) -> str:
    """A value as a part of a folder's name."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}"
    return re.sub(r"[^\w.+-]+", "_", str(np.asarray(value).tolist())).strip("_")

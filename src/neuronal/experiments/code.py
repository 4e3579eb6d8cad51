"""Functions of the user's own that an experiment file names, beside the file or installed."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import InvalidInput
from .sections import OWN

_PLACES = (("problem", "target"), ("problem.inputs", "law"), ("loss", "name"))
_OF_UNITS = ("activation", "function")
_OF_SYSTEMS = ("activation", "last_activation", "make")


def places(content: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The tables of a configuration that name functions of the user's own, and the fields that do."""
    found = [(_table(content, path), field) for path, field in _PLACES]
    systems = content.get("systems")
    for system in systems if isinstance(systems, list) else ():
        found += [(system, field) for field in _OF_SYSTEMS]
        if isinstance(system, dict):
            found += [(system.get("unit"), field) for field in _OF_UNITS]
    for table, field in found:
        value = table.get(field) if isinstance(table, dict) else None
        if isinstance(value, str) and OWN.fullmatch(value):
            yield table, field  # pyright: ignore[reportReturnType]


def _table(content: Any, path: str) -> Any:
    for name in path.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    return content


def located(content: dict[str, Any], folder: Path) -> None:
    """Have modules beside a file, in place, by their absolute paths."""
    _moved(content, lambda file: _beside(folder, file) or file)


def told_from(content: dict[str, Any], folder: Path | None) -> None:
    """Have modules that are files, in place, by their paths from a folder; by their names if None."""

    def told(file: str) -> str:
        if not file.endswith(".py"):
            return file
        path = Path(file)
        return Path(os.path.relpath(path, folder.resolve())).as_posix() if folder else path.name

    _moved(content, told)


def digest(content: dict[str, Any]) -> str:
    """Of the files of the modules that a configuration names; empty if it names none."""
    files = {table[field].rpartition(":")[0] for table, field in places(content)}
    known = sorted(file for file in files if file.endswith(".py") and Path(file).is_file())
    found = hashlib.sha256(b"".join(Path(file).read_bytes() for file in known))
    return found.hexdigest()[:32] if known else ""


def own(name: str, field: str) -> Any:
    """What `module:function` names; `field` begins an error.

    Raises:
        InvalidInput: no such module, one that cannot be imported, or nothing of that name in it.
    """
    module, _, attribute = name.rpartition(":")
    try:
        if module.endswith(".py"):
            loaded = _loaded(module, os.stat(module).st_mtime_ns)
        else:
            loaded = importlib.import_module(module)
    except Exception as error:  # whatever a user's module raises
        raise InvalidInput(
            f"{field}: the module of {_short(name)!r} cannot be imported, beside the file or as installed "
            f"({type(error).__name__}: {error})"
        ) from error
    if not hasattr(loaded, attribute):
        names = [n for n, v in vars(loaded).items() if callable(v) and not n.startswith("_")]
        raise InvalidInput(
            f"{field}: the module of {_short(name)!r} has no {attribute!r}; it has {', '.join(names[:12])}"
        )
    return getattr(loaded, attribute)


def _short(name: str) -> str:
    module, _, attribute = name.rpartition(":")
    return f"{Path(module).stem if module.endswith('.py') else module}:{attribute}"


@functools.cache  # one module per state of its file: what is compiled for its functions is compiled once
def _loaded(file: str, changed: int) -> Any:
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert spec is not None and spec.loader is not None  # of a name that ends with .py
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _beside(folder: Path, module: str) -> str | None:
    name = module if module.endswith(".py") else f"{module.replace('.', '/')}.py"
    path = folder / name
    return str(path.resolve()) if path.is_file() else None


def _moved(content: dict[str, Any], move: Callable[[str], str]) -> None:
    for table, field in list(places(content)):
        module, _, attribute = table[field].rpartition(":")
        table[field] = f"{move(module)}:{attribute}"

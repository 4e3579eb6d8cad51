"""The classes that a file may name: those of the package that are fields and nothing else."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from .. import (
    distributions,
    embeddings,
    kernels,
    losses,
    motion,
    network,
    problem,
    schedules,
    units,
)
from ..drivers import driver, trajectory
from ..drivers.ode import choice, rkc, solve
from ..drivers.sgd import loop, train
from ..theory import corollary3, coupling, picard
from ..theory.certificate import document, rows
from ..theory.fluctuations import law

_PACKAGES = (distributions, embeddings, kernels, losses, motion, units)
_MODULES = (
    network, problem, schedules, driver, trajectory, choice, solve, rkc, loop, train, corollary3, coupling,
    picard, document, rows, law,
)  # fmt: skip


def modules() -> list[ModuleType]:
    """Those whose classes are meant."""
    return [*_MODULES, *(module for package in _PACKAGES for module in _inside(package))]


@functools.cache
def kinds() -> dict[str, type]:
    """Classes by their names: dataclasses, Equinox's modules and named tuples."""
    return {
        called(cls): cls
        for module in modules()
        for cls in vars(module).values()
        if isinstance(cls, type) and cls.__module__ == module.__name__ and names(cls) is not None
    }


def _inside(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(info.name)


def known(thing: Any) -> bool:
    """Whether a file can hold it: an object of just such a class, and of no subclass."""
    return kinds().get(called(type(thing))) is type(thing)


def called(cls: type) -> str:
    """The name by which a file knows a class; units have names that laws have too."""
    unit = cls.__module__.startswith(f"{units.__name__}.")
    return f"units.{cls.__name__}" if unit else cls.__name__


def names(cls: type) -> tuple[str, ...] | None:
    """Of the fields of such a class; None of any other."""
    if dataclasses.is_dataclass(cls):
        return tuple(f.name for f in dataclasses.fields(cls))
    return getattr(cls, "_fields", None) if issubclass(cls, tuple) else None


def made(cls: type, fields: dict[str, Any]) -> Any:
    """An object with just these fields; nothing of the class is run.

    Raises:
        TypeError: fields that the class does not have, or too few.
    """
    own = names(cls) or ()
    if set(fields) - set(own):
        raise TypeError(f"{cls.__name__} has no {sorted(set(fields) - set(own))}")
    if issubclass(cls, tuple):
        return cls(**fields)
    thing = object.__new__(cls)
    for f in dataclasses.fields(cls):
        object.__setattr__(thing, f.name, fields[f.name] if f.name in fields else _default(f))
    return thing


def _default(field: dataclasses.Field) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    raise TypeError(f"{field.name} is missing")

"""A thing as a tree of JSON's values, its arrays beside it under the names of their places.

JSON's own values stand for themselves, a list for a tuple. Anything else is an object with one of the
keys below:

| key | stands for |
|:--|:--|
| `float` | ``inf``, ``-inf`` or ``nan`` |
| `list`, `dict` | a list, or a dictionary with texts as keys |
| `array`, `of` | the array of that name: ``jax``, ``numpy``, or a ``scalar`` of NumPy's |
| `key`, `of` | a random key's data, and the generator that it is one of |
| `is`, `fields` | an object of a class of the package (`kinds`) |
| `activation` | one of `neuronal.activations.ACTIVATIONS` |
| `dataset` | an `xarray.Dataset`: `variables` (dimensions, values, attributes), `coords`, `attrs` |
| `diffrax` | a solver of Diffrax of that name, as it is made without arguments |
| `scipy`, `args` | a continuous law of `scipy.stats` of that name, and its arguments |
| `own` | what the user hands over under that name (`own`); `as` an ``activation``, if it is one |
"""

from __future__ import annotations

import math
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array
from scipy import stats

from .. import activations
from ..activations import ACTIVATIONS, Activation
from ..checks import on_device
from ..drivers.trajectory import Trajectory
from ..errors import InvalidInput
from .kinds import called, kinds, known, made, names
from .own import Given, Met

_STANDS_IN = {"bfloat16": np.uint16}
"""Types that `.npy` does not know, and those of as many bits that stand in for them."""


class Encoder:
    """Trees of things; `arrays` and `own` collect what stands beside them."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.own = Met()
        self._written: dict[int, tuple[Any, dict[str, str]]] = {}

    def tree(self, thing: Any, place: str) -> Any:
        """The tree of a thing at that place of the whole.

        Raises:
            InvalidInput: something in it that no file can hold.
        """
        if thing is None or isinstance(thing, bool | str) or type(thing) is int:
            return thing
        if type(thing) is float:
            return thing if math.isfinite(thing) else {"float": repr(thing)}
        if isinstance(thing, jax.Array | np.ndarray | np.generic):
            return self._array(thing, place)
        if type(thing) in (tuple, list):
            parts = [self.tree(part, f"{place}.{i}") for i, part in enumerate(thing)]
            return parts if type(thing) is tuple else {"list": parts}
        if isinstance(thing, dict) and all(isinstance(key, str) for key in thing):
            return {"dict": self._fields(thing, place)}
        if isinstance(thing, Trajectory):
            return self._of_class("Trajectory", _attributes(thing), place)
        if known(thing):
            fields = {name: getattr(thing, name) for name in names(type(thing)) or ()}
            return self._of_class(called(type(thing)), fields, place)
        if isinstance(thing, xr.Dataset):
            return {"dataset": self._dataset(thing, place)}
        return self._named(thing, place)

    def _fields(self, fields: dict[str, Any], place: str) -> dict[str, Any]:
        return {name: self.tree(value, f"{place}.{name}") for name, value in fields.items()}

    def _of_class(self, name: str, fields: dict[str, Any], place: str) -> dict[str, Any]:
        return {"is": name, "fields": self._fields(fields, place)}

    def _named(self, thing: Any, place: str) -> dict[str, Any]:
        if isinstance(thing, Activation) and ACTIVATIONS.get(thing.name) is thing:
            return {"activation": thing.name}
        kind: Any = type(thing)
        name = kind.__name__
        if getattr(diffrax, name, None) is kind and bool(eqx.tree_equal(thing, kind())):
            return {"diffrax": name}
        law: Any = getattr(thing, "dist", None)
        if isinstance(law, stats.rv_continuous) and type(getattr(stats, law.name, None)) is type(
            law
        ):
            arguments: Any = thing
            return {"scipy": law.name, "args": self.tree((arguments.args, arguments.kwds), place)}
        more = {"as": "activation"} if isinstance(thing, Activation) else {}
        return {"own": self.own.add(thing), **more}

    def _array(self, array: Array | np.ndarray | np.generic, place: str) -> dict[str, Any]:
        if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
            data = self._array(jax.random.key_data(array), place)
            return {"key": data, "of": str(jax.random.key_impl(array))}
        if id(array) in self._written:  # one array in several places is written once
            return self._written[id(array)][1]
        kind = "jax" if isinstance(array, jax.Array) else "numpy"
        tree = {"array": place, "of": "scalar" if isinstance(array, np.generic) else kind}
        values = np.asarray(array)
        if values.dtype == object:
            values = values.astype(str)
        if (short := _STANDS_IN.get(values.dtype.name)) is not None:
            tree["type"] = values.dtype.name
            values = values.view(short)
        self.arrays[place] = values
        self._written[id(array)] = array, tree
        return tree

    def _dataset(self, data: xr.Dataset, place: str) -> dict[str, Any]:
        variables = {
            str(name): (tuple(map(str, v.dims)), np.asarray(v.values), dict(v.attrs))
            for name, v in data.variables.items()
        }
        return {
            "variables": self._fields(variables, place),
            "coords": [str(name) for name in data.coords],
            "attrs": self.tree(dict(data.attrs), f"{place}.attrs"),
        }


class Decoder:
    """Things from trees and the arrays beside them."""

    def __init__(self, arrays: dict[str, np.ndarray], own: Given) -> None:
        self._arrays, self._own = arrays, own
        self._made: dict[str, Any] = {}

    def thing(self, tree: Any) -> Any:
        """The thing that a tree stands for.

        Raises:
            InvalidInput: numbers of a precision that JAX is not set to, or something of the user's own that
                was not handed over.
            KeyError, TypeError, ValueError, AttributeError: no tree that `Encoder` makes.
        """
        match tree:
            case list():
                return tuple(map(self.thing, tree))
            case {"float": word}:
                return float(word)
            case {"list": parts}:
                return list(map(self.thing, parts))
            case {"dict": fields}:
                return self._fields(fields)
            case {"array": name, "of": kind}:
                return self._array(name, kind, tree.get("type"))
            case {"key": data, "of": generator}:
                return jax.random.wrap_key_data(self.thing(data), impl=generator)
            case {"is": "Trajectory", "fields": fields}:
                return _trajectory(self._fields(fields))
            case {"is": name, "fields": fields}:
                return made(kinds()[name], self._fields(fields))
            case {"activation": name}:
                return ACTIVATIONS[name]
            case {"dataset": {"variables": variables, "coords": coords, "attrs": attrs}}:
                found = self._fields(variables)
                data = xr.Dataset({n: xr.Variable(*v) for n, v in found.items()})
                return data.set_coords(coords).assign_attrs(self.thing(attrs))
            case {"diffrax": name}:
                solver = getattr(diffrax, name)
                if not issubclass(solver, diffrax.AbstractSolver):
                    raise TypeError(f"{name} is no solver")
                return solver()
            case {"scipy": name, "args": arguments}:
                law, (args, kwds) = getattr(stats, name), self.thing(arguments)
                if not isinstance(law, stats.rv_continuous):
                    raise TypeError(f"{name} is no law")
                return law(*args, **kwds)
            case {"own": name}:
                found = self._own.get(name)
                bare = tree.get("as") == "activation" and not isinstance(found, Activation)
                return activations.of(found) if bare else found
            case dict():
                raise TypeError(f"unknown: {sorted(tree)}")
        return tree

    def _fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {name: self.thing(value) for name, value in fields.items()}

    def _array(self, name: str, kind: str, stood_in_for: str | None) -> Any:
        if name not in self._made:
            values = self._arrays[name]
            if stood_in_for is not None:
                values = values.view(jnp.dtype(stood_in_for))
            if kind == "jax":
                self._made[name] = _on_device(values)
            else:
                self._made[name] = values[()] if kind == "scalar" else values
        return self._made[name]


def _on_device(values: np.ndarray) -> Array:
    """As JAX's array, of the same bits."""
    if jax.dtypes.canonicalize_dtype(values.dtype) != values.dtype:
        raise InvalidInput(
            f"path: holds numbers of type {values.dtype}; load it where JAX keeps them: with "
            "jax.enable_x64(True)"
        )
    return on_device(values)


def _attributes(trajectory: Trajectory) -> dict[str, Any]:
    """Of a trajectory, with the recipe of its driver in place of all that this gives back."""
    recipe = trajectory.recipe
    if recipe is None:
        raise InvalidInput("thing: its trajectory has a driver that no file can hold")
    own = {
        name: v for name, v in vars(trajectory).items() if name not in ("_driver", "problem", "law")
    }
    return {"states": own.pop("_states"), **own, "recipe": recipe.alone()}


def _trajectory(attributes: dict[str, Any]) -> Trajectory:
    found = object.__new__(Trajectory)
    driver = attributes.pop("recipe").driver()
    attributes |= {"_states": attributes.pop("states"), "_driver": driver}
    vars(found).update(attributes, problem=driver.problem, law=driver.law)
    return found

"""Equinox models, each mapping one example: layers are modules that hold arrays themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax

from .jax_probe import Opened, in_words, named_call


class _Tap(eqx.Module):
    """A module whose input and output have names."""

    inner: Any
    name: str = eqx.field(static=True)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return named_call(self.inner, self.name, *arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)


def opened(model: eqx.Module) -> Opened:
    """A model taken apart, and mapped over a batch."""
    arrays, static = eqx.partition(model, eqx.is_inexact_array)
    predict = lambda arrays, x: jax.vmap(_tapped(eqx.combine(arrays, static)))(x)
    leaves = jax.tree_util.tree_flatten_with_path(arrays)[0]
    names = [jax.tree_util.keystr(path).removeprefix(".") for path, _ in leaves]
    return Opened(arrays, predict, names)


def _tapped(model: Any) -> Any:
    """The model with its layers wrapped."""
    for path in list(_layers(model, ())):
        at = lambda tree, path=path: _reached(tree, path)
        model = eqx.tree_at(at, model, _Tap(_reached(model, path), in_words(path)))
    return model


def _layers(tree: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Paths of modules that are called and hold arrays themselves, the model apart."""
    if isinstance(tree, eqx.Module):
        fields = [f.name for f in dataclasses.fields(tree) if not f.metadata.get("static")]
        values = {name: getattr(tree, name, None) for name in fields}
        if path and callable(tree) and any(map(eqx.is_inexact_array, values.values())):
            yield path
            return
        branches = values.items()
    elif isinstance(tree, list | tuple):
        branches = enumerate(tree)
    elif isinstance(tree, dict):
        branches = tree.items()
    else:
        return
    for key, branch in branches:
        yield from _layers(branch, (*path, key))


def _reached(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = getattr(tree, key) if isinstance(tree, eqx.Module) else tree[key]
    return tree

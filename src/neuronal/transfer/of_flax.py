"""Modules of Flax (NNX), mapping a batch: layers are modules that hold parameters themselves."""

from __future__ import annotations

import functools
from typing import Any

import jax
from flax import nnx
from flax.nnx import Module

from .jax_probe import Opened, in_words, named_call

__all__ = ["Module", "opened"]


def opened(model: Module) -> Opened:
    """A module taken apart. What it holds besides parameters is as it was at every call."""
    graph, parameters, rest = nnx.split(model, nnx.Param, ...)
    leaves = [path for path, _ in nnx.to_flat_state(parameters)]
    owners = {path[:-1] for path in leaves}

    def predict(parameters: Any, x: Any) -> Any:
        # Made anew: variables of another trace must not be written.
        whole = nnx.merge(graph, parameters, jax.tree.map(lambda a: a, rest))
        layers = [(path, of) for path, of in nnx.iter_graph(whole) if path and path in owners]
        for path, layer in layers:
            _tap(layer, in_words(path))
        return whole(x)

    return Opened(parameters, predict, [in_words(path) for path in leaves])


def _tap(layer: Any, name: str) -> None:
    """Name the input and the output of a layer's calls."""
    own = type(layer)

    def call(self: Any, *given: Any, **options: Any) -> Any:
        return named_call(functools.partial(own.__call__, self), name, *given, **options)

    layer.__class__ = type(own.__name__, (own,), {"__call__": call})

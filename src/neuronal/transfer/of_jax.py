"""Runs of models of JAX, Equinox's and Flax's, with optimisers of Optax's kind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..checks import require, shown
from ..errors import InvalidInput
from . import of_equinox
from .jax_probe import Opened, Probe, outputs_of, rms
from .records import PROBES, Run, degree_between, one_of


def run_of(
    build: Callable[[int, Any], Any],
    batch: tuple[Any, Any],
    loss: Callable[[Any, Any], Any],
    optimiser: Callable[[Any], Any],
    width: int,
    seed: int,
    steps: int,
) -> Run:
    """A run of one width.

    Raises:
        InvalidInput: functions that give something else than they should; a model without layers that are
        called.
    """
    model = build(width, jax.random.key(seed))
    opened = _opened(model)
    tx = optimiser(model)
    require(
        hasattr(tx, "init") and hasattr(tx, "update"),
        f"optimiser: takes a function from a model to its Optax optimiser, got {shown(tx)}",
    )
    x, y = map(jnp.asarray, batch)
    probe = Probe(opened, x)
    arrays, towards = probe.arrays, jax.random.normal(jax.random.key(0), probe.prediction.shape)
    chosen = jnp.zeros_like(towards).at[one_of(towards.ndim)].set(1)
    towards = towards * chosen / len(x)

    def functional(arrays: Any) -> Any:
        return jnp.sum(towards * probe.predict(arrays))

    zeros = jax.tree.map(jnp.zeros_like, arrays)
    still = _stepped(tx, tx.init(arrays), zeros, arrays)[0]
    drift = {
        name: _share(a, b)
        for name, a, b in zip(probe.names, _values(arrays), _values(still), strict=True)
    }
    gradient = jax.jit(jax.grad(functional))(arrays)
    double = jax.tree.map(lambda g: 2 * g, gradient)
    once, twice = (_stepped(tx, tx.init(arrays), g, arrays)[0] for g in (gradient, double))
    run = probe.run(drift)
    for part, a, b, c in zip(
        run.parts.values(), _values(arrays), _values(once), _values(twice), strict=True
    ):
        kept = (1 - drift[part.of]) * a
        sizes = [float(jnp.linalg.norm(after - kept)) for after in (b, c)]
        part.degree = degree_between(*sizes)
    state, now = tx.init(arrays), arrays
    for _ in range(PROBES):
        after, state = _stepped(tx, state, jax.jit(jax.grad(functional))(now), now)
        probe.look(run, now, after, drift, towards)
        now = after
    objective = lambda arrays: loss(probe.predict(arrays), y)
    _train(run, probe, arrays, tx, objective, steps)
    return run


def _opened(model: Any) -> Opened:
    """A model taken apart, of whichever library it is."""
    if isinstance(model, eqx.Module):
        return of_equinox.opened(model)
    # Who made a module of Flax has imported it.
    if "flax" in sys.modules:
        from . import of_flax

        if isinstance(model, of_flax.Module):
            return of_flax.opened(model)
    raise InvalidInput(f"model: gave no eqx.Module or nnx.Module, got {shown(model)}")


def _train(
    run: Run, probe: Probe, arrays: Any, tx: Any, objective: Callable[[Any], Any], steps: int
) -> None:
    """Steps on the loss itself; how far outputs of layers move."""
    look = jax.jit(lambda arrays: (probe.seen(arrays), probe.predict(arrays)))
    start, first = look(arrays)
    state, now = tx.init(arrays), arrays
    step_of = jax.jit(jax.value_and_grad(objective))
    for step in range(steps + 1):
        seen, prediction = look(now)
        for name, layer in run.layers.items():
            outputs = zip(*(outputs_of(found, name) for found in (seen, start)), strict=True)
            layer.moved.append(rms([after - before for after, before in outputs]))
        run.prediction.append(rms([prediction]))
        run.change.append(rms([prediction - first]))
        value, gradient = step_of(now)
        run.loss.append(float(value))
        if step < steps:
            now, state = _stepped(tx, state, gradient, now)


def _stepped(tx: Any, state: Any, gradient: Any, arrays: Any) -> tuple[Any, Any]:
    updates, state = tx.update(gradient, state, arrays)
    return eqx.apply_updates(arrays, updates), state


def _values(arrays: Any) -> list[Any]:
    return jax.tree.leaves(arrays)


def _share(before: Any, after: Any) -> float:
    """c of after = (1 - c) before, by least squares."""
    square = float(jnp.sum(before * before))
    return float(jnp.sum((before - after) * before)) / square if square > 0 else 0.0

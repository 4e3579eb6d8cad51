"""Runs of Equinox models, each mapping one example, with optimisers of Optax's kind.

Layers are modules that hold arrays themselves. They are wrapped so that their inputs and outputs have
names in the model's jaxpr, under whatever transformation they are called; `_Named` evaluates that jaxpr
and lets a function see and replace what has a name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import ClosedJaxpr, Literal

from ..checks import require, shown
from .records import PROBES, Layer, Part, Run, degree_between, one_of

Visit = Callable[[str, Any], Any]
_IN, _OUT = "neuronal input ", "neuronal output "


class _Tap(eqx.Module):
    """A module whose input and output have names."""

    inner: Any
    name: str = eqx.field(static=True)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        first = next((i for i, a in enumerate(arguments) if eqx.is_inexact_array(a)), None)
        if first is not None:
            given = checkpoint_name(arguments[first], _IN + self.name)
            arguments = (*arguments[:first], given, *arguments[first + 1 :])
        output = self.inner(*arguments, **options)
        return checkpoint_name(output, _OUT + self.name) if eqx.is_array(output) else output

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)


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
    require(isinstance(model, eqx.Module), f"model: gave no eqx.Module, got {shown(model)}")
    tx = optimiser(model)
    require(
        hasattr(tx, "init") and hasattr(tx, "update"),
        f"optimiser: takes a function from a model to its Optax optimiser, got {shown(tx)}",
    )
    x, y = map(jnp.asarray, batch)
    probe = _Probe(model, x)
    arrays, towards = probe.arrays, jax.random.normal(jax.random.key(0), probe.prediction.shape)
    chosen = jnp.zeros_like(towards).at[one_of(towards.ndim)].set(1)
    towards = towards * chosen / len(x)

    def functional(arrays: Any) -> Any:
        return jnp.sum(towards * probe.predict(arrays))

    zeros = jax.tree.map(jnp.zeros_like, arrays)
    still = _stepped(tx, tx.init(arrays), zeros, arrays)[0]
    drift = {
        name: _share(a, b) for (name, a), b in zip(_leaves(arrays), _values(still), strict=True)
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


class _Probe:
    """A model's jaxpr, its arrays and what has names in it."""

    def __init__(self, model: Any, x: Any):
        self.arrays, static = eqx.partition(model, eqx.is_inexact_array)
        self.x = x
        whole = lambda arrays, x: jax.vmap(_tapped(eqx.combine(arrays, static)))(x)
        self.jaxpr, shape = jax.make_jaxpr(whole, return_shape=True)(self.arrays, x)
        require(
            hasattr(shape, "shape"),
            "model: gives more than one array; take a model of which the prediction is the output",
        )
        self.prediction = shape
        self.sizes, self.order = {}, []
        self._seen(self.arrays)
        require(bool(self.order), "model: has no layer that is called")

    def predict(self, arrays: Any) -> Any:
        """The prediction of the batch."""
        return self.visited(arrays, lambda _, value: value)

    def visited(self, arrays: Any, visit: Visit) -> Any:
        """The prediction, `visit` having seen and replaced what has a name."""
        return _evaluated(self.jaxpr, [*jax.tree.leaves(arrays), self.x], visit)[0]

    def _seen(self, arrays: Any) -> dict[str, Any]:
        """What has a name, by name and number of the call."""
        seen: dict[str, Any] = {}

        def visit(name: str, value: Any) -> Any:
            seen[f"{name}#{sum(key.split('#')[0] == name for key in seen)}"] = value
            return value

        self.visited(arrays, visit)
        if not self.order:
            self.sizes = {key: int(np.size(value)) for key, value in seen.items()}
            outputs = [key.split("#")[0][len(_OUT) :] for key in seen if key.startswith(_OUT)]
            self.order = list(dict.fromkeys(outputs))
        return seen

    def run(self, drift: dict[str, float]) -> Run:
        """Layers and parts, nothing measured."""
        layers = {n: Layer(self._size(_OUT, n), self._size(_IN, n)) for n in self.order}
        parts = {}
        for name, value in _leaves(self.arrays):
            owners = [n for n in self.order if name.startswith(f"{n}.")]
            layer = max(owners, key=len, default=None)
            require(layer is not None, f"model: {name} is of no layer that is called")
            own = name.removeprefix(f"{layer}.")
            parts[f"{layer}.{own}"] = Part(
                str(layer), own, name, np.ndim(value), _rms([value]), shrink=abs(drift[name])
            )
        return Run(layers, parts)

    def _size(self, kind: str, layer: str) -> int:
        return sum(n for key, n in self.sizes.items() if key.startswith(f"{kind}{layer}#"))

    def look(self, run: Run, now: Any, after: Any, drift: dict[str, float], towards: Any) -> None:
        """Write down the passes of a state, and what the step of each part does."""
        seen, down, back = jax.jit(self._passes)(now, towards)
        for name, layer in run.layers.items():
            of = lambda kind, found, name=name: [
                value for key, value in found.items() if key.startswith(f"{kind}{name}#")
            ]
            layer.inputs.append(_rms(of(_IN, seen)))
            layer.outputs.append(_rms(of(_OUT, seen)))
            layer.influence.append(layer.size * _rms(of(_OUT, down)))
            layer.influence_below.append(layer.size_below * _rms(of(_IN, back)))
        run.felt.append(float(jnp.size(towards) * jnp.sqrt(jnp.mean(towards**2))))
        pinned = jax.jit(lambda arrays: self._pinned(arrays, seen, {}))
        before, leaves = pinned(now), jax.tree.leaves(now)
        for i, (part, new) in enumerate(zip(run.parts.values(), _values(after), strict=True)):
            moved = [*leaves[:i], new + drift[part.of] * leaves[i], *leaves[i + 1 :]]
            found = pinned(jax.tree.unflatten(jax.tree.structure(now), moved))
            keys = [key for key in found if key.startswith(f"{_OUT}{part.layer}#")]
            moves = [(found[key] - before[key])[np.asarray(down[key] != 0)] for key in keys]
            part.effects.append(_rms(moves))

    def _passes(self, arrays: Any, towards: Any) -> tuple[dict, dict, dict]:
        """What has a name, the derivatives in outputs, and in inputs through their own layer alone."""
        seen = self._seen(arrays)
        none = {key: jnp.zeros_like(value) for key, value in seen.items() if key.startswith(_OUT)}
        counts: dict[str, int] = {}

        def value(more: dict[str, Any]) -> Any:
            counts.clear()
            visit = _numbered(counts, lambda key, value: value + more.get(key, 0.0))
            return jnp.sum(towards * self.visited(arrays, visit))

        down = jax.grad(value)(none)

        def through(more: dict[str, Any]) -> Any:
            outputs = self._pinned(arrays, seen, more)
            return sum(jnp.sum(down[key] * outputs[key]) for key in down)

        given = {key: jnp.zeros_like(v) for key, v in seen.items() if key.startswith(_IN)}
        return seen, down, jax.grad(through)(given)

    def _pinned(self, arrays: Any, seen: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        """Outputs of layers whose inputs are those seen."""
        outputs: dict[str, Any] = {}

        def visit(key: str, value: Any) -> Any:
            if key.startswith(_IN):
                return seen[key] + more.get(key, 0.0)
            outputs[key] = value
            return value

        self.visited(arrays, _numbered({}, visit))
        return outputs


def _train(
    run: Run, probe: _Probe, arrays: Any, tx: Any, objective: Callable[[Any], Any], steps: int
) -> None:
    """Steps on the loss itself; how far outputs of layers move."""
    look = jax.jit(lambda arrays: (probe._seen(arrays), probe.predict(arrays)))
    start, first = look(arrays)
    state, now = tx.init(arrays), arrays
    step_of = jax.jit(jax.value_and_grad(objective))
    for step in range(steps + 1):
        seen, prediction = look(now)
        for name, layer in run.layers.items():
            keys = [key for key in seen if key.startswith(f"{_OUT}{name}#")]
            layer.moved.append(_rms([seen[key] - start[key] for key in keys]))
        run.prediction.append(_rms([prediction]))
        run.change.append(_rms([prediction - first]))
        value, gradient = step_of(now)
        run.loss.append(float(value))
        if step < steps:
            now, state = _stepped(tx, state, gradient, now)


def _numbered(counts: dict[str, int], visit: Visit) -> Visit:
    """A visit by name and number of the call."""

    def numbered(name: str, value: Any) -> Any:
        number = counts.get(name, 0)
        counts[name] = number + 1
        return visit(f"{name}#{number}", value)

    return numbered


def _stepped(tx: Any, state: Any, gradient: Any, arrays: Any) -> tuple[Any, Any]:
    updates, state = tx.update(gradient, state, arrays)
    return eqx.apply_updates(arrays, updates), state


def _evaluated(jaxpr: ClosedJaxpr, arguments: list[Any], visit: Visit) -> list[Any]:
    """A jaxpr's results, `visit` called with what has a name of ours."""
    known: dict[Any, Any] = dict(zip(jaxpr.jaxpr.constvars, jaxpr.consts, strict=True))
    known |= dict(zip(jaxpr.jaxpr.invars, arguments, strict=True))
    read = lambda v: v.val if isinstance(v, Literal) else known[v]
    for equation in jaxpr.jaxpr.eqns:
        given, name = [read(v) for v in equation.invars], equation.params.get("name", "")
        inner = equation.params.get("jaxpr")
        if equation.primitive.name == "name" and name.startswith((_IN, _OUT)):
            found = [visit(name, given[0])]
        elif isinstance(inner, ClosedJaxpr) and equation.primitive.name in ("jit", "pjit"):
            found = _evaluated(inner, given, visit)
        else:
            bound = equation.primitive.get_bind_params(equation.params)
            # In earlier versions of JAX the functions of a call stand apart.
            functions, parameters = bound if isinstance(bound, tuple) else ((), bound)
            result = equation.primitive.bind(*functions, *given, **parameters)
            found = result if equation.primitive.multiple_results else [result]
        known |= dict(zip(equation.outvars, found, strict=True))
    return [read(v) for v in jaxpr.jaxpr.outvars]


def _tapped(model: Any) -> Any:
    """The model with its layers wrapped."""
    for path in list(_layers(model, ())):
        at = lambda tree, path=path: _reached(tree, path)
        model = eqx.tree_at(at, model, _Tap(_reached(model, path), _in_words(path)))
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


def _in_words(path: tuple[Any, ...]) -> str:
    words = "".join(f".{key}" if isinstance(key, str) else f"[{key}]" for key in path)
    return words.removeprefix(".")


def _leaves(arrays: Any) -> list[tuple[str, Any]]:
    found = jax.tree_util.tree_flatten_with_path(arrays)[0]
    return [(jax.tree_util.keystr(path).removeprefix("."), leaf) for path, leaf in found]


def _values(arrays: Any) -> list[Any]:
    return jax.tree.leaves(arrays)


def _share(before: Any, after: Any) -> float:
    """c of after = (1 - c) before, by least squares."""
    square = float(jnp.sum(before * before))
    return float(jnp.sum((before - after) * before)) / square if square > 0 else 0.0


def _rms(arrays: list[Any]) -> float:
    """Root mean square of arrays together; 0 without any."""
    flat = [np.asarray(a, np.float64).ravel() for a in arrays]
    return float(np.sqrt(np.mean(np.concatenate(flat) ** 2))) if flat else 0.0

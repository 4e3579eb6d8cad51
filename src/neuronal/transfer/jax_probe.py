"""What happens in the layers of a JAX model: passes by name, replaced and pinned.

Inputs and outputs of layers have names in the model's jaxpr, under whatever transformation they are called;
`_evaluated` evaluates that jaxpr and lets a function see and replace what has a name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import ClosedJaxpr, Literal

from ..checks import require
from .records import Layer, Part, Run

Visit = Callable[[str, Any], Any]
_IN, _OUT = "neuronal input ", "neuronal output "


class Opened(NamedTuple):
    """A model taken apart.

    Attributes:
        arrays: its parameters.
        predict: of parameters and inputs the prediction, by layers that name their inputs and outputs.
        names: of the parameters, in the order of their leaves: their layer's, a dot and their own.
    """

    arrays: Any
    predict: Callable[[Any, Any], Any]
    names: list[str]


def named_call(layer: Callable[..., Any], name: str, *arguments: Any, **options: Any) -> Any:
    """What a layer gives, its first array given and its output named."""
    first = next((i for i, a in enumerate(arguments) if _is_inexact(a)), None)
    if first is not None:
        given = checkpoint_name(arguments[first], _IN + name)
        arguments = (*arguments[:first], given, *arguments[first + 1 :])
    output = layer(*arguments, **options)
    return checkpoint_name(output, _OUT + name) if isinstance(output, jax.Array) else output


def in_words(path: tuple[Any, ...]) -> str:
    """A place in a model, as one would write it."""
    words = "".join(f".{key}" if isinstance(key, str) else f"[{key}]" for key in path)
    return words.removeprefix(".")


def _is_inexact(value: Any) -> bool:
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.inexact)


class Probe:
    """A model's jaxpr, its arrays and what has names in it."""

    def __init__(self, opened: Opened, x: Any):
        self.arrays, self.names, self.x = opened.arrays, opened.names, x
        self.jaxpr, shape = jax.make_jaxpr(opened.predict, return_shape=True)(self.arrays, x)
        require(
            hasattr(shape, "shape"),
            "model: gives more than one array; take a model of which the prediction is the output",
        )
        self.prediction = shape
        self.sizes, self.order = {}, []
        self.seen(self.arrays)
        require(bool(self.order), "model: has no layer that is called")

    def predict(self, arrays: Any) -> Any:
        """The prediction of the batch."""
        return self.visited(arrays, lambda _, value: value)

    def visited(self, arrays: Any, visit: Visit) -> Any:
        """The prediction, `visit` having seen and replaced what has a name."""
        return _evaluated(self.jaxpr, [*jax.tree.leaves(arrays), self.x], visit)[0]

    def seen(self, arrays: Any) -> dict[str, Any]:
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
        for name, value in zip(self.names, jax.tree.leaves(self.arrays), strict=True):
            owners = [n for n in self.order if name.startswith(f"{n}.")]
            layer = max(owners, key=len, default=None)
            require(layer is not None, f"model: {name} is of no layer that is called")
            own = name.removeprefix(f"{layer}.")
            parts[f"{layer}.{own}"] = Part(
                str(layer), own, name, np.ndim(value), rms([value]), shrink=abs(drift[name])
            )
        return Run(layers, parts)

    def _size(self, kind: str, layer: str) -> int:
        return sum(_of(kind, self.sizes, layer))

    def look(self, run: Run, now: Any, after: Any, drift: dict[str, float], towards: Any) -> None:
        """Write down the passes of a state, and what the step of each part does."""
        seen, down, back = jax.jit(self._passes)(now, towards)
        for name, layer in run.layers.items():
            layer.inputs.append(rms(_of(_IN, seen, name)))
            layer.outputs.append(rms(_of(_OUT, seen, name)))
            layer.influence.append(layer.size * rms(_of(_OUT, down, name)))
            layer.influence_below.append(layer.size_below * rms(_of(_IN, back, name)))
        run.felt.append(float(jnp.size(towards) * jnp.sqrt(jnp.mean(towards**2))))
        pinned = jax.jit(lambda arrays: self._pinned(arrays, seen, {}))
        before, leaves = pinned(now), jax.tree.leaves(now)
        for i, (part, new) in enumerate(
            zip(run.parts.values(), jax.tree.leaves(after), strict=True)
        ):
            moved = [*leaves[:i], new + drift[part.of] * leaves[i], *leaves[i + 1 :]]
            found = pinned(jax.tree.unflatten(jax.tree.structure(now), moved))
            keys = [key for key in found if key.startswith(f"{_OUT}{part.layer}#")]
            moves = [(found[key] - before[key])[np.asarray(down[key] != 0)] for key in keys]
            part.effects.append(rms(moves))

    def _passes(self, arrays: Any, towards: Any) -> tuple[dict, dict, dict]:
        """What has a name, the derivatives in outputs, and in inputs through their own layer alone."""
        seen = self.seen(arrays)
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


def outputs_of(found: dict[str, Any], layer: str) -> list[Any]:
    """Of all that has names what a layer gives, in all of its calls."""
    return _of(_OUT, found, layer)


def _of(kind: str, found: dict[str, Any], layer: str) -> list[Any]:
    return [value for key, value in found.items() if key.startswith(f"{kind}{layer}#")]


def _numbered(counts: dict[str, int], visit: Visit) -> Visit:
    """A visit by name and number of the call."""

    def numbered(name: str, value: Any) -> Any:
        number = counts.get(name, 0)
        counts[name] = number + 1
        return visit(f"{name}#{number}", value)

    return numbered


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


def rms(arrays: list[Any]) -> float:
    """Root mean square of arrays together; 0 without any."""
    flat = [np.asarray(a, np.float64).ravel() for a in arrays]
    return float(np.sqrt(np.mean(np.concatenate(flat) ** 2))) if flat else 0.0

"""Looks into the passes of a PyTorch model, and at what each parameter's step does to its layer."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .records import Layer, Part, Run, Scores, degree_between
from .tensors import detached, joint, mapped, real, rms, share, softmaxes, values

if TYPE_CHECKING:
    import torch
    from torch import nn

Value = Callable[["nn.Module"], tuple[Any, Any]]
"""From a model to what its step descends, and the model's output."""
NOISE = 0
"""Seed of a model's own noise, such as dropout: the same at every step."""


@dataclass
class _Call:
    """A layer's call: its arguments and output, detached, the derivatives in it, and the output itself."""

    arguments: tuple[Any, ...]
    options: dict[str, Any]
    output: torch.Tensor
    derivatives: list[torch.Tensor] = field(default_factory=list)
    tensor: Any = None

    @property
    def down(self) -> torch.Tensor | None:
        """The derivative in the output: the first that came is that of the pass."""
        return self.derivatives[0] if self.derivatives else None


class TorchProbe:
    """A model under hooks, and its optimiser.

    Attributes:
        run: what has been seen.
    """

    def __init__(self, model: nn.Module, value: Value, optimiser: Callable[[nn.Module], Any]):
        self.model, self.value = model, value
        self.modules = {name or "model": module for name, module in model.named_modules()}
        self.calls: dict[str, list[_Call]] = {}
        self.order: list[str] = []
        self.scores: list[tuple[int, Any, float | None]] = []
        self.on = False
        self.drift, self.degrees = self._tried(optimiser)
        self.stepper = optimiser(model)
        for name, module in self.modules.items():
            if any(True for _ in module.parameters()):
                module.register_forward_hook(self._keep(name), with_kwargs=True)
        self._passes()
        self.run = self._read()

    def step(self) -> None:
        """Write down the passes, take a step and see what it does; then pass again."""
        import torch

        run = self.run
        for name, layer in run.layers.items():
            layer.inputs.append(joint(self._below(name)))
            layer.outputs.append(joint([call.output for call in self.calls[name]]))
            layer.influence.append(_influence(self.calls[name]))
            layer.influence_below.append(layer.size_below * self._pulled(name))
        run.felt.append(_influence(self.calls["model"]))
        for scores, now in zip(run.scores, self._reaches(list(run.layers)), strict=True):
            scores.reach += now.reach
        old = values(self.model)
        self.stepper.step()
        new = values(self.model)
        with torch.no_grad():
            for name in run.layers:
                before = [self._called(name, call, old) for call in self.calls[name]]
                for part in (p for p in run.parts.values() if p.layer == name):
                    full = part.name if name == "model" else f"{name}.{part.name}"
                    moved = new[full] + self.drift[full] * old[full]
                    after = [
                        self._called(name, call, {**old, full: moved}) for call in self.calls[name]
                    ]
                    felt = [call.down for call in self.calls[name]]
                    moves = zip(after, before, felt, strict=True)
                    part.effects.append(
                        joint([(a - b)[d != 0] for a, b, d in moves if d is not None])
                    )
        self._passes()

    def _tried(self, optimiser: Callable[[nn.Module], Any]) -> tuple[dict, dict]:
        """Per parameter the share that a step takes away without gradients, and its step's degree."""
        import torch

        sizes: list[dict[str, float]] = []
        drift: dict[str, float] = {}
        for factor in (0.0, 1.0, 2.0):
            twin = copy.deepcopy(self.model)
            stepper, before = optimiser(twin), values(twin)
            stepper.zero_grad()
            if factor:
                (factor * self.value(twin)[0]).backward()
            else:
                for parameter in filter(lambda p: p.requires_grad, twin.parameters()):
                    parameter.grad = torch.zeros_like(parameter)
            stepper.step()
            after = values(twin)
            if not factor:
                drift = {name: share(before[name], after[name]) for name in before}
            else:
                kept = {name: (1 - drift[name]) * before[name] for name in before}
                sizes.append({name: float((after[name] - kept[name]).norm()) for name in before})
        return drift, {name: degree_between(*(size[name] for size in sizes)) for name in drift}

    def _keep(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, arguments: Any, options: Any, output: Any) -> None:
            found = real(output)
            if not self.on or found is None:
                return
            call = _Call(detached(arguments), detached(options), found.detach().clone())
            if found.requires_grad:
                call.tensor = found
                found.register_hook(partial(_add_first, call.derivatives))
            self.calls.setdefault(name, []).append(call)
            if name not in self.order:
                self.order.append(name)

        return hook

    def _passes(self) -> None:
        """Forward and backward, calls kept."""
        self.calls, self.scores, self.order = {}, [], []
        self.model.zero_grad()
        self.on = True
        with softmaxes(lambda *score: self.scores.append((len(self.order), *score))):
            value, _ = self.value(self.model)
        self.on = False
        value.backward(retain_graph=bool(self.scores))

    def _read(self) -> Run:
        """Layers, parts and softmaxes as the first passes show them."""
        rates = {id(p): g.get("lr", np.nan) for g in self.stepper.param_groups for p in g["params"]}
        parts: dict[str, Part] = {}
        seen: dict[int, str] = {}
        for full, parameter in self.model.named_parameters(remove_duplicate=False):
            of = seen.setdefault(id(parameter), full)
            owner = self._owner(full)
            if not parameter.requires_grad or owner not in self.calls:
                continue
            name = full if owner == "model" else full[len(owner) + 1 :]
            parts[f"{owner}.{name}"] = Part(
                owner, name, of, parameter.ndim, rms(parameter.detach()),
                float(rates.get(id(parameter), np.nan)), abs(self.drift[full]), self.degrees[full],
            )  # fmt: skip
        owners = {part.layer for part in parts.values()}
        layers = {}
        for name in (name for name in self.order if name in owners):
            size = sum(call.output.numel() for call in self.calls[name])
            size_below = sum(0 if b is None else b.numel() for b in self._below(name))
            layers[name] = Layer(size, size_below, name == "model")
        run = Run(layers, parts)
        run.scores = [Scores(s.layers, s.before) for s in self._reaches(list(layers))]
        return run

    def _owner(self, full: str) -> str:
        """The deepest module around a parameter that is called."""
        path = full.split(".")[:-1]
        while path and ".".join(path) not in self.calls:
            path = path[:-1]
        return ".".join(path) or "model"

    def _below(self, name: str) -> list[Any]:
        return [real((call.arguments, call.options)) for call in self.calls[name]]

    def _called(self, name: str, call: _Call, weights: dict[str, Any]) -> Any:
        """The output of a call with other weights."""
        import torch
        from torch.func import functional_call

        torch.manual_seed(NOISE)
        start = "" if name == "model" else f"{name}."
        own = {key[len(start) :]: v for key, v in weights.items() if key.startswith(start)}
        module = self.modules[name]
        return real(functional_call(module, own, call.arguments, call.options, tie_weights=False))

    def _pulled(self, name: str) -> float:
        """Root mean square of the derivative in a layer's input, through the layer alone."""
        import torch

        found: list[Any] = []
        now = values(self.model)
        for call in self.calls[name]:
            given = real((call.arguments, call.options))
            if given is None or call.down is None:
                return 0.0
            leaf = given.clone().requires_grad_(True)

            def swapped(tree: Any, old: Any = given, new: Any = leaf) -> Any:
                return mapped(tree, lambda a: new if a is old else a)

            again = _Call(swapped(call.arguments), swapped(call.options), call.output)
            with torch.enable_grad():
                output = self._called(name, again, now)
                found += torch.autograd.grad(output, leaf, call.down, allow_unused=True)
        return joint(found)

    def _reaches(self, layers: list[str]) -> list[Scores]:
        """Of the softmaxes between layers in the passes made."""
        import torch

        found = []
        for position, score, known in self.scores:
            acted = [name for name in self.order[:position] if name in layers]
            outputs = {name: self.calls[name][-1].tensor for name in acted}
            outputs = {name: output for name, output in outputs.items() if output is not None}
            if not outputs or (known is None and score.grad is None) or len(acted) == len(layers):
                continue
            down = score.grad if known is None else torch.ones_like(score)
            through = _through(score, outputs, down)
            reach = known
            if reach is None:
                own = score.numel() * rms(down)
                squares = [(d.numel() * rms(d)) ** 2 for d in through.values()]
                reach = float(np.sqrt(sum(squares))) / own if own else 0.0
            found.append(Scores(tuple(through), len(acted), [reach]))
        return found


def _through(end: Any, outputs: dict[str, Any], down: Any) -> dict[str, Any]:
    """The gradient in outputs that come to an end by no other one."""
    import torch

    def pulled(of: Any, along: Any, names: list[str]) -> dict[str, Any]:
        tensors = [outputs[name] for name in names]
        how = {"retain_graph": True, "allow_unused": True}
        found = torch.autograd.grad(of, tensors, along, **how) if tensors else ()
        return {n: g for n, g in zip(names, found, strict=True) if g is not None}

    felt = pulled(end, down, list(outputs))
    names = list(felt)
    for i, name in reversed(list(enumerate(names))):
        if name in felt:
            above = pulled(outputs[name], torch.ones_like(outputs[name]), names[:i])
            felt = {n: g for n, g in felt.items() if n not in above}
    return felt


def _add_first(derivatives: list[torch.Tensor], derivative: torch.Tensor) -> None:
    """A hook, which is kept with the tensor: one that knew the tensor too would never be freed."""
    if not derivatives:
        derivatives.append(derivative.detach().clone())


def _influence(calls: list[_Call]) -> float:
    return sum(call.output.numel() for call in calls) * joint([call.down for call in calls])

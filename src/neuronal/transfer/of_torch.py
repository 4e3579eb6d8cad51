"""Runs of PyTorch's models: a few probing steps, then a few of training."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..checks import require, shown
from .records import PROBES, Run, one_of
from .tensors import joint, real, rms
from .torch_probe import NOISE, TorchProbe

if TYPE_CHECKING:
    import torch
    from torch import nn


def run_of(
    build: Callable[[int], nn.Module],
    batch: tuple[Any, Any],
    loss: Callable[[Any, Any], torch.Tensor],
    optimiser: Callable[[nn.Module], torch.optim.Optimizer],
    width: int,
    seed: int,
    steps: int,
) -> Run:
    """A run of one width.

    Raises:
        InvalidInput: functions that give something else than they should.
    """
    import torch
    from torch import nn

    def predicted(model: nn.Module) -> Any:
        torch.manual_seed(NOISE)
        x = batch[0]
        return model(**x) if isinstance(x, dict) else model(*(x if isinstance(x, tuple) else (x,)))

    def functional(model: nn.Module) -> tuple[Any, Any]:
        output = real(predicted(model))
        require(output is not None, "model: its output holds no tensor of real numbers")
        towards = torch.randn(output.shape, generator=torch.Generator().manual_seed(NOISE))
        chosen = torch.zeros_like(towards)
        chosen[one_of(towards.ndim)] = 1
        towards = towards * chosen
        return (output * towards.to(output)).sum(-1).mean(), output

    def stepper(model: nn.Module) -> Any:
        given = optimiser(model)
        fits = all(hasattr(given, name) for name in ("step", "zero_grad", "param_groups"))
        takes = "takes a function from a model to its optimiser"
        require(fits, f"optimiser: {takes}, got {shown(given)}")
        return given

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(width)
        require(isinstance(model, nn.Module), f"model: gave no nn.Module, got {shown(model)}")
        probe = TorchProbe(copy.deepcopy(model), functional, stepper)
        for _ in range(PROBES):
            probe.step()
        _train(probe.run, model, predicted, lambda output: loss(output, batch[1]), stepper, steps)
    return probe.run


def _train(
    run: Run,
    model: nn.Module,
    predicted: Callable[[nn.Module], Any],
    loss: Callable[[Any], Any],
    optimiser: Callable[[nn.Module], Any],
    steps: int,
) -> None:
    """Steps on the loss itself; how far outputs of layers move."""
    import torch

    stepper = optimiser(model)  # before hooks, which it may refuse
    outputs: dict[str, list[Any]] = {name: [] for name in run.layers}
    modules = {name or "model": module for name, module in model.named_modules()}
    for name in run.layers:
        modules[name].register_forward_hook(
            lambda _m, _a, output, name=name: outputs[name].append(real(output).detach().clone())
        )
    start: dict[str, list[Any]] = {}
    first: Any = None
    for step in range(steps + 1):
        for kept in outputs.values():
            kept.clear()
        output = predicted(model)
        value, seen = loss(output), real(output).detach().clone()
        fits = isinstance(value, torch.Tensor) and value.ndim == 0
        takes = "takes a function of prediction and target to one number"
        require(fits, f"loss: {takes}, got {shown(value)}")
        if step == 0:
            start, first = {name: list(kept) for name, kept in outputs.items()}, seen
        for name, layer in run.layers.items():
            pairs = zip(outputs[name], start[name], strict=True)
            layer.moved.append(joint([now - then for now, then in pairs]))
        run.prediction.append(rms(seen))
        run.change.append(rms(seen - first))
        run.loss.append(float(value.detach()))
        if step < steps:
            stepper.zero_grad()
            value.backward()
            stepper.step()

"""PyTorch models that are networks: `nn.Sequential` of `nn.Linear` layers and activations."""

# Where PyTorch is not installed, pyright takes the module torch beside this one for it.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .. import activations
from ..activations import Activation
from ..checks import require, several
from ..errors import InvalidInput
from .extras import extra

with extra("torch"):
    import torch  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]
    from torch.nn.utils import parametrize  # pyright: ignore[reportMissingImports]

_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
"""Of a module; weight_norm, spectral_norm and pruning of old add them."""


class Erf(nn.Module):
    """The error function, element by element."""

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return torch.erf(h)


class Sin(nn.Module):
    """The sine, element by element."""

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return torch.sin(h)


class Square(nn.Module):
    """h^2, which torch has as a function alone."""

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return torch.square(h)


class Weighted(nn.Sequential):
    """A network of other measures than 1/n: it predicts, but `parameter_groups` refuses it."""


MODULES: dict[Activation, type[nn.Module]] = {
    activations.tanh: nn.Tanh,
    activations.erf: Erf,
    activations.sigmoid: nn.Sigmoid,
    activations.softsign: nn.Softsign,
    activations.sin: Sin,
    activations.relu: nn.ReLU,
    activations.softplus: nn.Softplus,
    activations.square: Square,
    activations.gelu: nn.GELU,
    activations.silu: nn.SiLU,
    activations.identity: nn.Identity,
}
"""The module of each activation, for both directions; one of your own may be added."""


_SETTINGS = {"approximate": "none", "beta": 1}
"""Of GELU and Softplus, as activations of the package have them."""


class Layer(NamedTuple):
    """A linear layer of a model.

    Attributes:
        name: of its module.
        weight, bias: its parameters.
        activation: what follows it.
    """

    name: str
    weight: torch.Tensor
    bias: torch.Tensor | None
    activation: Activation


def read(
    model: nn.Module, layers: Sequence[str] | None = None, inner_biases: bool = False
) -> list[Layer]:
    """The layers of a model.

    Args:
        layers: names of the linear layers of a module that is no `nn.Sequential`, in the order in which they
            act; what is between them, and before, is then taken for activations, and not read.
        inner_biases: whether layers after the first may have a bias, which no `Network` has.

    Raises:
        InvalidInput: a module that is no linear layer or activation, stands where it cannot, or
            is more than its class, named; parameters that none of the layers named has.
    """
    if layers is not None:
        return _named(model, layers, inner_biases)
    require(
        isinstance(model, nn.Sequential),
        f"model: takes an nn.Sequential, or names of its layers, got {type(model)}",
    )
    for name, module in model.named_modules(prefix="model"):
        require(
            not isinstance(module, nn.Sequential) or type(module).forward is nn.Sequential.forward,
            f"{name} ({type(module).__name__}): has a forward of its own",
        )
        _check_plain(f"{name} ({type(module).__name__})", module)
    known = {module: activation for activation, module in MODULES.items()}
    found: list[Layer] = []
    for name, module in _leaves(model, "model"):
        label = f"{name} ({type(module).__name__})"
        if type(module) is nn.Linear:
            _check_linear(label, module, found, inner_biases)
            found.append(Layer(label, module.weight, module.bias, activations.identity))
        elif type(module) is nn.Identity:
            continue
        elif type(module) in known:
            require(bool(found), f"{label}: stands before the first nn.Linear")
            require(
                found[-1].activation == activations.identity,
                f"{label}: a second activation in a row",
            )
            for setting, value in _SETTINGS.items():
                given = getattr(module, setting, value)
                require(given == value, f"{label}: takes {setting}={value!r}, got {given!r}")
            found[-1] = found[-1]._replace(activation=known[type(module)])
        else:
            names = ", ".join(sorted(kind.__name__ for kind in known))
            raise InvalidInput(f"{label}: takes Linear, {names} and Sequential of them")
    require(len(found) >= 2, f"model: takes 2 nn.Linear or more, got {len(found)}")
    return found


def _named(model: nn.Module, layers: Sequence[str], inner_biases: bool) -> list[Layer]:
    require(isinstance(model, nn.Module), f"model: takes an nn.Module, got {type(model)}")
    names = several("layers", layers, "names of linear layers")
    modules = dict(model.named_modules())
    found: list[Layer] = []
    for name in names:
        module = modules.get(name)
        if not isinstance(module, nn.Linear) or type(module) is not nn.Linear:
            raise InvalidInput(
                f"layers: {name!r} is no nn.Linear of the model, but {type(module).__name__}"
            )
        label = f"{name} (Linear)"
        _check_plain(label, module)
        _check_linear(label, module, found, inner_biases)
        found.append(Layer(label, module.weight, module.bias, activations.identity))
    require(len(found) >= 2, f"layers: takes 2 names or more, got {len(found)}")
    theirs = {id(p) for layer in found for p in (layer.weight, layer.bias)}
    others = [name for name, p in model.named_parameters() if id(p) not in theirs]
    require(
        not others,
        f"layers: of none is {', '.join(others)}; mean-field rates are known of linear layers alone",
    )
    return found


def _check_plain(label: str, module: nn.Module) -> None:
    """Raise `InvalidInput` for a module that computes something else than its class does."""
    require("forward" not in vars(module), f"{label}: has a forward of its own")
    for kind in _HOOKS:
        hooks = getattr(module, kind)
        names = ", ".join(
            getattr(hook, "__qualname__", type(hook).__name__) for hook in hooks.values()
        )
        require(
            not hooks,
            f"{label}: has {kind.strip('_').replace('_', ' ')} ({names}), which change what it "
            "computes; remove them (remove_weight_norm, remove_spectral_norm and prune.remove of "
            "torch.nn.utils do so and keep the weights in effect)",
        )
    require(
        not parametrize.is_parametrized(module),
        f"{label}: is parametrized; torch.nn.utils.parametrize.remove_parametrizations keeps the "
        "weights in effect",
    )
    for name in ("weight", "bias") if isinstance(module, nn.Linear) else ():
        value = getattr(module, name, None)
        require(
            value is None or isinstance(value, nn.Parameter),
            f"{label}: its {name} is no nn.Parameter but computed from others",
        )


def _check_linear(
    label: str, module: nn.Linear, before: Sequence[Layer], inner_biases: bool
) -> None:
    if not before:
        return
    require(
        inner_biases or module.bias is None,
        f"{label}: has a bias; mean-field layers have one in the first alone, take bias=False",
    )
    outputs = len(before[-1].weight)
    require(
        module.weight.shape[1] == outputs,
        f"{label}: takes {module.weight.shape[1]} inputs, {before[-1].name} gives {outputs}",
    )
    for layer in before:
        require(module.weight is not layer.weight, f"{label}: shares its weight with {layer.name}")


def _leaves(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    """Modules in the order in which they act, those of inner `nn.Sequential` too."""
    for child, inner in module._modules.items():
        if isinstance(inner, nn.Sequential):
            yield from _leaves(inner, f"{name}.{child}")
        elif inner is not None:
            yield f"{name}.{child}", inner

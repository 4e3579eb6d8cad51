r"""Bridge to PyTorch: ordinary `nn.Sequential` models of `nn.Linear` layers and activations.

The averages over neurons are in the weights (`neuronal.interop.scaling`), so that `torch.optim.SGD`
on `parameter_groups` takes the steps of `neuronal.train`, if its loss is $\mathcal{L}$ averaged over
the batch and *summed* over outputs. `nn.CrossEntropyLoss()` is. `nn.MSELoss()` is $2/k$ times
`losses.Squared`, with k outputs: multiply it by $k/2$.
"""

# Where PyTorch is not installed, pyright takes the module torch beside this one for it.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, PRNGKeyArray

from .. import activations, quadrature
from ..checks import finite, positive, require
from ..distributions import with_bias
from ..embeddings import Bidirectional
from ..errors import InvalidInput
from ..motion.strengths import strengths
from ..network import Network
from ..schedules import Constant, Schedules, constant_value, per_layer
from .extras import extra
from .scaling import Affine, affine_layers, is_uniform, kernels, rate_factors
from .sequential import MODULES, Weighted, read

with extra("torch"):
    import torch  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]


def to_torch(network: Network, bias: bool = False) -> nn.Sequential:
    """A network as a model that predicts the same; a `Weighted` one if its measures are not 1/n.

    Args:
        network: of any measures; factored weights are multiplied out.
        bias: whether the network's inputs are `(x, 1)`: the model then takes `x`, and its first
            layer has a bias in place of the constant coordinate.

    Returns:
        an `nn.Sequential` of `nn.Linear` and activations, on the CPU, of the network's dtype.

    Raises:
        InvalidInput: an activation that `MODULES` does not know; weights too large.

    !!! example
        ```python
        >>> import jax, neuronal as nr, numpy as np, torch
        >>> from neuronal.interop.torch import to_torch
        >>> network = nr.embeddings.Bidirectional(2, 2).sample(64, jax.random.key(0))
        >>> x = np.linspace(-1, 1, 10, dtype=np.float32).reshape(5, 2)
        >>> with torch.no_grad():
        ...     prediction = to_torch(network)(torch.tensor(x)).numpy()
        >>> bool(np.allclose(prediction, network(x), atol=1e-6))
        True

        ```
    """
    modules: list[nn.Module] = []
    for layer, activation in zip(affine_layers(network, bias), network.activations, strict=True):
        require(
            activation in MODULES,
            f"activations: {activation} has no module; add it to neuronal.interop.sequential.MODULES",
        )
        modules.append(_linear(layer))
        if activation != activations.identity:
            modules.append(MODULES[activation]())
    return nn.Sequential(*modules) if is_uniform(network) else Weighted(*modules)


def from_torch(model: nn.Sequential) -> Network:
    """The network that a model of `nn.Linear` layers and activations computes.

    Its measures are 1/n. If the first layer has a bias, the network takes inputs `(x, 1)`. Weights
    in float64 stay so under `jax.enable_x64`.

    Raises:
        InvalidInput: a module that is none of these, stands where it cannot, or has hooks, an
            old-style norm or pruning, named.
    """
    layers = read(model)
    affine = [
        Affine(_numpy(layer.weight), None if layer.bias is None else _numpy(layer.bias))
        for layer in layers
    ]
    return Network(kernels(affine), [layer.activation for layer in layers])


def bidirectional_(
    model: nn.Sequential,
    key: PRNGKeyArray | int,
    inputs: ArrayLike | torch.Tensor | None = None,
    rank: int = 16,
    gain: str | float | Sequence[float] = "critical",
    input_scale: float | None = None,
    spread: float = 0.5,
) -> nn.Sequential:
    """Initialise a model in place by a network of `embeddings.Bidirectional`.

    Depth, widths, activations and whether inputs get a constant coordinate (a bias of the first
    layer) are read from the model.

    Args:
        model: of `nn.Linear` layers with one activation between them; the last may have another.
        key: of the neurons; a wider model with the same key has the same first neurons.
        inputs: `(m, d)`, as the model takes them, on which the critical gain measures spread;
            standard normal ones if left out.
        rank, gain, input_scale, spread: as `embeddings.Bidirectional` takes them.

    Returns:
        the model.

    Raises:
        InvalidInput: a module that does not fit, named; what the embedding does not take.

    !!! example
        ```python
        >>> from torch import nn
        >>> from neuronal.interop.torch import bidirectional_
        >>> model = nn.Sequential(
        ...     nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 32, bias=False), nn.Tanh(),
        ...     nn.Linear(32, 1, bias=False),
        ... )
        >>> _ = bidirectional_(model, key=0)

        ```
    """
    layers = read(model)
    *hidden, last = layers
    for layer in hidden:
        require(
            layer.activation == hidden[0].activation,
            f"{layer.name}: followed by {layer.activation}, the first layer by "
            f"{hidden[0].activation}; the embedding takes one activation for all hidden layers",
        )
    bias, dim = layers[0].bias is not None, layers[0].weight.shape[1]
    x = None if inputs is None else _inputs(inputs)
    if bias and x is None:
        x = quadrature.gaussian("sobol", 256, dim, jax.random.key(0))[0]
    if x is not None:
        require(x.ndim == 2 and x.shape[1] == dim, f"inputs: takes shape (m, {dim}), got {x.shape}")
    embedding = Bidirectional(
        input_dim=dim + bias,
        depth=len(layers),
        output_dim=len(last.weight),
        activation=hidden[0].activation,
        rank=rank,
        gain=gain,
        input_scale=input_scale,
        spread=spread,
        inputs=with_bias(x) if bias and x is not None else x,
        last_activation=last.activation,
    )
    network = embedding.sample([len(layer.weight) for layer in hidden], key)
    with torch.no_grad():
        for layer, new in zip(layers, affine_layers(network, bias), strict=True):
            layer.weight.copy_(torch.tensor(new.weight))
            if layer.bias is not None:
                layer.bias.copy_(torch.tensor(new.bias))
    return model


class Groups(list[dict[str, Any]]):
    r"""Parameter groups for `torch.optim.SGD`, one per layer.

    Attributes:
        lr_lambdas: for `torch.optim.lr_scheduler.LambdaLR`, whose `step` then follows each step of
            the optimiser: $k \mapsto \xi_i(k\epsilon)$ a layer; 1 where $\xi_i$ is constant, since the
            group's own rate holds it.
    """

    lr_lambdas: list[Callable[[int], float]]


def parameter_groups(
    model: nn.Sequential,
    learning_rate: float,
    schedules: Schedules = None,
    decay: float | Sequence[float] = 0.0,
) -> Groups:
    r"""Groups for `torch.optim.SGD`, one per layer, whose steps are those of `neuronal.train`.

    The rate of a layer is $\epsilon\,\xi_i(0)$ times its factor of width; schedules that change
    need `LambdaLR` besides. Momentum is linear in the gradients and keeps its meaning; Adam
    divides by their size, and with it these rates mean nothing.

    Args:
        model: of `nn.Linear` layers and activations; a bias in the first layer only.
        learning_rate: $\epsilon$, the MF time of a step.
        schedules: $\xi_i$: one callable of MF time for all layers, or one per layer; 1 if left out.
        decay: $\lambda_i$ of `Problem`, one number or one per layer: each group has the
            `weight_decay` $\lambda_i$ over its factor of width. Other than a PyTorch rate of its
            own it then belongs to no width.

    Raises:
        InvalidInput: a module that does not fit, named; a `Weighted` model; a rate that is not
            positive; schedules or decays that are not one per layer; a decay that is no number.

    !!! example
        ```python
        >>> import jax, neuronal as nr, torch
        >>> from neuronal.interop.torch import parameter_groups, to_torch
        >>> network = nr.embeddings.Bidirectional(2, 2).sample(64, jax.random.key(0))
        >>> groups = parameter_groups(to_torch(network), 0.5, nr.schedules.warmup(1.0))
        >>> optimiser = torch.optim.SGD(groups)
        >>> scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, groups.lr_lambdas)
        >>> optimiser.step(), scheduler.step()
        (None, None)
        >>> scheduler.get_last_lr()  # eps xi(eps) = 0.25, times 64 and over 64
        [16.0, 0.00390625]

        ```
    """
    layers = read(model)
    require(
        not any(isinstance(module, Weighted) for module in model.modules()),
        "model: of a network with other measures than 1/n, which takes a rate a neuron; train it "
        "by neuronal.train, or in your own loop by neuronal.interop.optax",
    )
    eps = positive("learning_rate", learning_rate)
    factors = rate_factors([len(layer.weight) for layer in layers[:-1]])
    groups = Groups()
    groups.lr_lambdas = []
    given = strengths("decay", decay)
    decays = (
        (Constant(0.0),) * len(layers) if given is None else per_layer(given, len(layers), "decay")
    )
    rates = per_layer(schedules, len(layers))
    for layer, factor, xi, strength in zip(layers, factors, rates, decays, strict=True):
        strength_value, value = constant_value(strength), constant_value(xi)
        if strength_value is None:
            raise InvalidInput(
                "decay: takes numbers, since weight_decay of torch.optim.SGD does not change in time"
            )
        group: dict[str, Any] = {"params": [p for p in (layer.weight, layer.bias) if p is not None]}
        if value is not None:
            group["lr"] = eps * factor * value
            of_step = _one
        else:
            of_step = _of_step(xi, eps)
            group["lr"] = eps * factor * of_step(0)
            group["initial_lr"] = eps * factor  # what LambdaLR multiplies, where it is given
        if given is not None:
            group["weight_decay"] = strength_value / factor
        groups.append(group)
        groups.lr_lambdas.append(of_step)
    return groups


def _one(k: int) -> float:
    return 1.0


def _of_step(xi: Callable[[Any], Any], eps: float) -> Callable[[int], float]:
    return lambda k: float(xi(jnp.asarray(k * eps, float)))


def _inputs(inputs: ArrayLike | torch.Tensor) -> Any:
    """Of a tensor, an array or a data frame: finite numbers of two dimensions."""
    given = _numpy(inputs) if isinstance(inputs, torch.Tensor) else np.asarray(inputs)
    return finite("inputs", given, 2).astype(float)


def _linear(layer: Affine) -> nn.Linear:
    (outputs, inputs), bias = layer.weight.shape, layer.bias
    # On "meta" nothing is drawn from PyTorch's random numbers.
    linear = nn.Linear(inputs, outputs, bias is not None, device="meta")
    linear.weight = nn.Parameter(torch.tensor(layer.weight))
    if bias is not None:
        linear.bias = nn.Parameter(torch.tensor(bias))
    return linear


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.dtype != torch.float64:  # NumPy has no bfloat16
        tensor = tensor.to(torch.float32)
    return tensor.numpy()

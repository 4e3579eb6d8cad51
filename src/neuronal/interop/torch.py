r"""Bridge to PyTorch: ordinary `nn.Sequential` models of `nn.Linear` layers and activations.

The averages over neurons are in the weights (`neuronal.interop.scaling`), so that `torch.optim.SGD`
on `parameter_groups` (`neuronal.interop.groups`) takes the steps of `neuronal.train`, if its loss is
$\mathcal{L}$ averaged over the batch and *summed* over outputs. `nn.CrossEntropyLoss()` is. `nn.MSELoss()`
is $2/k$ times `losses.Squared`, with k outputs: multiply it by $k/2$.
"""

# Where PyTorch is not installed, pyright takes the module torch beside this one for it.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import ArrayLike, PRNGKeyArray

from .. import activations, quadrature
from ..activations import Activation
from ..checks import finite, require
from ..distributions import with_bias
from ..embeddings import Bidirectional
from ..network import Network
from .extras import extra
from .groups import Groups, adam_groups, parameter_groups
from .scaling import Affine, affine_layers, is_uniform, kernels
from .sequential import MODULES, Weighted, read

with extra("torch"):
    import torch  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]

__all__ = ["Groups", "adam_groups", "bidirectional_", "from_torch", "parameter_groups", "to_torch"]


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
    model: nn.Module,
    key: PRNGKeyArray | int,
    inputs: ArrayLike | torch.Tensor | None = None,
    rank: int = 16,
    gain: str | float | Sequence[float] = "critical",
    input_scale: float | None = None,
    spread: float | None = None,
    layers: Sequence[str] | None = None,
    activation: str | Activation | None = None,
) -> nn.Module:
    """Initialise a model in place by a network of `embeddings.Bidirectional`.

    Depth, widths, activations and whether inputs get a constant coordinate (a bias of the first
    layer) are read from the model. Biases of other layers start at 0.

    Args:
        model: an `nn.Sequential` of `nn.Linear` layers with one activation between them, of which the last
            may have another; or any module, with `layers` and `activation`.
        key: of the neurons; a wider model with the same key has the same first neurons.
        inputs: `(m, d)`, as the model takes them, on which the critical gain measures spread;
            standard normal ones if left out.
        rank, gain, input_scale, spread: as `embeddings.Bidirectional` takes them.
        layers: names of the linear layers, in the order in which they act, of a module of your own.
        activation: between them.

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
    found = read(model, layers, inner_biases=True)
    require(
        (layers is None) == (activation is None),
        "activation: goes with layers, of a module that does not say itself what is between them",
    )
    if activation is not None:
        found = [layer._replace(activation=activations.get(activation)) for layer in found]
        found[-1] = found[-1]._replace(activation=activations.identity)
    *hidden, last = found
    for layer in hidden:
        require(
            layer.activation == hidden[0].activation,
            f"{layer.name}: followed by {layer.activation}, the first layer by "
            f"{hidden[0].activation}; the embedding takes one activation for all hidden layers",
        )
    bias, dim = found[0].bias is not None, found[0].weight.shape[1]
    x = None if inputs is None else _inputs(inputs)
    if bias and x is None:
        x = quadrature.gaussian("sobol", 256, dim, jax.random.key(0))[0]
    if x is not None:
        require(x.ndim == 2 and x.shape[1] == dim, f"inputs: takes shape (m, {dim}), got {x.shape}")
    embedding = Bidirectional(
        input_dim=dim + bias,
        depth=len(found),
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
        for layer, new in zip(found, affine_layers(network, bias), strict=True):
            layer.weight.copy_(torch.tensor(new.weight))
            if layer.bias is not None:
                given = torch.zeros_like(layer.bias) if new.bias is None else torch.tensor(new.bias)
                layer.bias.copy_(given)
    return model


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

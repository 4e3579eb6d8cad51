r"""Learning rates of PyTorch's layers in mean-field scaling: for SGD, and for Adam.

**SGD.** The rate of a weight is $\epsilon\,\xi_i$ times its factor of `neuronal.interop.scaling`. A bias
$b_i(c)$ of an inner layer, which the paper's layers do not have, moves by
$\partial_t b_i = -\xi_i\,\mathbb{E}_Z[\Delta^H_i]$; its gradient is $\Delta^H_i / n_i$, so that its rate
is $\epsilon\,\xi_i\,n_i$, and 1 of the last layer.

**Adam.** It divides a gradient by its size, element by element, so that the step of a parameter has the
size of its rate. In mean-field terms, with $\hat m$ and $\hat v$ of the moving averages of $\Delta^w_i$,

$$w_i \leftarrow w_i - \epsilon\,\xi_i\,\frac{\hat m}{\sqrt{\hat v} + \eta}.$$

Each pair of neurons has its own averages and sees the others through $H$ and $\Delta^H$ alone, as in
equation (1): with averages over neurons in place of sums the system has a limit as the widths grow, for a
given number of steps. With $W_1 = w_1$ and $W_i = w_i^\top / n_{i-1}$ the rates are

$$\epsilon\,\xi_1, \qquad \epsilon\,\xi_i / n_{i-1} \quad (i \ge 2), \qquad \epsilon\,\xi_i \text{ for
biases},$$

and since the gradient of $W_i$ is $\Delta^w_i / n_i$, of $W_L$ $\Delta^w_L$ itself, $\eta$ goes over $n_i$
too. This is as far as it goes: as $\epsilon$ falls the limit is no gradient flow and depends on the batch,
which the moving averages see one by one; no theorem on global convergence is known of it.
"""

# Where PyTorch is not installed, pyright takes the module torch beside this one for it.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from ..checks import positive, require
from ..errors import InvalidInput
from ..motion.strengths import strengths
from ..schedules import Constant, Schedules, constant_value, per_layer
from .extras import extra
from .scaling import rate_factors
from .sequential import Layer, Weighted, read

with extra("torch"):
    from torch import nn  # pyright: ignore[reportMissingImports]


class Groups(list[dict[str, Any]]):
    r"""Parameter groups of a PyTorch optimiser: one per layer, and one per bias of an inner layer.

    Attributes:
        lr_lambdas: for `torch.optim.lr_scheduler.LambdaLR`, whose `step` then follows each step of
            the optimiser: $k \mapsto \xi_i(k\epsilon)$ a layer; 1 where $\xi_i$ is constant, since the
            group's own rate holds it.
    """

    lr_lambdas: list[Callable[[int], float]]


def parameter_groups(
    model: nn.Module,
    learning_rate: float,
    schedules: Schedules = None,
    decay: float | Sequence[float] = 0.0,
    layers: Sequence[str] | None = None,
) -> Groups:
    r"""Groups for `torch.optim.SGD`, one per layer, whose steps are those of `neuronal.train`.

    The rate of a layer is $\epsilon\,\xi_i(0)$ times its factor of width; schedules that change
    need `LambdaLR` besides. Momentum is linear in the gradients and keeps its meaning; Adam
    divides by their size: `adam_groups`.

    Args:
        model: an `nn.Sequential` of `nn.Linear` layers and activations; or any module, with `layers`.
        learning_rate: $\epsilon$, the MF time of a step.
        schedules: $\xi_i$: one callable of MF time for all layers, or one per layer; 1 if left out.
        decay: $\lambda_i$ of `Problem`, one number or one per layer: each group has the
            `weight_decay` $\lambda_i$ over its factor of width. Other than a PyTorch rate of its
            own it then belongs to no width.
        layers: names of the linear layers, in the order in which they act, of a module of your own.

    Raises:
        InvalidInput: a module that does not fit, named; a `Weighted` model; a rate that is not
            positive; schedules or decays that are not one per layer; a decay that is no number;
            parameters that none of the layers named has.

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
    found = _layers(model, layers)
    widths = [float(len(layer.weight)) for layer in found]
    factors = rate_factors([len(layer.weight) for layer in found[:-1]])
    of_biases = [*widths[:-1], 1.0]
    return _groups(found, factors, of_biases, learning_rate, schedules, decay)


def adam_groups(
    model: nn.Module,
    learning_rate: float,
    schedules: Schedules = None,
    decay: float | Sequence[float] = 0.0,
    layers: Sequence[str] | None = None,
    eps: float = 1e-8,
) -> Groups:
    r"""Groups for `torch.optim.Adam` and `AdamW` whose steps have a limit as the widths grow.

    The rates are at the top of `neuronal.interop.groups`, with what is known of the limit.

    Args:
        model, schedules, layers: as `parameter_groups` takes them; time in schedules is $k\epsilon$.
        learning_rate: $\epsilon$, by which a weight $w_i$ moves in a step.
        decay: $\lambda_i$, for `AdamW`, whose step then takes the share $\epsilon\,\xi_i\,\lambda_i$ of a
            weight away, at every width. In `Adam` it would go into the gradient.
        eps: $\eta$, in the units of $\Delta^w_i$.

    Raises:
        InvalidInput: as `parameter_groups`; `eps` that is not positive.

    !!! example
        ```python
        >>> import torch
        >>> from torch import nn
        >>> from neuronal.interop.torch import adam_groups
        >>> model = nn.Sequential(nn.Linear(2, 64), nn.GELU(), nn.Linear(64, 1, bias=False))
        >>> optimiser = torch.optim.AdamW(adam_groups(model, 0.128))
        >>> [group["lr"] for group in optimiser.param_groups]
        [0.128, 0.002]

        ```
    """
    found = _layers(model, layers)
    least = positive("eps", eps)
    factors = [1.0, *(1 / layer.weight.shape[1] for layer in found[1:])]
    epsilons = [{"eps": least / len(layer.weight)} for layer in found[:-1]] + [{"eps": least}]
    biases = [1.0] * len(found)
    return _groups(found, factors, biases, learning_rate, schedules, decay, epsilons)


def _layers(model: nn.Module, layers: Sequence[str] | None) -> list[Layer]:
    found = read(model, layers, inner_biases=True)
    require(
        not any(isinstance(module, Weighted) for module in model.modules()),
        "model: of a network with other measures than 1/n, which takes a rate a neuron; train it "
        "by neuronal.train, or in your own loop by neuronal.interop.optax",
    )
    return found


def _groups(
    layers: list[Layer],
    factors: Sequence[float],
    of_biases: Sequence[float],
    learning_rate: float,
    schedules: Schedules,
    decay: float | Sequence[float],
    more: Sequence[dict[str, float]] | None = None,
) -> Groups:
    """A group per layer, the first layer's with its bias, and per other bias, in the layers' order."""
    eps = positive("learning_rate", learning_rate)
    groups = Groups()
    groups.lr_lambdas = []
    given = strengths("decay", decay)
    decays = (
        (Constant(0.0),) * len(layers) if given is None else per_layer(given, len(layers), "decay")
    )
    rates = per_layer(schedules, len(layers))

    def add(parameters: list[Any], factor: float, xi: Any, strength: Any, i: int) -> None:
        strength_value, value = constant_value(strength), constant_value(xi)
        if strength_value is None:
            raise InvalidInput(
                "decay: takes numbers, since weight_decay of torch.optim.SGD does not change in time"
            )
        group: dict[str, Any] = {"params": parameters, **(more[i] if more else {})}
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

    for i, (layer, xi, strength) in enumerate(zip(layers, rates, decays, strict=True)):
        own = [layer.weight] if i or layer.bias is None else [layer.weight, layer.bias]
        add(own, factors[i], xi, strength, i)
        if i and layer.bias is not None:
            add([layer.bias], of_biases[i], xi, strength, i)
    return groups


def _one(k: int) -> float:
    return 1.0


def _of_step(xi: Callable[[Any], Any], eps: float) -> Callable[[int], float]:
    return lambda k: float(xi(jnp.asarray(k * eps, float)))

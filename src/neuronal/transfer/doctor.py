"""`nr.transfer.check`: does one rate serve all widths of this model, and if not, which layer is at fault?"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..checks import positive, require, several, shown, whole
from ..distributions import Empirical
from ..embeddings import AbstractEmbedding
from ..errors import InvalidInput
from ..losses import Loss
from ..problem import Problem
from .checkup import Check
from .exponents import collected
from .faults import found
from .local import Local
from .records import Run

if TYPE_CHECKING:
    from ..theory.fluctuations import Fluctuations

WIDTHS = (64, 128, 256, 512)


def check(
    model: Callable[..., Any] | AbstractEmbedding,
    batch: tuple[Any, Any] | Problem,
    loss: Callable[[Any, Any], Any] | Loss | None,
    optimiser: Callable[[Any], Any] | float,
    *,
    widths: Sequence[int] = WIDTHS,
    steps: int = 4,
    seeds: int = 4,
    law: Fluctuations | None = None,
) -> Check:
    r"""Does one learning rate serve all widths of a model? If not, which layer is at fault?

    Models of a few widths take a few steps. Each layer's size at the start, its gain, the loss's
    dependence on it, what each parameter's own step does to it and what decay takes away go with powers of
    the width; a rate transfers where these are those of a limit that learns features. What must hold, per
    layer, and whence it is known, is at the top of `neuronal.transfer.faults`.

    Args:
        model: a function from a width to a new PyTorch model, drawn from PyTorch's random numbers; a function
            from a width and a key to an Equinox model, which maps one example, or to a Flax module (NNX),
            which maps a batch; or an embedding, whose networks are drawn.
        batch: inputs and targets, the same at every step: `x` as the model takes it (a tuple or
            dictionary: its arguments). For an embedding `(x, y)`, or a `Problem`, whose nodes are taken.
        loss: of prediction and target, one number; for an embedding one of `neuronal.losses`, None with a
            `Problem`.
        optimiser: a function from a model to its optimiser, of PyTorch or Optax, as you make it: its
            groups' rates and decays are what is checked. For an embedding the learning rate $\epsilon$, in
            MF time.
        widths: increasing; exponents are fitted over them.
        steps: of training, over which changes are seen; layers are asked in three more.
        seeds: networks per width, over which intervals are.
        law: of an embedding's networks, `nr.fluctuations` over the MF time of these steps: their scatter is
            then foreseen from the limit.

    Returns:
        a `Check`: its text says what was found, `faults` names it, `table` and `plot` show all exponents.

    Raises:
        InvalidInput: arguments that do not fit, functions that give something else than they should, or
            models of other layers at other widths.
        ImportError: of a function, where PyTorch is not installed.

    !!! example
        ```python
        >>> import torch
        >>> from torch import nn
        >>> import neuronal as nr
        >>> def model(n):
        ...     return nn.Sequential(nn.Linear(3, n), nn.Tanh(), nn.Linear(n, 1))
        >>> x = torch.linspace(-1, 1, 24).reshape(8, 3)
        >>> found = nr.transfer.check(
        ...     model, (x, x[:, :1]), nn.MSELoss(), lambda m: torch.optim.SGD(m.parameters(), 0.1),
        ...     widths=(32, 128), seeds=2, steps=1,
        ... )
        >>> [(fault.layers, fault.kind) for fault in found.faults if fault.kind == "readout"]
        [(('2',), 'readout')]

        ```
    """
    widths = [whole("widths", n, 1) for n in several("widths", widths, "integers")]
    require(
        len(widths) > 1 and all(np.diff(widths) > 0),
        f"widths: takes two increasing integers or more, got {shown(widths)}",
    )
    steps, seeds = whole("steps", steps, 1), whole("seeds", seeds, 1)
    if isinstance(model, AbstractEmbedding):
        return _of_embedding(model, batch, loss, optimiser, widths, steps, seeds, law)
    require(law is None, "law: is that of an embedding's networks; leave it out")
    require(
        callable(model) and (isinstance(model, type) or not hasattr(model, "parameters")),
        "model: takes a function from a width to a model, or an embedding; one model has one width, "
        f"got {shown(type(model).__name__)}",
    )
    x, y = _pair(batch, "inputs and targets")
    if not callable(loss):
        raise InvalidInput(f"loss: takes a function of prediction and target, got {shown(loss)}")
    if not callable(optimiser):
        raise InvalidInput(
            f"optimiser: takes a function from a model to its optimiser, got {shown(optimiser)}"
        )
    if _takes_a_key(model):
        from .of_jax import run_of
    else:
        if find_spec("torch") is None:
            raise ImportError(
                "neuronal.transfer.check takes torch for a function of a width, and it is not installed: "
                "pip install 'neuronal[torch]'",
                name="torch",
            )
        from .of_torch import run_of

    runs = [
        [run_of(model, (x, y), loss, optimiser, n, seed, steps) for seed in range(seeds)]
        for n in widths
    ]
    return _checked(runs, widths)


def _takes_a_key(model: Callable[..., Any]) -> bool:
    """Whether a function takes a second argument that has no default."""
    try:
        # A class may be called through a metaclass that takes anything.
        own = inspect.signature(model.__init__ if isinstance(model, type) else model)
    except (TypeError, ValueError):  # of a function written in C
        return False
    parameters = list(own.parameters.values())[isinstance(model, type) :]
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [
        p for p in parameters if p.kind in positional and p.default is inspect.Parameter.empty
    ]
    return len(needed) == 2


def _pair(batch: Any, what: str) -> tuple[Any, Any]:
    fits = isinstance(batch, tuple | list) and len(batch) == 2
    require(fits, f"batch: takes {what}, got {shown(type(batch).__name__)}")
    return batch[0], batch[1]


def _of_embedding(
    embedding: AbstractEmbedding,
    batch: Any,
    loss: Any,
    rate: Any,
    widths: Sequence[int],
    steps: int,
    seeds: int,
    law: Fluctuations | None,
) -> Check:
    from .of_embedding import run_of

    eps = positive("optimiser", rate)
    if isinstance(batch, Problem):
        require(loss is None, "loss: is the problem's; give None")
        problem = batch
    else:
        require(isinstance(loss, Loss), f"loss: takes one of neuronal.losses, got {shown(loss)}")
        problem = Problem(Empirical(*_pair(batch, "(x, y) or a Problem")), loss)
    runs = [
        [run_of(embedding, problem, eps, n, seed, steps) for seed in range(seeds)] for n in widths
    ]
    return _checked(runs, widths, None if law is None else _foreseen(law, widths))


def _foreseen(law: Fluctuations, widths: Sequence[int]) -> xr.DataArray:
    """The prediction's standard deviation at the last time over the limit's change."""
    prediction = law.data.prediction.values
    change = np.sqrt(np.mean((prediction[-1] - prediction[0]) ** 2))
    sizes = [float(np.sqrt(np.mean(law.prediction_sd(n)[-1] ** 2)) / change) for n in widths]
    return xr.DataArray(sizes, {"width": list(widths)}, ("width",))


def _checked(
    runs: list[list[Run]], widths: Sequence[int], foreseen: xr.DataArray | None = None
) -> Check:
    data = collected(runs, widths)
    change = data.change.isel(state=-1)
    ddof = min(1, data.sizes["seed"] - 1)
    scatter = (
        foreseen if foreseen is not None else change.std("seed", ddof=ddof) / change.mean("seed")
    )
    return Check(data, tuple(found(Local(data))), scatter, foreseen is not None)

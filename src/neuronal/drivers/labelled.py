"""A run as labelled data: an `xarray.Dataset` along MF time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float, PyTree

from ..checks import require, several
from ..distributions.base import Samples
from ..losses import Loss
from ..network import Network

Variable = tuple[tuple[str, ...], np.ndarray]


@dataclass(frozen=True)
class Asked:
    """What is wanted besides risk and prediction; attributes as `Trajectory.to_xarray` takes them."""

    weights: bool = False
    preactivations: bool = False
    sensitivities: bool = False


def labelled(
    times: Float[np.ndarray, "T"],
    risk: Float[np.ndarray, "T"],
    networks: Iterable[Network],
    samples: Samples,
    loss: Loss,
    asked: Asked,
    latents: Sequence[PyTree] | None = None,
) -> xr.Dataset:
    """The dataset; `networks` are those at the times, one after the other."""
    found: dict[str, list[np.ndarray]] = {}
    dims: dict[str, tuple[str, ...]] = {}
    first: Network | None = None
    for network in networks:
        first = first or network
        for name, (of, values) in _variables(network, samples, loss, asked).items():
            found.setdefault(name, []).append(values)
            dims[name] = ("time", *of)
    assert first is not None  # a run has a first record
    data = xr.Dataset(
        {name: (dims[name], np.stack(values)) for name, values in found.items()}
        | {"risk": ("time", risk)},
        {"time": ("time", times, {"units": "MF time"})},
    )
    x, y, mass = map(np.asarray, samples)
    data = data.assign_coords(x=(("sample", "input"), x), mass=("sample", mass))
    if y.size:
        data = data.assign_coords(y=(("sample", "target"), y))
    for i, measure in enumerate(first.measures, start=1):
        if any(f"neuron_{i}" in variable.dims for variable in data.variables.values()):
            data = data.assign_coords({f"p_{i}": (f"neuron_{i}", np.asarray(measure))})
            if latents is not None:
                data = data.assign_coords(_coordinates(latents, i, first))
    for name, words in _WORDS.items():
        for variable in data.variables:
            if str(variable).rsplit("_", 1)[0] == name or variable == name:
                data[variable].attrs.setdefault("description", words)
    return data


_WORDS = {
    "risk": "risk E_Z[L(Y, prediction)]",
    "prediction": "prediction at x",
    "w": "weights",
    "H": "pre-activations H_i at x",
    "Delta": "sensitivities Delta^H_i at x, y",
    "x": "inputs",
    "y": "targets",
    "mass": "weights of the samples in E_Z",
    "p": "weights of the neurons in the measure of their layer",
    "c": "latents of the neurons",
}


def _variables(network: Network, samples: Samples, loss: Loss, asked: Asked) -> dict[str, Variable]:
    x, y, _ = samples
    neurons = [f"neuron_{i}" for i in range(1, network.depth)]
    after = [*neurons, "output"]
    found: dict[str, Variable] = {
        "prediction": (("sample", "output"), np.asarray(network(x))),
    }
    if asked.weights:
        first, *others = network.matrices
        found["w_1"] = ((neurons[0], "input"), np.asarray(first))
        for i, w in enumerate(others, start=2):
            found[f"w_{i}"] = ((after[i - 2], after[i - 1]), np.asarray(w))
    layers = {"H": network.preactivations(x)} if asked.preactivations else {}
    if asked.sensitivities:
        layers["Delta"] = network.sensitivities(x, y, loss)
    for name, values in layers.items():
        for i, of_layer in enumerate(values, start=1):
            found[f"{name}_{i}"] = (("sample", after[i - 1]), np.asarray(of_layer))
    return found


def _coordinates(latents: Sequence[PyTree], layer: int, network: Network) -> dict[str, Any]:
    given = several("latents", latents, "latents, one set per hidden layer")
    require(
        len(given) == network.depth - 1,
        f"latents: takes those of each hidden layer ({network.depth - 1}), got {len(given)}",
    )
    found: dict[str, Any] = {}
    leaves = jax.tree.leaves(given[layer - 1])
    for place, leaf in enumerate(leaves):
        values = np.asarray(leaf)
        width = network.widths[layer - 1]
        require(
            values.ndim > 0 and len(values) == width,
            f"latents[{layer - 1}]: takes those of {width} neurons, got shape {values.shape}",
        )
        name = f"c_{layer}" if len(leaves) == 1 else f"c_{layer}_{place}"
        axes = tuple(f"{name}_axis_{k}" for k in range(1, values.ndim))
        found[name] = ((f"neuron_{layer}", *axes), values)
    return found

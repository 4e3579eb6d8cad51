"""Checkpoints: the state of one job and what it recorded, in one file written atomically."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ..errors import InvalidInput
from ..kernels import Factored
from .folder import atomically

_META = ("records", "steps", "rejected", "seconds", "driver", "ensemble", "diverged_at")
_PARTS = ("f", "g", "s")


@dataclass
class Checkpoint:
    """How far a job is.

    Attributes:
        records: how many records are done; the weights are those of the last of them.
        weights: `w_1, ..., w_L`, of NumPy arrays.
        memory: what else the state holds (`drivers.driver.State`), likewise; None if nothing.
        series: what was recorded, each `(records,)`: ``risk`` and, of real data,
            ``test_risk`` and ``test_accuracy``.
        steps, rejected, seconds: so far, over all sessions.
        driver, ensemble: sentences of the driver's report.
        diverged_at: MF time at which the run left the finite numbers, else None.
    """

    records: int
    weights: list[np.ndarray | Factored]
    series: dict[str, Float[np.ndarray, "records"]]
    steps: int = 0
    rejected: int = 0
    seconds: float = 0.0
    driver: str = ""
    ensemble: str = ""
    diverged_at: float | None = None
    memory: dict[str, np.ndarray | Factored] | None = None


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a crash leaves the previous one whole."""
    arrays: dict[str, np.ndarray] = {}
    for i, w in enumerate(checkpoint.weights):
        arrays |= _arrays(f"weight_{i}", w)
    for name, value in (checkpoint.memory or {}).items():
        arrays |= _arrays(f"memory_{name}", value)
    arrays |= {f"series_{name}": values for name, values in checkpoint.series.items()}
    meta = {name: getattr(checkpoint, name) for name in _META}
    meta["memory"] = list(checkpoint.memory) if checkpoint.memory is not None else None
    words: Any = {"meta": np.asarray(json.dumps(meta)), **arrays}
    atomically(path, lambda file: np.savez(file, **words))


def load(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, or None if there is none.

    Raises:
        InvalidInput: a file that is no checkpoint.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as data:
            meta = json.loads(str(data["meta"]))
            series = {n.removeprefix("series_"): data[n] for n in data if n.startswith("series_")}
            count = len({n.split("_")[1] for n in data if n.startswith("weight_")})
            weights = [_kernel(data, f"weight_{i}") for i in range(count)]
            names = meta.pop("memory", None)
            memory = {name: _kernel(data, f"memory_{name}") for name in names or ()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(
            f"checkpoint {path.name!r} cannot be read; delete it to start anew"
        ) from error
    return Checkpoint(weights=weights, series=series, memory=memory or None, **meta)


def _arrays(name: str, kernel: np.ndarray | Factored) -> dict[str, np.ndarray]:
    """The arrays of a kernel, as the file names them."""
    if isinstance(kernel, Factored):
        return {f"{name}_{part}": getattr(kernel, part) for part in _PARTS}
    return {name: np.asarray(kernel)}


def _kernel(data: Mapping[str, np.ndarray], name: str) -> np.ndarray | Factored:
    if name in data:
        return data[name]
    parts: list[Any] = [data[f"{name}_{part}"] for part in _PARTS]
    return Factored(*parts)

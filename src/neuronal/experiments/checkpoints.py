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


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a crash leaves the previous one whole."""
    arrays = {}
    for i, w in enumerate(checkpoint.weights):
        if isinstance(w, Factored):
            arrays |= {f"weight_{i}_{part}": getattr(w, part) for part in _PARTS}
        else:
            arrays[f"weight_{i}"] = w
    arrays |= {f"series_{name}": values for name, values in checkpoint.series.items()}
    meta = json.dumps({name: getattr(checkpoint, name) for name in _META})
    atomically(path, lambda file: np.savez(file, meta=np.asarray(meta), **arrays))  # pyright: ignore[reportArgumentType]


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
            weights = [_weight(data, f"weight_{i}") for i in range(count)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(
            f"checkpoint {path.name!r} cannot be read; delete it to start anew"
        ) from error
    return Checkpoint(weights=weights, series=series, **meta)


def _weight(data: Mapping[str, np.ndarray], name: str) -> np.ndarray | Factored:
    if name in data:
        return data[name]
    parts: list[Any] = [data[f"{name}_{part}"] for part in _PARTS]
    return Factored(*parts)

"""Checkpoints: the state of one job and what it recorded, in one file written atomically."""

from __future__ import annotations

import json
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..drivers.driver import State
from ..dynamics import Kernels
from ..errors import InvalidInput
from ..kernels import Factored
from .writing import atomically

_META = (
    "records", "steps", "rejected", "seconds", "driver", "ensemble", "time",
    "diverged_at",
)  # fmt: skip
PREVIOUS = ".previous.npz"
"""The end of the name of the checkpoint before the last."""
_PARTS = ("f", "g", "s")
UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, NotImplementedError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What NumPy and zipfile raise for files that were cut short or overwritten."""


@dataclass
class Checkpoint:
    """How far a job is.

    Attributes:
        records: how many are done.
        weights: `w_1, ..., w_L`, of NumPy arrays, at `time`.
        memory: what else the state holds (`drivers.driver.State`), likewise; None if nothing.
        pace: `drivers.driver.Pace` with which to go on from there; None if there is none.
        series: what was recorded, each `(records,)`: ``risk``; of a motion that descends more than that
            ``objective``; and, of real data, ``test_risk`` and ``test_accuracy``.
        steps, rejected, seconds: so far, over all sessions.
        driver, ensemble: sentences of the driver's report.
        time: MF time of the weights: that of the last record or later; that if None.
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
    time: float | None = None
    diverged_at: float | None = None
    memory: dict[str, np.ndarray | Factored] | None = None
    pace: dict[str, np.ndarray] | None = None

    @property
    def kernels(self) -> Kernels:
        """The weights in JAX's arrays."""
        return tuple(jax.tree.map(jnp.asarray, self.weights))

    @property
    def state(self) -> State:
        """All that a run goes on with, likewise."""
        return State(self.kernels, jax.tree.map(jnp.asarray, self.memory))


class RecoveryWarning(UserWarning):
    """A file of a run could not be read, and an earlier state is gone on with."""


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and keep the one before; a crash leaves one of them whole."""
    arrays: dict[str, np.ndarray] = {}
    for i, w in enumerate(checkpoint.weights):
        arrays |= _arrays(f"weight_{i}", w)
    for name, value in (checkpoint.memory or {}).items():
        arrays |= _arrays(f"memory_{name}", value)
    arrays |= {f"series_{name}": values for name, values in checkpoint.series.items()}
    meta = {name: getattr(checkpoint, name) for name in _META}
    arrays |= {f"pace_{name}": value for name, value in (checkpoint.pace or {}).items()}
    meta["memory"] = list(checkpoint.memory) if checkpoint.memory is not None else None
    words: Any = {"meta": np.asarray(json.dumps(meta)), **arrays}
    atomically(path, lambda file: np.savez(file, **words), path.with_suffix(PREVIOUS))


def latest(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, or if that cannot be read the one before it; None if there is none.

    A file that cannot be read is put aside under another name.

    Warns:
        RecoveryWarning: a checkpoint could not be read.
    """
    earlier = path.with_suffix(PREVIOUS)
    for file, instead in (
        (path, "goes on from the checkpoint before it"),
        (earlier, "starts anew"),
    ):
        try:
            found = load(file)
        except InvalidInput as error:
            aside = file.with_name(f"{file.name}.damaged")
            file.replace(aside)
            if file is path and not earlier.is_file():
                instead = "starts anew"
            warnings.warn(
                f"{error}; it is kept as {aside.name!r}, and its run {instead}",
                RecoveryWarning,
                stacklevel=2,
            )
            continue
        if found is not None:
            return found
    return None


def load(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, or None if there is none.

    Raises:
        InvalidInput: a file that is no checkpoint, or one with numbers that are not finite.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as data:
            pace = {n.removeprefix("pace_"): data[n] for n in data if n.startswith("pace_")}
            meta = json.loads(str(data["meta"]))
            series = {n.removeprefix("series_"): data[n] for n in data if n.startswith("series_")}
            count = len({n.split("_")[1] for n in data if n.startswith("weight_")})
            weights = [_kernel(data, f"weight_{i}") for i in range(count)]
            names = meta.pop("memory", None)
            memory = {name: _kernel(data, f"memory_{name}") for name in names or ()}
        checkpoint = Checkpoint(
            weights=weights, series=series, memory=memory or None, pace=pace or None, **meta
        )
    except UNREADABLE as error:
        raise InvalidInput(f"checkpoint {path.name!r} cannot be read") from error
    numbers = jax.tree.leaves((weights, memory, pace))
    if not all(np.isfinite(a).all() for a in numbers):
        raise InvalidInput(f"checkpoint {path.name!r} holds numbers that are not finite")
    return checkpoint


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

"""Checkpoints: the state of one job and what it recorded, in one file written atomically."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..drivers.driver import State
from ..dynamics import Kernels
from ..errors import InvalidInput
from ..files import archive
from ..kernels import Factored
from ..saving.coder import Decoder, Encoder
from ..saving.own import Given

_META = (
    "records", "steps", "rejected", "seconds", "driver", "ensemble", "time",
    "diverged_at",
)  # fmt: skip
_STATE = ("weights", "memory", "pace", "series")
PREVIOUS = ".previous.npz"
"""The end of the name of the checkpoint before the last."""


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
    encoder = Encoder()
    meta = {name: getattr(checkpoint, name) for name in _META}
    state = {name: getattr(checkpoint, name) for name in _STATE}
    header = {**meta, "state": encoder.tree(state, "state")}
    archive.write(path, header, encoder.arrays, path.with_suffix(PREVIOUS))


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


def glance(path: Path) -> Checkpoint | None:
    """What a job has recorded by its last checkpoint that can be read, without its weights."""
    for file in (path, path.with_suffix(PREVIOUS)):
        with suppress(InvalidInput, *archive.UNREADABLE):
            header, arrays = archive.read(file, "state.series")
            tree = header.pop("state")["dict"]["series"]
            return Checkpoint(weights=[], series=Decoder(arrays, Given(())).thing(tree), **header)
    return None


def load(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, or None if there is none.

    Raises:
        InvalidInput: a file that is no checkpoint, or one with numbers that are not finite.
    """
    if not path.is_file():
        return None
    try:
        header, arrays = archive.read(path)
        state = Decoder(arrays, Given(())).thing(header.pop("state"))
        checkpoint = Checkpoint(**state, **header)
        numbers = jax.tree.leaves((checkpoint.weights, checkpoint.memory, checkpoint.pace))
    except archive.UNREADABLE as error:
        raise InvalidInput(f"checkpoint {path.name!r} cannot be read") from error
    if not all(np.isfinite(a).all() for a in numbers):
        raise InvalidInput(f"checkpoint {path.name!r} holds numbers that are not finite")
    return checkpoint

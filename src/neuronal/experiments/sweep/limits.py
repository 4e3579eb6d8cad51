"""Limits that points of a sweep share: those with the same numbers are solved once.

`limits/KEY.npz` in the folder of a sweep is the checkpoint of a limit that is solved, where KEY is a
digest of everything that it depends on. Points have copies, so that each folder is a whole run.
"""

from __future__ import annotations

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

from ...errors import InvalidInput
from ...files.writing import atomically
from .. import checkpoints
from ..config import Experiment
from ..jobs import Job

LIMITS = "limits"
"""The folder of limits in that of a sweep."""

_OF_LIMIT = ("problem", "loss", "schedule", "motion")
_OF_TIMES = {"enabled", "until"}
"""Fields of `[limit]` that count by the times of the records alone."""


def key_of(experiment: Experiment, job: Job, digest: str) -> str:
    """A digest of everything that a limit depends on: not networks, names or words.

    Times count bit by bit. A system's label is part of it, since messages name it.

    Args:
        job: a limit of the experiment.
        digest: of the data, empty if they are drawn from a law.
    """
    whole = experiment.model_dump(mode="json")
    parts = {name: whole[name] for name in _OF_LIMIT}
    parts["system"] = whole["systems"][job.system]
    parts["limit"] = {k: v for k, v in whole["limit"].items() if k not in _OF_TIMES}
    parts["run"] = {name: whole["run"][name] for name in ("seed", "checkpoints", "precision")}
    parts["times"] = [t.hex() for t in job.times]
    parts["data"] = digest
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def is_solved(home: Path, key: str) -> bool:
    """Whether the sweep in `home` has that limit."""
    return _file(home, key).is_file()


def forget(home: Path) -> None:
    """Delete all limits of the sweep."""
    shutil.rmtree(home / LIMITS, ignore_errors=True)


def workshop(home: Path, key: str) -> Path:
    """Where a limit has its checkpoints until it is solved."""
    return home / LIMITS / key


def keep(home: Path, key: str, job: Job) -> None:
    """Take a limit that is solved out of its workshop."""
    place = workshop(home, key)
    os.replace(place / job.file, _file(home, key))
    shutil.rmtree(place, ignore_errors=True)


def adopt(home: Path, key: str, job: Job, file: Path) -> bool:
    """Take a limit from the checkpoint of a point that solved it; whether that is so."""
    try:
        state = checkpoints.load(file)
    except InvalidInput:  # told by the point that it belongs to
        return False
    if state is None or state.records < len(job.times):
        return False
    _copy(file, _file(home, key))
    return True


def lend(home: Path, key: str, file: Path) -> None:
    """Copy a limit, if the sweep has it, to where a point has none that is as far."""
    there = _file(home, key)
    if not there.is_file():
        return
    own = checkpoints.latest(file)
    lent = checkpoints.latest(there)
    if lent and (own is None or own.records < lent.records):
        _copy(there, file)


def _file(home: Path, key: str) -> Path:
    return home / LIMITS / f"{key}.npz"


def _copy(source: Path, target: Path) -> None:
    content = source.read_bytes()
    atomically(target, lambda file: file.write(content))

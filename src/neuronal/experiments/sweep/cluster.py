"""Sweeps over a cluster, by Dask's `distributed`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...checks import require
from ...errors import InvalidInput

_WAIT = 10
"""Seconds in which a scheduler has to answer."""


@contextmanager
def chosen(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """What `sweep` takes as executor, by the options of the command line.

    Raises:
        InvalidInput: both options, or as `connected`.
    """
    require(not (workers and scheduler), "--workers: is of this machine; take it or --scheduler")
    if scheduler is None:
        yield workers
        return
    with connected(scheduler) as client:
        yield client


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A Client of the scheduler at an address such as ``tcp://10.0.0.1:8786``.

    Raises:
        InvalidInput: `distributed` is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        if error.name not in ("distributed", "dask"):
            raise
        raise InvalidInput(
            "--scheduler: takes distributed, which is not installed: pip install 'neuronal[cluster]'"
        ) from error
    try:
        # As a default it would be taken by xarray too, and left behind by a failure.
        client = Client(address, timeout=_WAIT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(
            f"--scheduler: no scheduler answers at {address!r}; takes the address that "
            "`dask scheduler` prints, such as tcp://10.0.0.1:8786"
        ) from error
    with client:
        yield client


def check(client: Any, home: Path) -> None:
    """Refuse a cluster whose workers do not have the package, or do not see the folder.

    Workers that come later are asked when they begin.

    Raises:
        InvalidInput: so it is.
    """
    sentinel = home / f".seen-{uuid.uuid4().hex}"
    sentinel.touch()
    try:
        seen = client.run(sees, str(sentinel))
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"--scheduler: workers have no module {error.name!r}; install neuronal where they run"
        ) from error
    finally:
        sentinel.unlink()
    blind = [worker for worker, found in seen.items() if not found]
    if blind:
        raise InvalidInput(
            f"--out: {str(home)!r} is not seen by {len(blind)} of {len(seen)} workers, such as "
            f"{blind[0]}; takes a folder that all machines share"
        )


def sees(file: str) -> bool:
    """Whether a file is there, where a worker runs."""
    return Path(file).is_file()

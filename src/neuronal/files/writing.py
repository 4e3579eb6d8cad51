"""Files written whole or not at all: under another name first, moved in place once on the disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"
"""The end of the names of files that are being written."""


@contextmanager
def replaced(path: Path, previous: Path | None = None) -> Iterator[Path]:
    """The name under which to write what takes the place of `path` when the block has ended.

    Args:
        previous: where to keep what `path` held before; nothing is kept if left out.

    Raises:
        OSError: nothing more can be written there; `path` is its file, and is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PARTIAL)
    try:
        os.close(descriptor)
        yield Path(name)
        with open(name, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        if previous is not None and path.exists():
            os.replace(path, previous)
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:  # a full disk tells no name
            error.filename, error.filename2 = str(path), None
        elif isinstance(error, OSError):  # HDF5's, whose words alone say what it is
            error.add_note(str(path))
        raise


def atomically(
    path: Path, write: Callable[[BinaryIO], object], previous: Path | None = None
) -> None:
    """Write a file by `write`, whole or not at all; `previous` as in `replaced`."""
    with replaced(path, previous) as partial, partial.open("wb") as file:
        write(file)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    atomically(path, lambda file: file.write(text.encode()))

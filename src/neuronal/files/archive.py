"""An archive: arrays by name and a header, in one file that NumPy and any tool for zip open.

It is a zip file of `.npy` members, as `numpy.savez` writes it, and one of them, `header.npy`, holds the
UTF-8 bytes of a JSON object. Nothing in it is code; every member has a checksum.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidInput, require
from .writing import atomically

HEADER = "header"
UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, NotImplementedError,
    RuntimeError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip
"""What NumPy and zipfile raise for files that were cut short or overwritten."""


def write(
    path: Path,
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    previous: Path | None = None,
) -> None:
    """Write an archive whole or not at all.

    Args:
        header: of what JSON holds.
        arrays: under names other than ``header``.
        previous: where to keep what `path` held before; nothing is kept if left out.
    """
    words = json.dumps(header, allow_nan=False).encode()
    members: dict[str, Any] = {HEADER: np.frombuffer(words, np.uint8), **arrays}
    atomically(path, lambda file: np.savez(file, **members), previous)


def read(path: Path, within: str = "") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and the arrays.

    Args:
        within: the beginning of the names of the arrays to read; the others are not even looked at.

    Raises:
        InvalidInput: no such file, or one that is no archive, or is damaged or cut short.
    """
    require(path.is_file(), f"path: no file {str(path)!r}")
    try:
        if not within:
            with zipfile.ZipFile(path) as checked:
                damaged = checked.testzip()  # reads all: a changed shape would hide the rest
            if damaged is not None:
                raise ValueError(f"the checksum of {damaged} is not that of its bytes")
        with np.load(path, allow_pickle=False) as data:
            names = [name for name in data.files if name == HEADER or name.startswith(within)]
            arrays = {name: data[name] for name in names}
        header = json.loads(arrays.pop(HEADER).tobytes())
        if not isinstance(header, dict):
            raise TypeError("the header is no object")
    except UNREADABLE as error:
        told = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InvalidInput(
            f"path: {path.name!r} is damaged, cut short, or no archive of neuronal ({told})"
        ) from error
    return header, arrays

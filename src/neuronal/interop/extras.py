"""Libraries that a plain installation does not bring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around the import of the library `name`, which the extra of that name installs.

    Raises:
        ImportError: it is not installed; says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != name:  # it is there, and misses something of its own
            raise
        raise ImportError(
            f"neuronal.interop.{name} takes {name}, which is not installed: "
            f"pip install 'neuronal[{name}]'",
            name=name,
        ) from error

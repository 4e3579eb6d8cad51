"""Libraries that a plain installation does not bring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(library: str, name: str | None = None) -> Iterator[None]:
    """Around the import of a library, which the extra `name`, called alike if left out, installs.

    Raises:
        ImportError: it is not installed; says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != library:  # it is there, and misses something of its own
            raise
        raise ImportError(
            f"neuronal.interop.{library} takes {library}, which is not installed: "
            f"pip install 'neuronal[{name or library}]'",
            name=library,
        ) from error

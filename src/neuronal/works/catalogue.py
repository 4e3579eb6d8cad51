"""The works by name, and running one."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import InvalidInput
from ..vocabulary import WORKS

if TYPE_CHECKING:
    from .rows import Row
    from .work import Work


def names() -> tuple[str, ...]:
    """The names of the works.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> 'MMN18' in nr.works.names()
        True

        ```
    """
    return WORKS


def full_name(name: str) -> str:
    """The name as `names` has it, of one in any letters.

    Raises:
        InvalidInput: there is none.
    """
    for known in WORKS:
        if isinstance(name, str) and name.lower() == known.lower():
            return known
    raise InvalidInput(f"name: takes one of {', '.join(WORKS)}, got {name!r}")


def work(name: str) -> Work:
    """The work of that name.

    Raises:
        InvalidInput: there is none.
    """
    return importlib.import_module(f".{full_name(name).lower()}", __package__).WORK


def run(name: str, fast: bool = False, done: Callable[[Row], None] | None = None) -> list[Row]:
    """Run a work, in double precision, and check its claims.

    Args:
        name: one of `names()`, in large or small letters.
        fast: smaller networks and fewer of them: seconds instead of minutes.
        done: called with every row once it is there.

    Returns:
        its rows.

    Raises:
        InvalidInput: no work of that name.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.works.names()[0]
        'MMN18'

        ```
    """
    chosen = work(name)
    import jax

    found = []
    with jax.enable_x64(True):
        rows = chosen.rows(fast)
        while True:
            began = time.perf_counter()
            row = next(rows, None)
            if row is None:
                return found
            row = replace(row, seconds=time.perf_counter() - began)
            found.append(row)
            if done is not None:
                done(row)

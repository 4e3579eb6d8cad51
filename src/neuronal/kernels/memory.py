"""What matrices between layers take of the memory, told before they are made."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import psutil

from ..checks import require

_CGROUP = Path("/sys/fs/cgroup")


def require_memory(
    field: str, sizes: Sequence[int], copies: int = 1, dtype: Any = float, instead: str = ""
) -> None:
    """Refuse matrices between layers of these sizes that will not fit.

    Args:
        field: where their sizes were given, named in the message.
        sizes: of the hidden layers.
        copies: of each matrix that are held at once, at least.
        instead: what else could be taken than fewer.

    Raises:
        InvalidInput: fewer bytes are free.
    """
    entries = sum(n * m for n, m in itertools.pairwise(sizes))
    need, free = copies * entries * jax.dtypes.canonicalize_dtype(dtype).itemsize, free_bytes()
    require(
        free is None or need <= free,
        f"{field}: matrices between layers of {', '.join(map(str, sizes))} neurons take "
        f"{_gib(need)} of memory or more, of which {_gib(free or 0)} are free; take fewer{instead}",
    )


def free_bytes() -> int | None:
    """Bytes free on the device on which JAX computes; None where it does not tell."""
    device = jax.devices()[0]
    if device.platform != "cpu":
        stats = device.memory_stats() or {}
        return (
            stats["bytes_limit"] - stats.get("bytes_in_use", 0) if "bytes_limit" in stats else None
        )
    free = psutil.virtual_memory().available
    limit, used = (_number(_CGROUP / name) for name in ("memory.max", "memory.current"))
    return free if limit is None or used is None else min(free, limit - used)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no control group, or no limit ("max")
        return None


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"

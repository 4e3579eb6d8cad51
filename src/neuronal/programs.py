"""Compiled programs, kept in the user's cache folder from one process to the next.

What JAX compiles once it finds there in every later process, by its persistent compilation cache:
bounded in size, the least used programs dropped first, and locked, so that processes share it.
Somebody's own settings of that cache are left as they are. `NEURONAL_CACHE` names another folder,
or is `off`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import equinox as eqx
import jax
import platformdirs
from filelock import FileLock, Timeout
from jax.core import Tracer

from .errors import require

P = ParamSpec("P")
R = TypeVar("R")
VARIABLE = "NEURONAL_CACHE"
MOST_BYTES = 2**29
"""Of programs kept: some thousands."""
_LEAST_SECONDS = 0.01
"""A program that compiles faster is not worth a file."""
FULL = {"xla_backend_optimization_level": 1}
"""What spares a fifth of the time that XLA compiles for a processor, and costs none in the program."""
LIGHT: dict[str, int | bool] = {
    **FULL,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
}
"""What makes XLA compile for a processor in a third of the time, for programs as fast within a tenth."""


def folder() -> Path | None:
    """Where programs are kept; None if they are not to be.

    Each kind of processor has a folder of its own, for programs are compiled for what it can do.
    """
    named = os.environ.get(VARIABLE, "")
    if named.lower() in ("off", "0", "no", "false"):
        return None
    home = Path(named) if named else platformdirs.user_cache_path("neuronal", appauthor=False)
    return home / f"jax-{jax.__version__}-{_processor()}"


def _processor() -> str:
    """A word for what the processor can do."""
    words = [platform.machine(), platform.processor()]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        words += [line for line in lines if line.startswith(("flags", "Features"))][:1]
    except OSError:  # not Linux
        pass
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


def keep() -> Path | None:
    """Keep what JAX compiles from now on, and find what is kept; returns the folder.

    Returns None, and changes nothing, where JAX's cache has been set up by somebody else, where
    `NEURONAL_CACHE` is `off`, and where the folder cannot be written.
    """
    settings = jax.config.values
    if settings["jax_compilation_cache_dir"] is not None:
        return None
    if not settings["jax_enable_compilation_cache"]:
        return None
    place = folder()
    if place is None or not _is_ready(place):
        return None
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_compilation_cache_max_size", MOST_BYTES)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_SECONDS)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return place


def kept() -> str:
    """The folder in which JAX keeps programs, ours or somebody else's.

    Raises:
        InvalidInput: they are not kept.
    """
    place = jax.config.values["jax_compilation_cache_dir"]
    require(
        place is not None and jax.config.values["jax_enable_compilation_cache"],
        f"{VARIABLE}: programs are not kept; takes a folder that can be written, and not 'off'",
    )
    return str(place)


def _is_ready(place: Path) -> bool:
    """Whether programs can be kept there; clears away what a killed process was writing.

    JAX writes a program, then the time of its last use beside it: one without a time may be cut.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / ".lockfile", timeout=1):  # JAX's own
            for program in place.glob("*-cache"):
                used = program.with_name(program.name.removesuffix("-cache") + "-atime")
                if not used.is_file() or used.stat().st_size != 8:
                    program.unlink(missing_ok=True)
                    used.unlink(missing_ok=True)
    except (OSError, Timeout):
        return False
    return True


def lightly(when: Callable[..., bool] | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """`equinox.filter_jit` with the options `LIGHT`: for programs that are waited for while they compile.

    Within another program it is a part of that one, which has options of its own.

    Args:
        when: of the arguments, whether these options are taken, or the milder ones of `FULL`; always, if
            left out.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        jit: Any = eqx.filter_jit  # whose types leave out options that jax.jit takes
        inner, light, full = (
            jit(function),
            jit(function, compiler_options=LIGHT),
            jit(function, compiler_options=FULL),
        )

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            if _are_traced((args, kwargs)) or not _knows_options():
                return inner(*args, **kwargs)
            chosen = light if when is None or when(*args, **kwargs) else full
            return chosen(*args, **kwargs)

        called.lower = inner.lower  # type: ignore[attr-defined]
        return called

    return decorate


def _are_traced(arguments: object) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(arguments))


@functools.cache
def _knows_options() -> bool:
    """Whether this XLA has all of them; they come and go."""
    try:
        jax.jit(lambda: 0, compiler_options=LIGHT).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True

"""What every benchmark shares: the 1-D problem, paired timing, a table and a JSON file per claim."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata

import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr

RESULTS = pathlib.Path(__file__).parent / "results"


def target_1d(x):
    """sin 4x + x cos(9x)/2, of variance 0.489 on [-1, 1]."""
    return jnp.sin(4 * x[:, 0]) + x[:, 0] * jnp.cos(9 * x[:, 0]) / 2


def problem_1d(loss: nr.losses.Loss | None = None) -> nr.Problem:
    """Regression of `target_1d` without noise, inputs (x, 1); pseudo-Huber if no loss is given."""
    laws = nr.distributions
    law = laws.Regression(target_1d, laws.Biased(laws.Uniform(-1.0, 1.0)))
    return nr.Problem(law, loss or nr.losses.PseudoHuber(1.0))


def paired(runs: dict[str, Callable[[], float]], rounds: int) -> dict[str, np.ndarray]:
    """Times of each run, all in turn in every round, so that drift meets all alike.

    A run returns its own seconds; one round before is not counted (compilation).
    """
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(run())
    return {name: np.asarray(t) for name, t in times.items()}


def seconds(function: Callable[[], object]) -> float:
    """Wall seconds of one call, the device's work included."""
    began = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - began


@contextmanager
def compiling() -> Iterator[list[float]]:
    """Seconds that XLA takes to compile each program meanwhile; none of them comes from the disk."""
    found: list[float] = []
    kept = jax.config.values["jax_enable_compilation_cache"]

    def listen(event: str, duration: float, **_: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(duration)

    jax.config.update("jax_enable_compilation_cache", False)
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
        jax.config.update("jax_enable_compilation_cache", kept)


def report(name: str, claim: str, rows: Sequence[dict], notes: str = "", **more: object) -> None:
    """Print a claim's rows as a table; write them, and `more`, to `results/<name>.json`."""
    show(name, claim, rows, notes)
    RESULTS.mkdir(exist_ok=True)
    record = {"claim": claim, "machine": machine(), "rows": list(rows), "notes": notes}
    record |= more
    text = json.dumps(record, indent=1, default=float)
    # Lists of numbers on one line each; no string holds a new line.
    text = re.sub(r'\[\n[^][{}"]*\]', lambda found: " ".join(found[0].split()), text)
    (RESULTS / f"{name}.json").write_text(text + "\n")


def show(name: str, claim: str, rows: Sequence[dict], notes: str = "") -> None:
    """Print a claim's rows as a table."""
    keys = list(rows[0])
    cells = [[_cell(row.get(key, "")) for key in keys] for row in rows]
    sizes = [max(len(key), *(len(row[i]) for row in cells)) for i, key in enumerate(keys)]
    print(f"\n{name}: {claim}")
    for row in (keys, ["-" * s for s in sizes], *cells):
        print("| " + " | ".join(c.rjust(s) for c, s in zip(row, sizes, strict=True)) + " |")
    if notes:
        print(notes)


def machine() -> dict:
    """What ran: processors and versions."""
    versions = {}
    for package in ("jax", "diffrax", "numpy", "torch", "optax", "scikit-learn"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    machine = {"cpus": os.cpu_count(), "arch": platform.machine()}
    return machine | {"python": platform.python_version()} | versions


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)

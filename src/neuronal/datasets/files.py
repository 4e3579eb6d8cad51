"""CSV and Parquet files, and data frames, of the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..checks import require, shown
from .splits import TASKS, Split, Task, split
from .tables import as_labels, as_numbers, listed, no_gaps, read

_MOST_CLASSES = 20


def table(
    path: str | Path | pd.DataFrame,
    target: str,
    features: list[str] | None = None,
    task: str = "auto",
    test_size: float = 0.25,
    seed: int = 0,
) -> Split:
    """A CSV (``.csv``, ``.tsv``, ``.txt``) or Parquet (``.parquet``, ``.pq``) file, or a pandas frame.

    Args:
        path: the file, one sample a row, with a header; or a `pandas.DataFrame`.
        target: the column to predict. Words such as ``None`` and ``NA`` are labels where it is
            text; an empty cell is none.
        features: the columns to predict from; all others if left out.
        task: ``classification``, ``regression``, or ``auto``: classes where the target is
            text, true or false, or at most 20 whole numbers 0, 1, 2, ... without a gap.
        test_size: the share of rows to test on.
        seed: of the split.

    Raises:
        InvalidInput: no such file or kind of file, rows longer than the header, a column that
            is missing, named twice, not numeric, or has empty cells, or a target that does not
            fit the task; the message names the column.

    !!! example
        ```python
        >>> import neuronal as nr, pandas as pd
        >>> frame = pd.DataFrame({"a": range(8), "b": [0.0, 1.0] * 4})
        >>> split = nr.datasets.table(frame, "b", task="regression")
        >>> split.train.x.shape
        (6, 2)

        ```
    """
    require(task in TASKS, f"task: takes {', '.join(TASKS)}, got {shown(task)}")
    require(
        isinstance(path, str | os.PathLike | pd.DataFrame),
        f"path: takes the name of a file or a pandas.DataFrame, got {shown(path)}",
    )
    name = "frame" if isinstance(path, pd.DataFrame) else Path(path).stem
    frame, doubled = read(path if isinstance(path, pd.DataFrame) else Path(path))
    names = list(frame.columns)
    require(
        target in names or target in doubled,
        f"target: no column {target!r}; the file has {listed(names)}",
    )
    require(
        features is None or isinstance(features, list | tuple),
        f"features: takes a list of columns, got {shown(features)}",
    )
    chosen = [c for c in names if c != target] if features is None else list(features)
    _check_features(chosen, target, names)
    for column in doubled:
        require(
            features is not None and column not in (*chosen, target),
            f"column {column!r}: the file has several of that name; rename them",
        )
    cells = {column: pd.Series(frame[column]) for column in (*chosen, target)}
    for column, content in cells.items():
        no_gaps(column, content)
    x = np.stack([as_numbers(column, cells[column]) for column in chosen], axis=1)
    y = cells[target]
    kind: Any = _task_of(y) if task == "auto" else task
    values = as_labels(y) if kind == "classification" else as_numbers(target, y)
    return split(name, x, values, chosen, kind, test_size, seed)


def _check_features(chosen: list[str], target: str, names: list[str]) -> None:
    require(len(chosen) > 0, "features: takes at least one column besides the target")
    for name in chosen:
        require(name in names, f"features: no column {name!r}; the file has {listed(names)}")
        require(name != target, f"features: {name!r} is the target")
        require(chosen.count(name) == 1, f"features: names {name!r} twice")


def _task_of(y: pd.Series) -> Task:
    if not pd.api.types.is_numeric_dtype(y) or pd.api.types.is_bool_dtype(y):
        return "classification"
    values = np.unique(y.to_numpy(dtype=float))
    counted = len(values) <= _MOST_CLASSES and np.array_equal(values, np.arange(len(values)))
    return "classification" if counted and len(values) > 1 else "regression"

"""Real data as finite laws: scikit-learn's bundled sets, and tables of the user's own.

Every loader gives a `Split`: 75 % of the rows to train on and 25 % to test on (stratified by
class), inputs standardised by the training part, a constant coordinate 1 appended (the
paper's layers have no biases). Class labels become class numbers 0, 1, ...; regression targets
are standardised, and `Split` keeps their scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, ArrayLike, Float
from sklearn import datasets as bundled
from sklearn.model_selection import train_test_split

from .checks import require
from .distributions import Empirical, with_bias
from .errors import InvalidInput

Task = Literal["classification", "regression"]
TASKS = ("auto", "classification", "regression")
_MOST_CLASSES = 20


@dataclass(frozen=True)
class Split:
    """A data set in two parts.

    Attributes:
        train, test: laws on `x (m, d)`, `y (m, 1)`; the last coordinate of x is 1.
        name: of the data set.
        task: ``classification`` (y holds class numbers) or ``regression``.
        features: names of the d - 1 columns before the constant one.
        classes: labels of the class numbers; empty for regression.
        target_mean, target_std: a regression target in the data's own units is
            ``target_mean + target_std * y``; 0 and 1 for classes.
    """

    train: Empirical
    test: Empirical
    name: str
    task: Task
    features: tuple[str, ...]
    classes: tuple[str, ...] = ()
    target_mean: float = 0.0
    target_std: float = 1.0

    @property
    def outputs(self) -> int:
        """Outputs that cross-entropy needs (one per class), or 1 for regression."""
        return max(len(self.classes), 1)

    def accuracy(self, prediction: ArrayLike) -> float:
        """Share of test samples that a prediction `(m, k)` on `test.x` puts in their class.

        The class is that of the largest output; with one output, class 1 where it is positive.
        """
        require(self.task == "classification", "accuracy: the data set has no classes")
        values = np.asarray(prediction)
        chosen = values.argmax(axis=1) if values.shape[1] > 1 else (values[:, 0] > 0).astype(int)
        return float(np.mean(chosen == np.asarray(self.test.y)[:, 0]))


def digits(test_size: float = 0.25, seed: int = 0) -> Split:
    """1797 images of 8 x 8 pixels, ten classes; d = 65."""
    return _bundled("digits", bundled.load_digits, "classification", test_size, seed)


def breast_cancer(test_size: float = 0.25, seed: int = 0) -> Split:
    """569 tumours by 30 measurements, two classes; d = 31."""
    return _bundled("breast_cancer", bundled.load_breast_cancer, "classification", test_size, seed)


def wine(test_size: float = 0.25, seed: int = 0) -> Split:
    """178 wines by 13 analyses, three classes; d = 14."""
    return _bundled("wine", bundled.load_wine, "classification", test_size, seed)


def diabetes(test_size: float = 0.25, seed: int = 0) -> Split:
    """442 patients by 10 measurements, the disease's progress as a number; d = 11."""
    return _bundled("diabetes", bundled.load_diabetes, "regression", test_size, seed)


BUNDLED: dict[str, Callable[..., Split]] = {
    "digits": digits,
    "breast_cancer": breast_cancer,
    "wine": wine,
    "diabetes": diabetes,
}


def table(
    path: str | Path,
    target: str,
    features: list[str] | None = None,
    task: str = "auto",
    test_size: float = 0.25,
    seed: int = 0,
) -> Split:
    """A CSV (``.csv``, ``.tsv``, ``.txt``) or Parquet (``.parquet``, ``.pq``) file.

    Args:
        path: the file, one sample a row, with a header.
        target: the column to predict.
        features: the columns to predict from; all others if left out.
        task: ``classification``, ``regression``, or ``auto``: classes where the target is
            text, true or false, or at most 20 whole numbers 0, 1, 2, ... without a gap.
        test_size: the share of rows to test on.
        seed: of the split.

    Raises:
        InvalidInput: no such file or kind of file, a column that is missing, not numeric, or
            has empty cells, or a target that does not fit the task; the message names the
            column.
    """
    require(task in TASKS, f"task: takes {', '.join(TASKS)}, got {task!r}")
    frame = _read(Path(path))
    require(len(frame) > 0, f"path: {path} has a header and no rows")
    columns = [str(c) for c in frame.columns]
    frame.columns = pd.Index(columns)
    require(target in columns, f"target: no column {target!r}; the file has {_listed(columns)}")
    chosen = [c for c in columns if c != target] if features is None else list(features)
    require(len(chosen) > 0, "features: takes at least one column besides the target")
    for name in chosen:
        require(name in columns, f"features: no column {name!r}; the file has {_listed(columns)}")
        require(name != target, f"features: {name!r} is the target")
    cells = {name: pd.Series(frame[name]) for name in (*chosen, target)}
    for name, column in cells.items():
        _no_gaps(name, column)
    x = np.stack([_numbers(name, cells[name]) for name in chosen], axis=1)
    y = cells[target]
    kind = _task_of(y) if task == "auto" else task
    if kind == "classification":
        return _split(Path(path).stem, x, y.to_numpy(), chosen, "classification", test_size, seed)
    values = _numbers(target, y)
    return _split(Path(path).stem, x, values, chosen, "regression", test_size, seed)


def _bundled(name: str, load: Callable[..., Any], task: Task, test_size: float, seed: int) -> Split:
    data = load()
    y = data.target
    if task == "classification":
        y = np.asarray([str(label) for label in data.target_names])[data.target]
    order = None if task == "regression" else tuple(str(label) for label in data.target_names)
    return _split(name, data.data, y, list(data.feature_names), task, test_size, seed, order)


def _split(
    name: str,
    x: Float[np.ndarray, "m d"],
    y: np.ndarray,
    features: list[str],
    task: Task,
    test_size: float,
    seed: int,
    order: tuple[str, ...] | None = None,
) -> Split:
    require(0 < test_size < 1, f"test_size: takes a number between 0 and 1, got {test_size!r}")
    require(len(x) >= 4, f"the data have {len(x)} rows; 4 are the least that can be split")
    classes: tuple[str, ...] = ()
    stratify = None
    if task == "classification":
        labels, numbers, counts = np.unique(y, return_inverse=True, return_counts=True)
        classes = tuple(str(label) for label in labels)
        require(len(classes) >= 2, f"target: has one class only, {classes[0]!r}")
        if order is not None:  # the data set's own order of its classes
            numbers = np.asarray([order.index(c) for c in classes])[numbers]
            classes = order
        rare = str(labels[counts.argmin()])
        require(counts.min() >= 2, f"target: class {rare!r} has one row; takes 2 or more a class")
        least = int(np.floor(min(test_size, 1 - test_size) * len(x)))
        require(
            least >= len(classes),
            f"test_size: {test_size} of {len(x)} rows leaves a part smaller than the "
            f"{len(classes)} classes",
        )
        y, stratify = numbers.reshape(-1).astype(float), numbers.reshape(-1)
    parts = train_test_split(x, y, test_size=test_size, random_state=seed, stratify=stratify)
    train_x, test_x, train_y, test_y = map(np.asarray, parts)
    mean, std = train_x.mean(axis=0), train_x.std(axis=0)
    std = np.where(std > 0, std, 1.0)  # a column that never changes stays at 0
    offset, scale = 0.0, 1.0
    if task == "regression":
        offset, scale = float(train_y.mean()), float(train_y.std())
        require(scale > 0, "target: has one value only in the training part")

    def law(inputs: np.ndarray, targets: np.ndarray) -> Empirical:
        standard: Array = jnp.asarray((inputs - mean) / std, dtype=float)
        return Empirical(with_bias(standard), jnp.asarray((targets - offset) / scale, dtype=float))

    return Split(
        law(train_x, train_y),
        law(test_x, test_y),
        name,
        task,
        tuple(map(str, features)),
        classes,
        offset,
        scale,
    )


def _read(path: Path) -> pd.DataFrame:
    require(path.is_file(), f"path: no file {str(path)!r}")
    kind = path.suffix.lower()
    try:
        if kind in (".csv", ".txt"):
            return pd.read_csv(path)
        if kind == ".tsv":
            return pd.read_csv(path, sep="\t")
        if kind in (".parquet", ".pq"):
            return pd.read_parquet(path)
    except ImportError as error:
        raise InvalidInput(
            "path: reading Parquet takes pyarrow; pip install pyarrow, or give a CSV file"
        ) from error
    except (ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "unreadable"
        raise InvalidInput(
            f"path: {str(path)!r} is not a readable {kind[1:]} file: {reason}"
        ) from error
    raise InvalidInput(f"path: takes a .csv, .tsv, .txt, .parquet or .pq file, got {path.name!r}")


def _no_gaps(name: str, column: pd.Series) -> None:
    empty = np.flatnonzero(column.isna().to_numpy())
    if empty.size:
        raise InvalidInput(
            f"column {name!r}: {empty.size} empty or NaN cells, the first in row "
            f"{empty[0] + 1}; fill them or drop those rows"
        )


def _numbers(name: str, column: pd.Series) -> Float[np.ndarray, "m"]:
    numbers = np.asarray(pd.to_numeric(column, errors="coerce"), dtype=float)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        raise InvalidInput(
            f"column {name!r}: takes finite numbers, row {wrong[0] + 1} holds "
            f"{column.iloc[wrong[0]]!r}; drop the column or encode it"
        )
    return numbers


def _task_of(y: pd.Series) -> Task:
    if not pd.api.types.is_numeric_dtype(y) or pd.api.types.is_bool_dtype(y):
        return "classification"
    values = np.unique(y.to_numpy(dtype=float))
    counted = len(values) <= _MOST_CLASSES and np.array_equal(values, np.arange(len(values)))
    return "classification" if counted and len(values) > 1 else "regression"


def _listed(names: list[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown}, ... ({len(names)} in all)"

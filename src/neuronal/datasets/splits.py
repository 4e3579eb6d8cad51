"""A data set in two parts: as finite laws in standard units, with the scale of its own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from sklearn.model_selection import train_test_split

from ..checks import is_number, is_whole, require, shown
from ..distributions import Empirical, with_bias
from ..errors import InvalidInput
from .scale import Scale, is_constant

Task = Literal["classification", "regression"]
TASKS = ("auto", "classification", "regression")


@dataclass(frozen=True, repr=False)
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
        digest: of all rows in the data's own units, which tells whether they were edited.
    """

    train: Empirical
    test: Empirical
    name: str
    task: Task
    features: tuple[str, ...]
    classes: tuple[str, ...] = ()
    target_mean: float = 0.0
    target_std: float = 1.0
    digest: str = ""

    def __repr__(self) -> str:
        classes = f" of {len(self.classes)} classes" if self.classes else ""
        return (
            f"Split({self.name!r}: {self.task}{classes}, {len(self.features)} features, "
            f"{len(self.train.x)} rows to train on and {len(self.test.x)} to test on)"
        )

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


def split(
    name: str,
    x: Float[np.ndarray, "m d"],
    y: np.ndarray,
    features: list[str],
    task: Task,
    test_size: float,
    seed: int,
    order: tuple[str, ...] | None = None,
) -> Split:
    """Rows in two parts; `order` lists classes where the data have an order of their own."""
    _check_split(len(x), test_size, seed)
    digest = _digest(features, x, y)
    classes: tuple[str, ...] = ()
    stratify = None
    if task == "classification":
        classes, stratify = _class_numbers(y, order, test_size)
        y = stratify.astype(float)
    parts = train_test_split(x, y, test_size=test_size, random_state=seed, stratify=stratify)
    train_x, test_x, train_y, test_y = map(np.asarray, parts)
    inputs, targets = Scale.of_rows(train_x), Scale.none(1)
    if task == "regression":
        constant = bool(is_constant(train_y[:, None])[0])
        require(not constant, "target: has one value only in the training part")
        targets = Scale.of_rows(train_y[:, None])

    def law(x: np.ndarray, y: np.ndarray) -> Empirical:
        standard = _standard(features, inputs, x)
        return Empirical(with_bias(standard), _standard(["target"], targets, y[:, None]))

    return Split(
        law(train_x, train_y),
        law(test_x, test_y),
        name,
        task,
        tuple(map(str, features)),
        classes,
        float(targets.mean[0]),
        float(targets.std[0]),
        digest,
    )


def _check_split(rows: int, test_size: float, seed: int) -> None:
    require(
        is_number(test_size) and 0 < test_size < 1,
        f"test_size: takes a number between 0 and 1, got {shown(test_size)}",
    )
    require(
        is_whole(seed, 0) and seed < 2**32,
        f"split_seed: takes an integer from 0 to 2^32 - 1, got {shown(seed)}",
    )
    require(rows >= 4, f"path: the data have {rows} rows; 4 are the least that can be split")
    kept = rows - int(np.ceil(test_size * rows))
    require(
        kept >= 2, f"test_size: {test_size} of {rows} rows leaves {kept} to train on; 2 are least"
    )


def _class_numbers(
    y: np.ndarray, order: tuple[str, ...] | None, test_size: float
) -> tuple[tuple[str, ...], np.ndarray]:
    """The classes, in the data set's own order if it has one, and each row's number."""
    labels, numbers, counts = np.unique(y, return_inverse=True, return_counts=True)
    classes = tuple(str(label) for label in labels)
    require(len(classes) >= 2, f"target: has one class only, {classes[0]!r}")
    if order is not None:
        numbers = np.asarray([order.index(c) for c in classes])[numbers]
        classes = order
    rare = str(labels[counts.argmin()])
    require(counts.min() >= 2, f"target: class {rare!r} has one row; takes 2 or more a class")
    least = int(np.floor(min(test_size, 1 - test_size) * len(y)))
    require(
        least >= len(classes),
        f"test_size: {test_size} of {len(y)} rows leaves a part smaller than the "
        f"{len(classes)} classes",
    )
    return classes, numbers.reshape(-1)


def _standard(names: list[str], scale: Scale, values: np.ndarray) -> Float[Array, "m d"]:
    """Columns in units of a scale, in JAX's precision."""
    standard: Array = jnp.asarray(scale.standard(values), dtype=float)
    wide = np.flatnonzero(~np.isfinite(np.asarray(standard)).all(axis=0))
    if wide.size:
        raise InvalidInput(
            f"column {names[wide[0]]!r}: its values or their spread leave the range of "
            "floating-point numbers; rescale it"
        )
    return standard


def _digest(names: list[str], x: np.ndarray, y: np.ndarray) -> str:
    """Of the columns as read: it tells whether data were edited."""
    found = hashlib.sha256(json.dumps([list(map(str, names)), x.shape]).encode())
    found.update(np.ascontiguousarray(x, "<f8").tobytes())
    found.update(json.dumps(y.tolist(), default=str).encode())
    return found.hexdigest()

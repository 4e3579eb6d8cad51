"""Data sets that come with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import datasets

from .splits import Split, Task, split


def digits(test_size: float = 0.25, seed: int = 0) -> Split:
    """1797 images of 8 x 8 pixels, ten classes; d = 65.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> len(nr.datasets.digits().classes)
        10

        ```
    """
    return _bundled("digits", datasets.load_digits, "classification", test_size, seed)


def breast_cancer(test_size: float = 0.25, seed: int = 0) -> Split:
    """569 tumours by 30 measurements, two classes; d = 31.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.datasets.breast_cancer().task
        'classification'

        ```
    """
    return _bundled("breast_cancer", datasets.load_breast_cancer, "classification", test_size, seed)


def wine(test_size: float = 0.25, seed: int = 0) -> Split:
    """178 wines by 13 analyses, three classes; d = 14.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> split = nr.datasets.wine()
        >>> split.train.input_dim, len(split.classes)
        (14, 3)

        ```
    """
    return _bundled("wine", datasets.load_wine, "classification", test_size, seed)


def diabetes(test_size: float = 0.25, seed: int = 0) -> Split:
    """442 patients by 10 measurements, the disease's progress as a number; d = 11.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.datasets.diabetes().task
        'regression'

        ```
    """
    return _bundled("diabetes", datasets.load_diabetes, "regression", test_size, seed)


BUNDLED: dict[str, Callable[..., Split]] = {
    "digits": digits,
    "breast_cancer": breast_cancer,
    "wine": wine,
    "diabetes": diabetes,
}


def _bundled(name: str, load: Callable[..., Any], task: Task, test_size: float, seed: int) -> Split:
    data = load()
    y = data.target
    if task == "classification":
        y = np.asarray([str(label) for label in data.target_names])[data.target]
    order = None if task == "regression" else tuple(str(label) for label in data.target_names)
    return split(name, data.data, y, list(data.feature_names), task, test_size, seed, order)

"""What the parameters of an estimator may be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..checks import is_number, is_whole, require, shown


def is_limit(width: object) -> bool:
    """Whether that width asks for the limit."""
    return isinstance(width, float | np.floating) and width == math.inf


def check_parameters(estimator: Any) -> None:
    """Raise `InvalidInput` for a parameter that cannot be used."""
    for name, least in (
        ("depth", 2),
        ("rank", 1),
        ("batch_size", 1),
        ("max_iter", 1),
        ("nodes", 1),
        ("n_iter_no_change", 1),
        ("n_networks", 1),
    ):
        value = getattr(estimator, name)
        require(is_whole(value, least), f"{name}: takes an integer >= {least}, got {shown(value)}")
    require(
        is_limit(estimator.width) or is_whole(estimator.width, 1),
        f"width: takes an integer >= 1, or inf for the limit, got {estimator.width!r}",
    )
    rate = estimator.learning_rate
    require(
        rate is None or (is_number(rate) and rate > 0),
        f"learning_rate: takes a positive number, or None to find one, got {shown(rate)}",
    )
    require(
        estimator.n_networks == 1 or not is_limit(estimator.width),
        f"n_networks: the limit (width inf) is one, got {shown(estimator.n_networks)}",
    )
    friction = estimator.momentum
    require(
        friction is None or (is_number(friction) and friction >= 0),
        f"momentum: takes a friction >= 0 in MF time, or None for no momentum, got {shown(friction)}",
    )
    for name in ("alpha", "balance", "tol"):
        value = getattr(estimator, name)
        require(is_number(value) and value >= 0, f"{name}: takes a number >= 0, got {shown(value)}")
    require(
        estimator.schedule in ("cosine", "constant"),
        f"schedule: takes 'cosine' or 'constant', got {estimator.schedule!r}",
    )
    early = estimator.early_stopping
    require(
        isinstance(early, bool | np.bool) or early == "auto",
        f"early_stopping: takes True, False or 'auto', got {shown(early)}",
    )
    share = estimator.validation_fraction
    require(
        is_number(share) and 0 < share < 1,
        f"validation_fraction: takes a number between 0 and 1, got {shown(share)}",
    )

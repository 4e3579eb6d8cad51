"""The estimators with default parameters beside scikit-learn's MLPs, over 5 folds.

Peers get standardised inputs from a `StandardScaler`, ours raw ones: it standardises inside. In
each fold all models are fitted in turn. A program is compiled at the first fit of a kind, so that
its seconds stand apart from the median of the others.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neuronal as nr

from .common import report

DATA = {
    "digits": datasets.load_digits,
    "breast cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
    "diabetes": datasets.load_diabetes,
}
FOLDS, WIDE = 5, (512, 512, 512)


def models(regression: bool) -> dict:
    """Ours first, then its peers."""
    ours = nr.MeanFieldRegressor if regression else nr.MeanFieldClassifier
    peer = MLPRegressor if regression else MLPClassifier
    name = peer.__name__
    return {
        ours.__name__: ours(random_state=0),
        name: make_pipeline(StandardScaler(), peer(random_state=0)),
        f"{name} {WIDE}": make_pipeline(
            StandardScaler(), peer(hidden_layer_sizes=WIDE, random_state=0)
        ),
    }


def main(data=tuple(DATA)) -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = []
    for name in data:
        x, y = DATA[name](return_X_y=True)
        regression = name == "diabetes"
        folds = (KFold if regression else StratifiedKFold)(FOLDS, shuffle=True, random_state=0)
        fits = models(regression)
        scores, seconds = ({model: [] for model in fits} for _ in range(2))
        for train, test in folds.split(x, y):
            for model, estimator in fits.items():
                began = time.perf_counter()
                estimator.fit(x[train], y[train])
                seconds[model].append(time.perf_counter() - began)
                scores[model].append(estimator.score(x[test], y[test]))
        for model in fits:
            rows.append(
                {
                    "data": name,
                    "model": model,
                    "score": "R^2" if regression else "accuracy",
                    "mean": float(np.mean(scores[model])),
                    "standard error": float(np.std(scores[model], ddof=1) / np.sqrt(FOLDS)),
                    "seconds, first fit": seconds[model][0],
                    "seconds, median of others": float(np.median(seconds[model][1:])),
                }
            )
            print(rows[-1], flush=True)
    report(
        "estimators",
        f"{FOLDS}-fold scores and fit times, default parameters, one set for all data",
        rows,
        "standard error: over folds; the MLPs' 200 epochs end before they converge on some sets",
    )


if __name__ == "__main__":
    main()

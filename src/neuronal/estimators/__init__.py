"""Scikit-learn's estimators: `nr.MeanFieldRegressor` and `nr.MeanFieldClassifier`."""

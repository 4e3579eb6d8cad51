"""Scikit-learn's estimators: fit and predict by mean-field networks, or by their limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from scipy import special
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from .. import losses
from ..activations import Activation
from ..checks import require, shown
from ..errors import InvalidInput
from ..losses import CrossEntropy, Loss
from .base import MeanFieldEstimator
from .classes import distinct, factors
from .parameters import check_parameters
from .samples import Rows, sample_weights, validated


class MeanFieldRegressor(RegressorMixin, MeanFieldEstimator):
    r"""Regression by a mean-field network, or by its limit; one target or several.

    Targets are standardised for the fit, and predictions are in their own units. All
    parameters and attributes but these are those of
    `neuronal.estimators.base.MeanFieldEstimator`.

    Args:
        loss: of standardised targets, a name (``squared``, ``pseudo_huber``, ``log_cosh``,
            ``cauchy``) or such an object of `neuronal.losses`.

    Attributes:
        n_outputs_ (int): targets.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 64)[:, None]
        >>> y = np.sin(3 * x[:, 0])
        >>> model = nr.MeanFieldRegressor(width=32, max_iter=400, random_state=0).fit(x, y)
        >>> bool(model.score(x, y) > 0.99)
        True

        ```
    """

    def __init__(
        self,
        depth: int = 3,
        width: int | float = 256,
        *,
        rank: int = 16,
        activation: str | Activation = "tanh",
        loss: str | Loss = "squared",
        learning_rate: float | None = None,
        alpha: float = 0.0,
        momentum: float | None = None,
        batch_size: int = 32,
        max_iter: int = 50,
        schedule: str = "cosine",
        balance: float = 1.0,
        nodes: int = 256,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        n_networks: int = 1,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        super().__init__(
            depth,
            width,
            rank=rank,
            activation=activation,
            learning_rate=learning_rate,
            alpha=alpha,
            momentum=momentum,
            batch_size=batch_size,
            max_iter=max_iter,
            schedule=schedule,
            balance=balance,
            nodes=nodes,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            n_networks=n_networks,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.loss = loss

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to `X (m, d)`, `y (m,)` or `(m, k)`, `sample_weight (m,)` or 1.

        Raises:
            InvalidInput: a parameter, weight or shape that cannot be used, named; other
                `ValueError`s are scikit-learn's own, on X and y.
            DivergenceError: at the rate given, or at every rate.
        """
        samples = self._samples(X, y, sample_weight, self._fresh())
        return self._learn(samples, self.n_outputs_, self._loss())

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch on these samples at a constant rate.

        The first call takes scales and, if none is given, the rate from its samples, so that
        they should be typical. Arguments and errors are those of `fit`.
        """
        samples = self._samples(X, y, sample_weight, not hasattr(self, "network_"))
        return self._learn_a_part(samples, self.n_outputs_, self._loss())

    def predict(self, X: Any) -> Float[np.ndarray, "m"] | Float[np.ndarray, "m k"]:
        """The target at inputs `X (m, d)`, in its own units, in the shape of the `y` fitted to."""
        outputs = self._outputs(X)
        values = self._state.targets.original(outputs)
        return values[:, 0] if self._flat else values

    def _samples(self, X: Any, y: Any, sample_weight: Any, fresh: bool) -> Rows:
        check_parameters(self)
        X, y = validated(self, X, y, multi_output=True, y_numeric=True, reset=fresh)
        columns = np.asarray(y, float).reshape(len(X), -1)
        if not fresh and columns.shape[1] != self.n_outputs_:
            raise InvalidInput(
                f"y: has {columns.shape[1]} columns; the estimator was fitted to {self.n_outputs_}"
            )
        self._flat, self.n_outputs_ = np.ndim(y) == 1, columns.shape[1]
        return Rows(X, columns, sample_weights(sample_weight, len(X)))

    def _loss(self) -> Loss:
        loss = losses.get(self.loss) if isinstance(self.loss, str) else self.loss
        known = [name for name, kind in losses.LOSSES.items() if not kind.takes_classes]
        require(
            isinstance(loss, Loss) and not loss.takes_classes,
            f"loss: takes {', '.join(known)} or such an object, got {self.loss!r}",
        )
        return loss

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class MeanFieldClassifier(ClassifierMixin, MeanFieldEstimator):
    r"""Classification by a mean-field network, or by its limit; two classes or more.

    The loss is cross-entropy, with one output per class; labels are numbers or strings. All
    parameters and attributes but these are those of
    `neuronal.estimators.base.MeanFieldEstimator`.

    Args:
        class_weight: factors of the samples' weights by their label, 1 where a label is not named;
            ``balanced`` gives all classes the same weight in total.

    Attributes:
        classes_ (ndarray): the labels, in order.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> from sklearn.datasets import load_iris
        >>> x, y = load_iris(return_X_y=True)
        >>> model = nr.MeanFieldClassifier(width=32, random_state=0).fit(x, y)
        >>> bool(model.score(x, y) > 0.95)
        True

        ```
    """

    def __init__(
        self,
        depth: int = 3,
        width: int | float = 256,
        *,
        rank: int = 16,
        activation: str | Activation = "tanh",
        class_weight: Mapping[Any, float] | str | None = None,
        learning_rate: float | None = None,
        alpha: float = 0.0,
        momentum: float | None = None,
        batch_size: int = 32,
        max_iter: int = 50,
        schedule: str = "cosine",
        balance: float = 1.0,
        nodes: int = 256,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        n_networks: int = 1,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        super().__init__(
            depth,
            width,
            rank=rank,
            activation=activation,
            learning_rate=learning_rate,
            alpha=alpha,
            momentum=momentum,
            batch_size=batch_size,
            max_iter=max_iter,
            schedule=schedule,
            balance=balance,
            nodes=nodes,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            n_networks=n_networks,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to `X (m, d)`, labels `y (m,)`, `sample_weight (m,)` or 1.

        Raises:
            InvalidInput: a parameter, weight or label that cannot be used, named; other
                `ValueError`s are scikit-learn's own, on X and y.
            DivergenceError: at the rate given, or at every rate.
        """
        samples = self._samples(X, y, sample_weight, self._fresh(), None)
        return self._learn(samples, len(self.classes_), CrossEntropy())

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One epoch on these samples at a constant rate.

        The first call takes scales and, if none is given, the rate from its samples, so that
        they should be typical; `classes` lists the labels of all calls, those of `y` if left
        out, and may be left out or the same in later ones. Other arguments and errors are those of `fit`.
        """
        require(
            self.class_weight != "balanced",
            "class_weight: 'balanced' counts the classes of all samples, which partial_fit does not "
            "see; give the factors",
        )
        fresh = not hasattr(self, "network_")
        samples = self._samples(X, y, sample_weight, fresh, classes)
        return self._learn_a_part(samples, len(self.classes_), CrossEntropy())

    def predict_proba(self, X: Any) -> Float[np.ndarray, "m k"]:
        """The probability of each class, `(m, k)`, in the order of `classes_`."""
        return special.softmax(self._outputs(X), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class at inputs `X (m, d)`."""
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(axis=1)]

    def _samples(self, X: Any, y: Any, sample_weight: Any, fresh: bool, classes: Any) -> Rows:
        check_parameters(self)
        X, y = validated(self, X, y, reset=fresh)
        check_classification_targets(y)
        y = column_or_1d(y)
        weights = sample_weights(sample_weight, len(X))
        X, y, weights = X[weights > 0], y[weights > 0], weights[weights > 0]
        found = None if classes is None else distinct(classes)
        if fresh:
            found = np.unique(y) if found is None else found
            require(len(found) >= 2, f"y: takes two classes or more, got one class, {shown(found)}")
            self.classes_ = found
        require(
            found is None or np.array_equal(found, self.classes_),
            f"classes: takes those of the first call, {self.classes_.tolist()}, got {shown(classes)}",
        )
        unknown = np.setdiff1d(y, self.classes_)
        require(
            len(unknown) == 0,
            f"y: {unknown[:3].tolist()} not among the classes fitted to, {self.classes_.tolist()}",
        )
        numbers = np.searchsorted(self.classes_, y)
        weights = weights * factors(self.class_weight, self.classes_, numbers, weights)
        require(bool(weights.any()), "class_weight: leaves no sample a weight above 0")
        return Rows(X, numbers[:, None].astype(float), weights)

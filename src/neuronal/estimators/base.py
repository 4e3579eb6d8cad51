"""What regressor and classifier share: parameters, the fit, the raw outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..activations import Activation
from ..checks import is_whole, require, shown
from ..distributions import Samples
from ..losses import Loss
from ..widths.resample import resample
from . import link
from .running import Run, run
from .samples import Rows, biased, validated
from .starting import start
from .training import State, Training

_ROWS = 512
"""Rows predicted at once, always, so that it compiles once and a row's result depends on no other."""
_ENOUGH_TO_HOLD_OUT = 10_000
"""Distinct samples above which `early_stopping="auto"` holds some out, as scikit-learn's boosting does."""


class MeanFieldEstimator(BaseEstimator):
    r"""The part of `MeanFieldRegressor` and `MeanFieldClassifier` that is the same.

    Inputs are standardised and a constant coordinate is appended; a bidirectional embedding
    whose critical gain is that of the data gives the neurons; SGD on the law of the samples
    trains them. What is learned depends on the data through that law alone: on neither the
    order of samples, nor on whether one is repeated or has a weight of 2.

    Args:
        depth: L, layers of weights, 2 or more.
        width: neurons per hidden layer; ``inf`` for the limit itself, by `neuronal.solve`.
        rank: of the embedding.
        activation: of the hidden layers, a name or an `Activation`.
        learning_rate: $\epsilon$, the MF time of a step. If left out it is found at width
            32, by the risk on a fifth of the samples held out, among factors of 2 (the best
            and its neighbours by the mean of three such runs), and serves the width asked
            for: a rate in mean-field time belongs to no width. Since `max_iter` fixes the
            steps it settles how long, in MF time, a run is.
        alpha: $\lambda$ of weight decay, for all layers, in MF time (`neuronal.Problem`): like the rate
            it belongs to no width.
        momentum: $\gamma$ of the heavy ball, a friction in MF time (`neuronal.Problem`), which belongs to
            no width either; None is none. Every fit begins at rest.
        batch_size: samples per step, drawn by their weights, with replacement.
        max_iter: epochs; an epoch has as many draws as there are distinct samples. The limit
            is run over the same MF time.
        schedule: ``cosine``, rates falling to zero over the run, or ``constant``.
        balance: p in the rates $(L-2)^{-p}$ of the middle layers
            (`neuronal.schedules.depth_balanced`).
        nodes: quadrature nodes per hidden layer, where width is ``inf``.
        early_stopping: whether to hold samples out, stop when their loss has ceased to fall,
            and keep the weights at which it was least; ``auto`` does with more than 10,000
            distinct samples.
        validation_fraction: the share held out, of distinct samples.
        n_iter_no_change, tol: epochs without a fall by `tol` after which to stop.
        n_networks: networks whose outputs are averaged, each of neurons, draws and held-out samples of
            its own; the rate is found once. The limit has no such chance to average: it takes 1.
        warm_start: whether `fit` goes on from the last one: same network, scales and
            rate; changes to depth, width, rank, activation or nodes are not seen.
        random_state: an integer, a RandomState or None.
        verbose: print a line per epoch.

    Attributes:
        network_ (Network): on standardised inputs and the constant coordinate.
        networks_ (list): all of them. What follows is the first one's.
        learning_rate_ (float): the rate used.
        n_iter_ (int): epochs of the last fit; `time_` the MF time of all.
        loss_curve_ (list): the risk on the training samples at the start and at some epochs: all of
            them with `early_stopping` or `verbose`, else 8.
        validation_loss_curve_ (list): the same of samples held out, with `early_stopping`;
            `best_validation_loss_` is the least.
        n_features_in_ (int): columns of X; `feature_names_in_` their names, if they have some.
    """

    _doc_link_module = "neuronal"

    @property
    def _doc_link_template(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return link.template()

    def __init__(
        self,
        depth: int = 3,
        width: int | float = 256,
        *,
        rank: int = 16,
        activation: str | Activation = "tanh",
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
        self.depth = depth
        self.width = width
        self.rank = rank
        self.activation = activation
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.momentum = momentum
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.schedule = schedule
        self.balance = balance
        self.nodes = nodes
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.n_networks = n_networks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def resample(self, width: int, X: Any = None) -> Self:
        """A fitted copy whose network has that width: neurons drawn from this one's.

        Args:
            X: if given, inputs like those to predict at, whose predictions the measures of the
                neurons drawn are moved to keep (`neuronal.resample`).

        Raises:
            InvalidInput: a width below 1.
        """
        check_is_fitted(self, "network_")
        require(
            is_whole(width, 1),
            f"width: takes one integer >= 1 for all hidden layers, got {shown(width)}; "
            "neuronal.resample(model.network_, widths, key) takes one per layer",
        )
        inputs = None
        if X is not None:
            x = np.asarray(validated(self, X, reset=False))
            inputs = biased(self._state.inputs, x)
        other = copy(self).set_params(width=width)
        other._take_up(
            replace(state, network=resample(state.network, width, state.seed, inputs), limit=False)
            for state in self._states
        )
        return other

    @property
    def _state(self) -> State:
        """The first network's, with the scales that all share."""
        return self._states[0]

    def _take_up(self, states: Iterable[State]) -> None:
        self._states = list(states)
        self.networks_ = [state.network for state in self._states]
        self.network_ = self.networks_[0]

    def _fresh(self) -> bool:
        """Whether `fit` starts anew."""
        return not (self.warm_start and hasattr(self, "network_"))

    def _learn(self, samples: Rows, outputs: int, loss: Loss) -> Self:
        """`fit`: whole runs, from new networks or (warm start) from where they are."""
        samples = samples.distinct()
        training = self._training(loss, annealed=self.schedule == "cosine")
        states = start(self, samples, outputs, training) if self._fresh() else self._states
        return self._run(training, states, samples, int(self.max_iter), self._holds_out(samples))

    def _learn_a_part(self, samples: Rows, outputs: int, loss: Loss) -> Self:
        """`partial_fit`: one epoch at a constant rate."""
        samples = samples.distinct()
        training = self._training(loss, annealed=False)
        started = hasattr(self, "network_")
        states = self._states if started else start(self, samples, outputs, training)
        return self._run(training, states, samples, 1, False)

    def _training(self, loss: Loss, annealed: bool) -> Training:
        return Training(
            loss,
            int(self.depth),
            annealed,
            float(self.balance),
            int(self.batch_size),
            float(self.alpha),
            None if self.momentum is None else float(self.momentum),
        )

    def _holds_out(self, samples: Rows) -> bool:
        """Whether samples are held out to stop early."""
        if self.early_stopping == "auto":
            return len(samples.x) > _ENOUGH_TO_HOLD_OUT
        return bool(self.early_stopping)

    def _run(
        self,
        training: Training,
        states: Sequence[State],
        samples: Rows,
        epochs: int,
        holds_out: bool,
    ) -> Self:
        """Run on and, once all have ended, take up what came out."""
        training = replace(training, depth=states[0].network.depth)
        runs = [self._one_run(training, state, samples, epochs, holds_out) for state in states]
        self._take_up(ended.state for ended in runs)
        watch = runs[0].watch
        self.learning_rate_, self.time_ = self._state.rate, self._state.time
        self.n_iter_, self.loss_curve_ = watch.epoch, watch.curve
        if holds_out:
            self.validation_loss_curve_ = watch.validation_curve
            self.best_validation_loss_ = watch.least
        return self

    def _one_run(
        self, training: Training, state: State, samples: Rows, epochs: int, holds_out: bool
    ) -> Run:
        kept, validation = samples, None
        if holds_out:
            strata = training.loss.takes_classes
            kept, held_out = samples.split(self.validation_fraction, state.seed, strata)
            validation = Samples(*held_out.law(state.inputs, state.targets).quadrature(1))
        return run(self, training, state, kept, epochs, validation)

    def _outputs(self, X: Any) -> Float[np.ndarray, "m k"]:
        """The mean of the networks' outputs, in double precision."""
        check_is_fitted(self, "network_")
        x = np.asarray(validated(self, X, reset=False))
        parts = []
        for i in range(0, len(x), _ROWS):
            rows = x[i : i + _ROWS]
            filled = rows[np.minimum(np.arange(_ROWS), len(rows) - 1)]
            inputs = biased(self._state.inputs, filled)
            values = [np.asarray(network(inputs), float) for network in self.networks_]
            parts.append(np.mean(values, axis=0)[: len(rows)])
        return np.concatenate(parts)

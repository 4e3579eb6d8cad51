"""What regressor and classifier share: parameters, the fit, the raw outputs."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any, Self

import jax
import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .. import embeddings
from ..activations import Activation
from ..checks import is_whole, require, shown
from ..datasets.scale import Scale
from ..distributions import Samples
from ..drivers.storage import choose_kernel
from ..errors import DivergenceError
from ..losses import Loss
from ..network import Network
from ..widths.resample import resample
from .parameters import is_limit
from .samples import Rows, biased, validated
from .training import SEARCH_WIDTH, State, Stopped, Training, Trial, Watch, narrowed

_ROWS = 512
"""Rows predicted at once, always, so that it compiles once and a row's result depends on no other."""
_RECORDS = 8
"""Records of a run that nobody watches."""
_HALVINGS = 4
"""Times a rate that was found is halved where the run diverges."""
_SEARCH_SHARE = 0.2
"""Of the samples, held out in the search for a rate, if there are `_LEAST_TO_SPLIT`."""
_LEAST_TO_SPLIT = 10
_TRIALS = 3
"""Runs by whose mean risk the best rate and its neighbours are compared, each with other samples held out."""


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
        batch_size: samples per step, drawn by their weights, with replacement.
        max_iter: epochs; an epoch has as many draws as there are distinct samples. The limit
            is run over the same MF time.
        schedule: ``cosine``, rates falling to zero over the run, or ``constant``.
        balance: p in the rates $(L-2)^{-p}$ of the middle layers
            (`neuronal.schedules.depth_balanced`).
        nodes: quadrature nodes per hidden layer, where width is ``inf``.
        early_stopping: whether to hold samples out, stop when their loss has ceased to fall,
            and keep the weights at which it was least.
        validation_fraction: the share held out, of distinct samples.
        n_iter_no_change, tol: epochs without a fall by `tol` after which to stop.
        warm_start: whether `fit` goes on from the last one: same network, scales and
            rate; changes to depth, width, rank, activation or nodes are not seen.
        random_state: an integer, a RandomState or None.
        verbose: print a line per epoch.

    Attributes:
        network_ (Network): on standardised inputs and the constant coordinate.
        learning_rate_ (float): the rate used.
        n_iter_ (int): epochs of the last fit; `time_` the MF time of all.
        loss_curve_ (list): the risk on the training samples at the start and at some epochs: all of
            them with `early_stopping` or `verbose`, else 8.
        validation_loss_curve_ (list): the same of samples held out, with `early_stopping`;
            `best_validation_loss_` is the least.
        n_features_in_ (int): columns of X; `feature_names_in_` their names, if they have some.
    """

    def __init__(
        self,
        depth: int = 3,
        width: int | float = 256,
        *,
        rank: int = 16,
        activation: str | Activation = "tanh",
        learning_rate: float | None = None,
        alpha: float = 0.0,
        batch_size: int = 32,
        max_iter: int = 50,
        schedule: str = "cosine",
        balance: float = 1.0,
        nodes: int = 256,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
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
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.schedule = schedule
        self.balance = balance
        self.nodes = nodes
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
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
        network = resample(self.network_, width, self._state.seed, inputs)
        other = copy(self).set_params(width=width)
        other._state, other.network_ = replace(self._state, network=network, limit=False), network
        return other

    def _fresh(self) -> bool:
        """Whether `fit` starts anew."""
        return not (self.warm_start and hasattr(self, "network_"))

    def _learn(self, samples: Rows, outputs: int, loss: Loss) -> Self:
        """`fit`: a whole run, from a new network or (warm start) from where it is."""
        samples = samples.distinct()
        training = self._training(loss, annealed=self.schedule == "cosine")
        state = self._start(samples, outputs, training) if self._fresh() else self._state
        training = replace(training, depth=state.network.depth)
        kept, validation = samples, None
        if self.early_stopping:
            share, strata = self.validation_fraction, loss.takes_classes
            kept, held_out = samples.split(share, state.seed, strata)
            validation = Samples(*held_out.law(state.inputs, state.targets).quadrature(1))
        return self._run(training, state, kept, int(self.max_iter), validation)

    def _learn_a_part(self, samples: Rows, outputs: int, loss: Loss) -> Self:
        """`partial_fit`: one epoch at a constant rate."""
        samples = samples.distinct()
        training = self._training(loss, annealed=False)
        started = hasattr(self, "network_")
        state = self._state if started else self._start(samples, outputs, training)
        training = replace(training, depth=state.network.depth)
        return self._run(training, state, samples, 1, None)

    def _training(self, loss: Loss, annealed: bool) -> Training:
        balance, batch = float(self.balance), int(self.batch_size)
        return Training(loss, int(self.depth), annealed, balance, batch, float(self.alpha))

    def _start(self, samples: Rows, outputs: int, training: Training) -> State:
        """Scales, the initial network, and a rate if none is given."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        inputs = Scale.of(samples.x, samples.weights)
        classes = training.loss.takes_classes
        targets = Scale.none(1) if classes else Scale.of(samples.y, samples.weights)
        x = biased(inputs, samples.x)
        spread = bool(np.any(np.ptp(np.asarray(x), axis=0) > 0))
        embedding = embeddings.Bidirectional(
            x.shape[1],
            training.depth,
            outputs,
            self.activation,
            int(self.rank),
            inputs=x if spread else None,
        )
        key = jax.random.key(seed)
        limit = is_limit(self.width)
        if limit:
            nodes = int(self.nodes)
            kernel, _ = choose_kernel(embedding, nodes, "auto")
            network = embedding.quadrature(nodes, key=key, kernel=kernel)
        else:
            network = embedding.sample(int(self.width), key)
        state = State(inputs, targets, seed, network, limit)
        if self.learning_rate is None:
            narrow = embedding.sample(SEARCH_WIDTH, key) if limit else narrowed(network)
            state.rate = self._find_rate(training, state, samples, narrow)
        return state

    def _find_rate(self, training: Training, state: State, samples: Rows, narrow: Network) -> float:
        trials = []
        for trial in range(_TRIALS):
            kept = held_out = samples
            if len(samples.x) >= _LEAST_TO_SPLIT:
                kept, held_out = samples.split(_SEARCH_SHARE, state.seed + trial)
            law, others = (part.law(state.inputs, state.targets) for part in (kept, held_out))
            key = jax.random.fold_in(jax.random.key(state.seed), trial)
            trials.append(Trial(law, Samples(*others.quadrature(1)), key))
        return training.find_rate(
            trials, narrow, training.steps(len(samples.x), int(self.max_iter))
        )

    def _run(
        self,
        training: Training,
        state: State,
        samples: Rows,
        epochs: int,
        validation: Samples | None,
    ) -> Self:
        """Run on and, once that is done, take up what came out."""
        law = samples.law(state.inputs, state.targets)
        steps = training.steps(len(samples.x), epochs)
        rate = state.rate if self.learning_rate is None else float(self.learning_rate)
        halvings = _HALVINGS if self.learning_rate is None else 0
        while True:
            watch = self._watch(training.loss, epochs, rate * steps, validation)
            try:
                self._drive(training, state, law, rate, steps, watch)
            except Stopped:
                pass
            except DivergenceError:
                # One found at another width may be too large by little; one given is as given.
                if halvings == 0:
                    raise
                rate, halvings = rate / 2, halvings - 1
                continue
            break
        assert watch.network is not None
        done = round(watch.time / rate)
        self._state = replace(
            state,
            network=watch.network,
            rate=rate,
            steps=state.steps + done,
            time=state.time + watch.time,
        )
        self.network_, self.learning_rate_ = watch.network, rate
        self.time_, self.n_iter_ = self._state.time, watch.epoch
        self.loss_curve_ = watch.curve
        if validation is not None:
            self.validation_loss_curve_ = watch.validation_curve
            self.best_validation_loss_ = watch.least
        return self

    def _watch(self, loss: Loss, epochs: int, until: float, validation: Samples | None) -> Watch:
        every = validation is not None or self.verbose
        return Watch(
            epochs,
            until,
            loss,
            epochs if every else min(epochs, _RECORDS),
            validation,
            int(self.n_iter_no_change),
            float(self.tol),
            bool(self.verbose),
        )

    def _drive(
        self, training: Training, state: State, law: Any, rate: float, steps: int, watch: Watch
    ) -> None:
        if state.limit:
            training.limit(law, state.network, rate, steps, watch)
        else:
            key = jax.random.fold_in(jax.random.key(state.seed), state.steps)
            training.sgd(law, state.network, rate, steps, key, watch)

    def _outputs(self, X: Any) -> Float[np.ndarray, "m k"]:
        """The network's outputs, in double precision."""
        check_is_fitted(self, "network_")
        x = np.asarray(validated(self, X, reset=False))
        parts = []
        for i in range(0, len(x), _ROWS):
            rows = x[i : i + _ROWS]
            filled = rows[np.minimum(np.arange(_ROWS), len(rows) - 1)]
            values = self.network_(biased(self._state.inputs, filled))
            parts.append(np.asarray(values)[: len(rows)])
        return np.concatenate(parts).astype(float)

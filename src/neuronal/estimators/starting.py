"""How a fit begins: scales of the data, initial networks, and a rate if none is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
from sklearn.utils import check_random_state

from .. import embeddings
from ..datasets.scale import Scale
from ..distributions import Samples
from ..drivers.storage import choose_kernel
from ..network import Network
from ..problem import Problem
from .parameters import is_limit
from .samples import Rows, biased
from .training import SEARCH_WIDTH, State, Training, Trial, narrowed

_SEARCH_SHARE = 0.2
"""Of the samples, held out in the search for a rate, if there are `_LEAST_TO_SPLIT`."""
_LEAST_TO_SPLIT = 10
_TRIALS = 3
"""Runs by whose mean risk the best rate and its neighbours are compared, each with other samples held out."""


def start(estimator: Any, samples: Rows, outputs: int, training: Training) -> list[State]:
    """What the runs of a fit start from, one per network: of one embedding, at one rate."""
    count = int(estimator.n_networks)
    seeds = check_random_state(estimator.random_state).randint(2**31 - 1, size=count)
    inputs = Scale.of(samples.x, samples.weights)
    classes = training.loss.takes_classes
    targets = Scale.none(1) if classes else Scale.of(samples.y, samples.weights)
    x = biased(inputs, samples.x)
    spread = bool(np.any(np.ptp(np.asarray(x), axis=0) > 0))
    embedding = embeddings.Bidirectional(
        x.shape[1],
        training.depth,
        outputs,
        estimator.activation,
        int(estimator.rank),
        inputs=x if spread else None,
    )
    limit = is_limit(estimator.width)

    def initial(seed: int) -> Network:
        key = jax.random.key(seed)
        if not limit:
            return embedding.sample(int(estimator.width), key)
        nodes = int(estimator.nodes)
        asked = "auto" if training.momentum is None else "dense"
        problem = Problem(samples.law(inputs, targets), training.loss)
        kernel, _ = choose_kernel(embedding, nodes, asked, problem, 1)
        return embedding.quadrature(nodes, key=key, kernel=kernel)

    states = [State(inputs, targets, int(s), initial(int(s)), limit) for s in seeds]
    if estimator.learning_rate is None:
        first = states[0]
        key = jax.random.key(first.seed)
        narrow = embedding.sample(SEARCH_WIDTH, key) if limit else narrowed(first.network)
        rate = _find_rate(training, first, samples, narrow, int(estimator.max_iter))
        states = [replace(state, rate=rate) for state in states]
    return states


def _find_rate(
    training: Training, state: State, samples: Rows, narrow: Network, epochs: int
) -> float:
    trials = []
    for trial in range(_TRIALS):
        kept = held_out = samples
        if len(samples.x) >= _LEAST_TO_SPLIT:
            kept, held_out = samples.split(_SEARCH_SHARE, state.seed + trial)
        law, others = (part.law(state.inputs, state.targets) for part in (kept, held_out))
        key = jax.random.fold_in(jax.random.key(state.seed), trial)
        trials.append(Trial(law, Samples(*others.quadrature(1)), key))
    return training.find_rate(trials, narrow, training.steps(len(samples.x), epochs))

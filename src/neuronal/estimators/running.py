"""One network's run in a fit: its rate halved where it diverges, and stopped early if asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import jax

from ..distributions import Empirical, Samples
from ..errors import DivergenceError
from ..losses import Loss
from .samples import Rows
from .training import State, Stopped, Training, Watch

_RECORDS = 8
"""Records of a run that nobody watches."""
_HALVINGS = 4
"""Times a rate that was found is halved where the run diverges."""


class Run(NamedTuple):
    """Where a run ended, and what was seen of it."""

    state: State
    watch: Watch


def run(
    estimator: Any,
    training: Training,
    state: State,
    samples: Rows,
    epochs: int,
    validation: Samples | None,
) -> Run:
    """Run `epochs` epochs on from a state.

    Raises:
        DivergenceError: at the rate given, or at the rate found and its halves.
    """
    law = samples.law(state.inputs, state.targets)
    steps = training.steps(len(samples.x), epochs)
    given = estimator.learning_rate
    rate = state.rate if given is None else float(given)
    halvings = _HALVINGS if given is None else 0
    while True:
        watch = _watch(estimator, training.loss, epochs, rate * steps, validation)
        try:
            _drive(training, state, law, rate, steps, watch)
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
    ended = replace(
        state,
        network=watch.network,
        rate=rate,
        steps=state.steps + round(watch.time / rate),
        time=state.time + watch.time,
    )
    return Run(ended, watch)


def _watch(
    estimator: Any, loss: Loss, epochs: int, until: float, validation: Samples | None
) -> Watch:
    every = validation is not None or estimator.verbose
    return Watch(
        epochs,
        until,
        loss,
        epochs if every else min(epochs, _RECORDS),
        validation,
        int(estimator.n_iter_no_change),
        float(estimator.tol),
        bool(estimator.verbose),
    )


def _drive(
    training: Training, state: State, law: Empirical, rate: float, steps: int, watch: Watch
) -> None:
    if state.limit:
        training.limit(law, state.network, rate, steps, watch)
    else:
        key = jax.random.fold_in(jax.random.key(state.seed), state.steps)
        training.sgd(law, state.network, rate, steps, key, watch)

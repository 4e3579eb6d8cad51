"""How an estimator learns: a run of SGD, or of the limit, watched epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import PRNGKeyArray

from .. import recipes
from ..datasets.scale import Scale
from ..distributions import Empirical, Samples
from ..drivers.sgd.train import train
from ..drivers.trajectory import Trajectory
from ..errors import DivergenceError
from ..losses import Loss
from ..network import Network
from ..problem import Problem, mean_loss

SEARCH_WIDTH = 32
"""Width at which a rate is searched for."""
RATES = recipes.RATES[:8]
"""Factors of 2, 0.025 to 3.2."""
_RTOL = 1e-3
_ATOL = 1e-5


class Trial(NamedTuple):
    """What a rate is tried on: samples to train on, others held out, and the key of SGD's draws."""

    law: Empirical
    held_out: Samples
    key: PRNGKeyArray


class Stopped(Exception):
    """The validation loss has ceased to fall."""


@dataclass
class Watch:
    """What is done at each record of a run.

    Attributes:
        epochs: in the whole run, of MF time `until`.
        loss: of the validation.
        records: how many in the run, besides its start.
        validation: samples held out, or None.
        patience, tol: epochs without a fall by `tol` after which `Stopped` is raised.
        verbose: print a line per record.
    """

    epochs: int
    until: float
    loss: Loss
    records: int = 1
    validation: Samples | None = None
    patience: int = 10
    tol: float = 1e-4
    verbose: bool = False
    network: Network | None = None
    epoch: int = 0
    time: float = 0.0
    curve: list[float] = field(default_factory=list)
    validation_curve: list[float] = field(default_factory=list)
    least: float = np.inf
    waited: int = 0

    def __call__(self, t: float, loss: float, network: Network) -> None:
        self.epoch, self.time = round(t / self.until * self.epochs), t
        self.curve.append(loss)
        line = f"epoch {self.epoch}/{self.epochs}, t = {t:.4g}, loss {loss:.4g}"
        if self.validation is None:
            self.network = network
        else:
            held_out = float(mean_loss(network, self.loss, *self.validation))
            self.validation_curve.append(held_out)
            line += f", validation loss {held_out:.4g}"
            self.waited = 0 if held_out < self.least - self.tol else self.waited + 1
            if held_out < self.least:
                self.least, self.network = held_out, network
        if self.verbose:
            print(line)
        if self.waited >= self.patience:
            raise Stopped


@dataclass
class State:
    """A fit under way; what an estimator keeps of it once it is done.

    Attributes:
        inputs, targets: scales of the data.
        seed: of neurons, samples and what is held out.
        network: as it is now, after `steps` steps and MF time `time`.
        limit: whether the ODE moves it, not SGD.
        rate: the learning rate.
    """

    inputs: Scale
    targets: Scale
    seed: int
    network: Network
    limit: bool
    rate: float = np.nan
    steps: int = 0
    time: float = 0.0


@dataclass(frozen=True)
class Training:
    """How an estimator trains one network, whatever its width; epochs are told by a `Watch`.

    Attributes:
        loss, depth: what is learned, and L.
        annealed: whether rates fall to zero as a cosine over a run.
        balance: power of `schedules.depth_balanced`.
        batch: samples per step.
        decay: of weights, in MF time.
        momentum: the friction of the heavy ball, in MF time, or None.
    """

    loss: Loss
    depth: int
    annealed: bool
    balance: float
    batch: int
    decay: float
    momentum: float | None = None

    def problem(self, law: Empirical, until: float) -> Problem:
        """The learning problem over MF time `until`."""
        horizon = until if self.annealed else None
        schedules = recipes.run_schedules(self.depth, self.balance, horizon)
        return Problem(law, self.loss, schedules, self.decay, momentum=self.momentum)

    def steps(self, samples: int, epochs: int) -> int:
        """Steps in `epochs` epochs on `samples` samples."""
        return -(-samples // self.batch) * epochs

    def sgd(
        self,
        law: Empirical,
        network: Network,
        rate: float,
        steps: int,
        key: PRNGKeyArray,
        watch: Watch | None = None,
    ) -> Trajectory:
        """A network trained by `steps` steps of SGD."""
        until = rate * steps
        return train(
            self.problem(law, until),
            network,
            rate,
            until,
            key,
            self.batch,
            save_at=watch.records if watch else 1,
            progress=watch or False,
        )

    def limit(
        self,
        law: Empirical,
        network: Network,
        rate: float,
        steps: int,
        watch: Watch | None = None,
    ) -> Trajectory:
        """The ODE over the MF time of `steps` steps."""
        from ..drivers.ode.solve import solve  # imports Diffrax, which SGD does not need

        until = rate * steps
        return solve(
            self.problem(law, until),
            network,
            until,
            rtol=_RTOL,
            atol=_ATOL,
            save_at=watch.records if watch else 1,
            progress=watch or False,
        )

    def find_rate(self, trials: Sequence[Trial], network: Network, steps: int) -> float:
        """The rate of `RATES` with the least risk on samples held out; `network` may be narrow.

        Rates are tried as `recipes.ascend` does in the first trial. The best one and its neighbours
        are too near to be told apart by one run: the mean over all trials decides among them.

        Raises:
            InvalidInput: even the smallest diverges.
        """

        @cache
        def risk(rate: float, trial: int) -> float:
            law, held_out, key = trials[trial]
            try:
                run = self.sgd(law, network, rate, steps, key)
            except DivergenceError:
                return np.inf
            return float(mean_loss(run.network, self.loss, *held_out))

        def mean_risk(rate: float) -> float:
            return float(np.mean([risk(rate, trial) for trial in range(len(trials))]))

        best = RATES.index(recipes.ascend(lambda rate: risk(rate, 0), RATES))
        return min(RATES[max(best - 1, 0) : best + 2], key=mean_risk)


def narrowed(network: Network, width: int = SEARCH_WIDTH) -> Network:
    """The network of the first `width` neurons of each hidden layer."""
    first, *middle, last = map(np.asarray, network.weights)
    weights = [first[:width], *(w[:width, :width] for w in middle), last[:width]]
    return Network(weights, network.activations, unit=network.unit)

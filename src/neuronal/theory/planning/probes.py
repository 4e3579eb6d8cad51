r"""What theory leaves open, tried: short runs of SGD, of which the better ones go on.

The first order may end before a budget does, and where data are fitted to the last digit it always ends.
Which width and rate is best from there on is measured: networks that the theory does not rule out are
trained for a ninth of the budget, the best third of them to a third of it, and the best of these to its
end (successive halving; Jamieson and Talwalkar 2016). Of the one that is left two more networks are
trained, and the risks of the three tell the interval.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array, PRNGKeyArray
from scipy import stats

from ...drivers.sgd.train import train
from ...errors import DivergenceError
from ...network import Network
from ...problem import Problem
from ...transfer import OfDepth
from ..fluctuations import Fluctuations
from .candidates import PER_WEIGHT, Shape

_SHARES = (1 / 9, 1 / 3, 1.0)
"""Of the budget, at which networks are compared."""
_KEPT = 3
"""One of so many goes on."""
_SEEDS = 3
"""Networks of the one that is left."""
_LOWER = 4
"""The lower rate that is tried, as a share of the largest stable one."""
OPEN = ("first order", "until")
"""Ends of a choice that are not those of the budget, nor its best."""


class Arm(NamedTuple):
    """A network that may be trained, to the end of the budget."""

    depth: int
    width: int
    learning_rate: float
    steps: int


class Probe(NamedTuple):
    """Networks that were trained: the arm, after so many steps, has this risk; infinite if it diverged."""

    depth: int
    width: int
    learning_rate: float
    steps: int
    risk: float


class Winner(NamedTuple):
    """The arm that is left, with the risks of its networks at the end."""

    arm: Arm
    risks: list[float]


def arms(
    law: Fluctuations,
    shape: Shape,
    found: xr.Dataset,
    batch_size: int,
    budget: float,
    below: float,
) -> list[Arm]:
    """Of each width of one depth that theory leaves open, the largest stable rate and a lower one.

    Args:
        found: what `choices` says of the depth.
        below: a risk that is expected elsewhere. An arm whose limit does not come below it, in the time
            that the budget pays for, is not tried.
    """
    stable = law.stable_rate(batch_size)[-1]
    rates = [rate for rate in found.learning_rate.values.tolist() if rate <= stable]
    if not rates:
        return []
    tried = [rates[-1], *[rate for rate in rates if rate <= rates[-1] / _LOWER][-1:]]
    opened = []
    for n in found.width.values.tolist():
        of_width = found.sel(width=n)
        ends = np.isin(of_width.end.values, OPEN) | np.isin(of_width.why.values, OPEN)
        steps = shape.steps(n, batch_size, budget)
        if not ends.any() or steps == 0:
            continue
        for rate in tried:
            until = rate * steps
            if until > law.times[-1] or np.interp(until, law.times, law.risk) < below:
                opened.append(Arm(shape.depth, n, rate, steps))
    return opened


@dataclass
class Trials:
    """Networks in training.

    Attributes:
        probes: what was measured, in its order.
        spent: floating-point operations of training.
    """

    problem: Problem
    of_depth: OfDepth
    batch_size: int
    key: PRNGKeyArray
    probes: list[Probe]
    say: Callable[[str], None]
    spent: float = 0.0

    def best(self, begun: Sequence[Arm]) -> Winner | None:
        """The arm that is left of them, at its end; None if there are none, or all diverged."""
        left: list[tuple[Arm, Network | None, int]] = [(arm, None, 0) for arm in begun]
        found: list[tuple[float, Arm, Network, int]] = []
        for share in _SHARES:
            found = []
            for arm, network, done in left:
                steps = max(1, round(share * arm.steps))
                risk, network = self._on(arm, 0, network, done, steps)
                if network is not None:
                    found.append((risk, arm, network, steps))
            found.sort(key=lambda one: one[0])
            left = [one[1:] for one in found[: -(-len(found) // _KEPT)]]
        if not found:
            return None
        risk, arm = found[0][:2]
        others = [self._on(arm, seed, None, 0, arm.steps)[0] for seed in range(1, _SEEDS)]
        return Winner(arm, [risk, *others])

    def _on(
        self, arm: Arm, seed: int, network: Network | None, done: int, steps: int
    ) -> tuple[float, Network | None]:
        """Train on to so many steps; the risk then, and None if it left the finite numbers."""
        neurons, samples = self._keys(arm, seed)
        embedding = self.of_depth(arm.depth)
        start = embedding.sample(arm.width, neurons) if network is None else network
        shape = Shape(arm.depth, embedding.input_dim, embedding.output_dim)
        rate = arm.learning_rate
        words = f"trying L = {arm.depth}, width {arm.width}, rate {rate:g}, {steps} steps"
        self.say(words)
        if steps > done:
            self.spent += PER_WEIGHT * self.batch_size * shape.weights(arm.width) * (steps - done)
            how = {"since": rate * done, "save_at": 1}
            try:
                run = train(
                    self.problem, start, rate, rate * steps, samples, self.batch_size, **how
                )
                risk, start = float(run.loss[-1]), run.network
            except DivergenceError:
                risk = np.inf
        else:
            risk = self.problem.risk(start)
        self.probes.append(Probe(arm.depth, arm.width, rate, steps, risk))
        return risk, start if np.isfinite(risk) else None

    def _keys(self, arm: Arm, seed: int) -> Array:
        """Of neurons and samples: common to all arms, so that they differ by what they are."""
        return jax.random.split(jax.random.fold_in(self.key, seed))


def measured_interval(risks: Sequence[float], level: float) -> tuple[float, float]:
    """Between which another network's risk lies with that probability, by Student's law of the logarithms."""
    logs = np.log(np.asarray(risks))
    half = stats.t.ppf((1 + level) / 2, len(logs) - 1) * logs.std(ddof=1)
    half *= np.sqrt(1 + 1 / len(logs))
    return float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))


def in_order(of_depths: Sequence[Sequence[Arm]], most: int) -> list[Arm]:
    """At most so many arms, those of the largest rates first, and of these all depths alike."""
    rates: dict[tuple[int, int], list[Arm]] = {}
    for arm in itertools.chain.from_iterable(of_depths):
        rates.setdefault(arm[:2], []).append(arm)
    first = [own[0] for own in rates.values()]
    second = [arm for own in rates.values() for arm in own[1:]]
    return [*first, *second][:most]

r"""What theory leaves open, tried: short runs of SGD, of which the better ones go on.

The first order may end before a budget does, and where data are fitted to the last digit it always ends.
Which width and rate is best from there on is measured: networks that the theory does not rule out are
trained for a ninth of the budget, the best third of them to a third of it, and the best of these to its
end (successive halving; Jamieson and Talwalkar 2016). The best was chosen for its risk, which chance had a
part in: three more networks of it are trained, and their risks tell what to expect. Where another law
judges, risks may rise again on the way: they are looked at more often, and a network may be best before
its end.
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
from ...recipes import OfDepth
from ..fluctuations import Fluctuations
from .candidates import PER_WEIGHT, Shape

_SHARES = (1 / 9, 1 / 3, 1.0)
"""Of the budget, at which networks are compared."""
_KEPT = 3
"""One of so many goes on."""
_SEEDS = 3
"""Networks that tell what to expect of the best, which chance has helped to be it."""
_LOWER = 4
"""The lower rate that is tried, as a share of the largest stable one."""
_LOOKS = 6
"""At a network from one share of the budget to the next, where another law judges."""
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
    """What did best: an arm, to so many steps, with the risks of three other networks there."""

    arm: Arm
    risks: list[float]


class _Run(NamedTuple):
    """A network in training: steps done, the risk there, the one that counts, and the steps of that."""

    arm: Arm
    network: Network
    done: int = 0
    last: float = np.inf
    risk: float = np.inf
    at: int = 0


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
        judged: the problem whose risk counts.
        probes: what was measured, in its order.
        spent: floating-point operations of training.
    """

    problem: Problem
    judged: Problem
    of_depth: OfDepth
    batch_size: int
    key: PRNGKeyArray
    probes: list[Probe]
    say: Callable[[str], None]
    spent: float = 0.0

    def best(self, begun: Sequence[Arm]) -> Winner | None:
        """What did best of them; None if there are none, or all diverged."""
        left = [self._start(arm, 0) for arm in begun]
        best: _Run | None = None
        for share in _SHARES:
            runs = [self._on(run, 0, max(1, round(share * run.arm.steps))) for run in left]
            ranked = sorted(filter(None, runs), key=lambda run: run.risk)
            if ranked and (best is None or not self._rises or ranked[0].risk < best.risk):
                best = ranked[0]
            left = ranked[: -(-len(ranked) // _KEPT)]
        if best is None:
            return None
        arm = best.arm._replace(steps=best.at)
        others = [self._on(self._start(arm, s), s, arm.steps) for s in range(1, _SEEDS + 1)]
        return Winner(arm, [run.last if run else np.inf for run in others])

    @property
    def _rises(self) -> bool:
        """Whether the risk may rise again on the way, and its least is looked for."""
        return self.judged is not self.problem

    def _start(self, arm: Arm, seed: int) -> _Run:
        return _Run(arm, self.of_depth(arm.depth).sample(arm.width, self._keys(seed)[0]))

    def _on(self, run: _Run, seed: int, steps: int) -> _Run | None:
        """Train on to so many steps; None if it left the finite numbers."""
        arm = run.arm
        rate, network = arm.learning_rate, run.network
        self.say(f"trying L = {arm.depth}, width {arm.width}, rate {rate:g}, {steps} steps")
        looks = [steps]
        if self._rises:
            after = max(run.done, steps // 100, 1)
            looks = np.unique(np.geomspace(after, steps, _LOOKS + 1).round().astype(int)).tolist()
        for to in looks:
            if to <= run.done:
                continue
            shape = Shape(arm.depth, network.input_dim, network.output_dim)
            per_step = PER_WEIGHT * self.batch_size * shape.weights(arm.width)
            self.spent += per_step * (to - run.done)
            try:
                network = train(
                    self.problem,
                    run.network,
                    rate,
                    rate * to,
                    self._keys(seed)[1],
                    self.batch_size,
                    since=rate * run.done,
                    save_at=1,
                ).network
                risk = self.judged.risk(network)
            except DivergenceError:
                risk = np.inf
            self.probes.append(Probe(arm.depth, arm.width, rate, to, risk))
            if not np.isfinite(risk):
                return None
            run = run._replace(network=network, done=to, last=risk)
            if risk < run.risk or not self._rises:
                run = run._replace(risk=risk, at=to)
        return run

    def _keys(self, seed: int) -> Array:
        """Of neurons and samples: common to all arms, so that they differ by what they are."""
        return jax.random.split(jax.random.fold_in(self.key, seed))


def measured_interval(risks: Sequence[float], level: float) -> tuple[float, float]:
    """Between which another network's risk lies with that probability, by Student's law of the logarithms."""
    logs = np.log(np.maximum(risks, np.finfo(float).tiny))
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

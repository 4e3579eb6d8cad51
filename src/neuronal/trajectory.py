"""What a run leaves: times, losses, states, and how it went; and the loop that records it."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from .dynamics import Kernels
from .errors import DivergenceError, require
from .kernels import Factored
from .network import Network
from .problem import Law, Problem

STATE_BUDGET = 2**31
"""Bytes of states that a trajectory keeps by default; others are recomputed when asked for."""

DEFAULT_RECORDS = 65


@dataclass
class Report:
    """How a run went; `print` it for a sentence.

    Attributes:
        driver: what ran, with its settings.
        ensemble: the neurons that carried it.
        steps: accepted steps; `rejected` those tried and refused.
        seconds: wall time, compilation included.
        stopped: why it ended.
        kernel: how weights were kept, and why so.
        discarded: by factored kernels, a middle layer each: the norms in $L^2(P_{i-1} \\times
            P_i)$ of what the steps cut off, summed: what truncation added to the weights' error
            before the flow carried it on.
        ranks: of the middle layers, at the end.
        error: estimated, of the prediction, where an accuracy was asked for; `error_in_time` is
            the integration's part of it.
    """

    driver: str
    ensemble: str
    steps: int = 0
    rejected: int = 0
    seconds: float = 0.0
    stopped: str = ""
    kernel: str = "dense"
    discarded: np.ndarray | float = 0.0
    ranks: tuple[int, ...] = ()
    error: float | None = None
    error_in_time: float | None = None

    def __str__(self) -> str:
        refused = f" ({self.rejected} rejected)" if self.rejected else ""
        cut = f"; ranks {self.ranks}, cut off {np.max(self.discarded):.1e}" if self.ranks else ""
        if self.error is not None:
            cut += f"; error of the prediction {self.error:.1e}"
        return (
            f"{self.driver} on {self.ensemble}: {self.steps} steps{refused} in "
            f"{self.seconds:.1f} s{cut}; {self.stopped}."
        )


@dataclass
class Segment:
    """What `Driver.advance` returns: the state reached and what it took."""

    weights: Kernels
    memory: object
    time: float
    finite: bool
    steps: int = 0
    rejected: int = 0
    discarded: np.ndarray | float = 0.0


@dataclass
class Driver:
    """A dynamics of weights in MF time.

    Attributes:
        advance: `(weights, memory, t0, t1)` to the state at t1, or to where it left the
            finite numbers; a function of its arguments alone, so that a run may be taken
            up anywhere. `memory` is what a driver hands itself (a step size), None at first.
        loss: the recorded loss of given weights.
        snap: the latest time up to the one given at which the driver has a state.
        problem, law: what an ODE solves, and the samples of its $E_Z$.
    """

    advance: Callable[[Kernels, object, float, float], Segment]
    loss: Callable[[Kernels], float]
    snap: Callable[[float], float] = field(default=lambda t: t)
    problem: Problem | None = None
    law: Law | None = None


class Trajectory:
    r"""A solved or trained run.

    Attributes:
        times: MF times of the records, `(T,)`.
        loss: the risk $\mathcal{L}(W(t))$ at those times, `(T,)`.
        network: the network at the last of them.
        report: how the run went.
        problem, law: of a solved run, what was solved and the samples of its $E_Z$.
    """

    def __init__(
        self,
        times: Sequence[float],
        loss: Sequence[float],
        states: dict[int, Kernels],
        network: Network,
        report: Report,
        driver: Driver,
    ):
        self.times: Float[np.ndarray, "T"] = np.asarray(times, float)
        self.loss: Float[np.ndarray, "T"] = np.asarray(loss, float)
        self.network = network
        self.report = report
        self._states = states
        self.problem, self.law = driver.problem, driver.law
        self._driver = driver

    def __repr__(self) -> str:
        return f"Trajectory(t = {self.times[0]:g}..{self.times[-1]:g}, loss {self.loss[-1]:.4g})"

    def at(self, t: float) -> Network:
        """The network at MF time t, by running on from the nearest earlier state kept.

        The run is repeated, not interpolated: an ODE to its tolerance, SGD exactly, at its
        last step up to t.

        Raises:
            InvalidInput: t outside the run.
        """
        slack = 1e-9 * max(1.0, self.times[-1])
        require(
            self.times[0] - slack <= t <= self.times[-1] + slack,
            f"t: the run covers {self.times[0]:g} to {self.times[-1]:g}, got {t!r}",
        )
        earlier = [i for i in self._states if self.times[i] <= t + slack]
        index = max(earlier)
        weights, since = self._states[index], self.times[index]
        target = self._driver.snap(t)
        if target > since + slack:
            weights = self._driver.advance(weights, None, since, target).weights
        return self.network.with_weights(weights)

    def predict(self, x: ArrayLike) -> Float[Array, "T m k"]:
        r"""$\hat y(x; W(t))$ at every recorded time."""
        return jax.numpy.stack([self.at(t)(x) for t in self.times])


def record(
    driver: Driver,
    start: Network,
    save_at: Sequence[float],
    report: Report,
    on_record: Callable[[float, float, Network], None] | None = None,
    budget: int = STATE_BUDGET,
) -> Trajectory:
    """Run `driver` from `start` at `save_at[0]` through all of `save_at`.

    Keeps as many states as fit the budget, evenly among the records; first and last always.

    Raises:
        DivergenceError: the state left the finite numbers; it carries what was recorded.
    """
    began = clock.perf_counter()
    size = sum(w.nbytes for w in start.weights)
    stride = max(1, -(-len(save_at) * size // budget))
    weights, memory = start.weights, None
    times, losses, states = [save_at[0]], [driver.loss(weights)], {0: weights}
    if on_record:
        on_record(times[0], losses[0], start)
    for i, target in enumerate(save_at[1:], start=1):
        segment = driver.advance(weights, memory, times[-1], target)
        report.steps += segment.steps
        report.rejected += segment.rejected
        report.discarded = report.discarded + segment.discarded
        report.seconds = clock.perf_counter() - began
        loss = driver.loss(segment.weights) if segment.finite else np.nan
        if not np.isfinite(loss):
            report.stopped = f"diverged at t = {segment.time:g}"
            states[len(times) - 1] = weights
            partial = Trajectory(times, losses, states, start.with_weights(weights), report, driver)
            raise DivergenceError(
                f"the run diverged at t = {segment.time:g} ({report.driver}); its last finite "
                f"record is at t = {times[-1]:g}. Take a smaller learning rate or step",
                segment.time,
                partial,
            )
        weights, memory = segment.weights, segment.memory
        times.append(target)
        losses.append(loss)
        if i % stride == 0 or i == len(save_at) - 1:
            states[i] = weights
        if on_record:
            on_record(target, loss, start.with_weights(weights))
    report.stopped = f"reached t = {times[-1]:g}"
    report.ranks = tuple(int(w.rank) for w in weights if isinstance(w, Factored))
    return Trajectory(times, losses, states, start.with_weights(weights), report, driver)


def record_times(
    save_at: int | ArrayLike | None, since: float, until: float
) -> Float[np.ndarray, "T"]:
    """The times to record: `save_at` as a number of equal intervals, or as times.

    `since` and `until` are always among them.

    Raises:
        InvalidInput: times outside the run or not increasing, or an empty run.
    """
    require(
        np.isfinite(until) and until > since, f"until: takes a time after {since:g}, got {until!r}"
    )
    if save_at is None:
        save_at = DEFAULT_RECORDS - 1
    if isinstance(save_at, int):
        require(save_at >= 1, f"save_at: takes 1 or more intervals, got {save_at}")
        return np.linspace(since, until, save_at + 1)
    times = np.asarray(save_at, float)
    require(
        times.ndim == 1 and bool(np.all(np.diff(times) > 0)),
        "save_at: takes increasing times, or a number of intervals",
    )
    require(
        times.size == 0 or (times[0] >= since and times[-1] <= until * (1 + 1e-12)),
        f"save_at: takes times in [{since:g}, {until:g}]",
    )
    return np.unique(np.concatenate([[since], times, [until]]))

"""What a run leaves: times, losses and states; and the error of a run that diverged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..checks import require, shown
from ..distributions.base import Samples
from ..errors import InvalidInput
from ..network import Network
from ..problem import Problem
from .driver import Driver, Pace, Report, State


class Kept(NamedTuple):
    """A state kept, its MF time, and the pace with which the run went on from there."""

    time: float
    state: State
    pace: Pace | None


class Trajectory:
    r"""A solved or trained run.

    Attributes:
        times: MF times of the records, `(T,)`.
        loss: the risk $\mathcal{L}(W(t))$ at those times, `(T,)`.
        objective: the risk with what decay and penalty add to it, `(T,)`; the same numbers where
            nothing is added.
        network: the network at the last of them; of a run that diverged, at its last finite state.
        report: how the run went.
        state: that of `network`: the weights of `network` and whatever else the motion carries.
        problem, law: of a solved run, what was solved and the samples of its $E_Z$; None of SGD.
    """

    def __init__(
        self,
        times: Sequence[float],
        loss: Sequence[float],
        states: Sequence[Kept],
        network: Network,
        report: Report,
        driver: Driver,
        objective: Sequence[float] | None = None,
    ):
        self.times: Float[np.ndarray, "T"] = np.asarray(times, float)
        self.loss: Float[np.ndarray, "T"] = np.asarray(loss, float)
        self.objective: Float[np.ndarray, "T"] = (
            self.loss if objective is None else np.asarray(objective, float)
        )
        self.network = network
        self.report = report
        self._states = states
        self.problem, self.law = driver.problem, driver.law
        self._driver = driver

    def __repr__(self) -> str:
        return f"Trajectory(t = {self.times[0]:g}..{self.times[-1]:g}, loss {self.loss[-1]:.4g})"

    @property
    def state(self) -> State:
        """The last state."""
        return self._states[-1].state

    def solved(self, what: str) -> tuple[Problem, Samples]:
        """The problem that was solved and the samples of its $E_Z$.

        Raises:
            InvalidInput: a run of SGD or of an ODE in steps alone, of which `what` says why it will
                not do.
        """
        if self.problem is None or self.law is None:
            raise InvalidInput(f"trajectory: takes one of solve; {what}")
        require(
            self._driver.continuous,
            "trajectory: has states at the ends of constant steps alone; take adaptive steps",
        )
        return self.problem, self.law

    def at(self, t: float) -> Network:
        """The network at MF time t, by running on from the nearest earlier state kept.

        The run is repeated, not interpolated: an ODE to its tolerance, with a step that ends
        at t, SGD exactly, at its last step up to t.

        Raises:
            InvalidInput: t outside the run.
        """
        return self.state_at(t).network(self.network)

    def state_at(self, t: float) -> State:
        """The state at MF time t, as `at` finds it."""
        slack = 1e-9 * max(1.0, self.times[-1])
        require(
            self.times[0] - slack <= t <= self.times[-1] + slack,
            f"t: the run covers {self.times[0]:g} to {self.times[-1]:g}, got {shown(t)}",
        )
        since, state, pace = next(kept for kept in reversed(self._states) if kept.time <= t + slack)
        target = self._driver.snap(t)
        if target > since + slack:
            state = self._driver.advance(state, pace, since, target, None).state
        return state

    def predict(self, x: ArrayLike) -> Float[Array, "T m k"]:
        r"""$\hat y(x; W(t))$ at every recorded time."""
        return jax.numpy.stack([self.at(t)(x) for t in self.times])

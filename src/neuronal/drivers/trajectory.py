"""What a run leaves: times, losses and states; and the error of a run that diverged."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..checks import columns, require, shown
from ..distributions.base import Samples
from ..errors import InvalidInput
from ..network import Network
from ..problem import Problem
from .driver import Driver, Pace, Path, Recipe, Report, State

if TYPE_CHECKING:
    import xarray as xr

    from .plotted import TrajectoryPlot


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

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, 3, rank=4)
        >>> run = nr.solve(problem, embedding, until=1.0, nodes=16, save_at=2)
        >>> run.times.tolist(), bool(run.loss[-1] < run.loss[0])
        ([0.0, 0.5, 1.0], True)
        >>> run.at(0.5)(x).shape
        (8, 1)

        ```
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

    @property
    def pace(self) -> Pace | None:
        """With which the run would go on from its last state."""
        return self._states[-1].pace

    @property
    def recipe(self) -> Recipe | None:
        """What makes the driver of the run again, where that is known."""
        return self._driver.recipe

    def risk_at_start(self) -> float:
        """The risk of the first state kept, computed anew."""
        return self._driver.loss(self._states[0].state)

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
        slack = self._slack
        require(
            self.times[0] - slack <= t <= self.times[-1] + slack,
            f"t: the run covers {self.times[0]:g} to {self.times[-1]:g}, got {shown(t)}",
        )
        since, state, pace = self._kept_before(t)
        target = self._driver.snap(t)
        if target > since + slack:
            state = self._driver.advance(state, pace, since, target, None).state
        return state

    @property
    def _slack(self) -> float:
        """By which MF times may differ and be the same."""
        return 1e-9 * max(1.0, self.times[-1])

    def _kept_before(self, t: float) -> Kept:
        """The last state kept up to MF time t."""
        return next(kept for kept in reversed(self._states) if kept.time <= t + self._slack)

    def predict(self, x: ArrayLike) -> Float[Array, "T m k"]:
        r"""$\hat y(x; W(t))$ at every recorded time.

        In one run anew, between the steps of an ODE as exact as its records.
        """
        x = self.network.inputs(x)
        found: list[Array] = []
        for times, held in self._replayed():
            if isinstance(held, State):
                found.append(held.network(self.network)(x))
            else:
                found += held.predictions(times, x)
        return jnp.stack(found)

    def networks(self) -> Iterator[Network]:
        """The networks at the recorded times in turn, found as by `predict`."""
        for times, held in self._replayed():
            states = [held] if isinstance(held, State) else map(held.state, times)
            for state in states:
                yield state.network(self.network)

    def _replayed(self) -> Iterator[tuple[list[float], State | Path]]:
        """The recorded times with the state or the path that holds them, from one state kept to the next."""
        times, slack, done = self.times.tolist(), self._slack, 0
        now, state, pace = self._states[0]
        while done < len(times):
            latest = self._kept_before(times[done])
            if latest.time > now:
                now, state, pace = latest
            if times[done] <= now + slack:
                yield [times[done]], state
                done += 1
                continue
            segment = self._driver.advance(state, pace, now, times[done], times[-1])
            state, pace = segment.state, segment.pace
            if segment.path is None:
                now = times[done]
            else:
                now, inside = segment.time, times[done : bisect_left(times, segment.time)]
                yield inside, segment.path
                done += len(inside)
                segment.path = None  # as large as several states

    def to_xarray(
        self,
        x: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        weights: bool = False,
        preactivations: bool = False,
        sensitivities: bool = False,
        latents: Sequence[PyTree] | None = None,
    ) -> xr.Dataset:
        r"""The run as an `xarray.Dataset` along `time`: `risk`, `prediction`, and what else is asked for.

        States between those kept are found as by `networks`.

        Args:
            x, y: samples `(m, d)`, and `(m,)` or `(m, k)`; those of the run's $E_Z$ if left out.
            weights: `w_1`, ..., `w_L` too, along `neuron_1`, ..., `input` and `output`; factored ones
                multiplied out.
            preactivations: `H_1`, ..., `H_L` at x too, along `sample` and neurons.
            sensitivities: `Delta_1`, ..., `Delta_L`, $\Delta^H_i$ at x and y, too.
            latents: of the neurons of each hidden layer, which become coordinates `c_1`, ...: such as
                `[embedding.latents(i, width, key) for i in ...]`, or `embedding.node_latents(...)`.

        Raises:
            InvalidInput: arrays that do not fit; sensitivities at x without y.

        !!! example
            ```python
            >>> import neuronal as nr, numpy as np
            >>> x = np.linspace(-1, 1, 8)[:, None]
            >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
            >>> embedding = nr.embeddings.Bidirectional(1, depth=3, rank=4)
            >>> run = nr.solve(problem, embedding, until=1.0, nodes=16, save_at=2)
            >>> data = run.to_xarray(preactivations=True, latents=embedding.node_latents(16))
            >>> dict(data.H_2.sizes)
            {'time': 3, 'sample': 8, 'neuron_2': 16}

            ```
        """
        from .labelled import Asked, labelled

        recipe = self.recipe
        require(recipe is not None, "trajectory: its driver does not tell what it solves")
        assert recipe is not None
        samples = recipe.samples()
        require(x is not None or y is None, "x: is missing; y are the targets there")
        if x is not None:
            require(y is not None or not sensitivities, "y: is missing; sensitivities take targets")
            inputs = self.network.inputs(x)
            m = len(inputs)
            targets = jnp.zeros((m, 0)) if y is None else columns("y", y)
            require(len(targets) == m, f"y: {len(targets)} targets for {m} inputs")
            samples = Samples(inputs, targets, jnp.full(m, 1 / m))
        return labelled(
            self.times,
            self.loss,
            self.networks(),
            samples,
            recipe.problem.loss,
            Asked(weights, preactivations, sensitivities),
            latents,
        )

    @property
    def plot(self) -> TrajectoryPlot:
        """Pictures of the run: `run.plot()` is its risk, `run.plot.spectra(2)` another kind."""
        from .plotted import TrajectoryPlot

        return TrajectoryPlot(self)

    def _repr_html_(self) -> str:
        from ..pictures import tables

        facts = {
            "MF time": f"{self.times[0]:g} to {self.times[-1]:g}, {len(self.times)} records",
            "risk": f"{self.loss[0]:.4g} to {self.loss[-1]:.4g}",
            "network": repr(self.network),
            "report": str(self.report),
        }
        return tables.facts("Trajectory", facts)

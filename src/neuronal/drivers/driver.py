"""A dynamics of weights as the recording loop sees it, and the report of how it went."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float

from ..distributions import Samples
from ..dynamics import Kernels
from ..losses import Loss
from ..motion.birth_death import measures_in
from ..motion.motion import Motion
from ..network import Network
from ..problem import Problem, mean_loss
from ..sharding import run_within


class Work(NamedTuple):
    """What steps took, as far as a stepper counts it.

    Attributes:
        velocities: right-hand sides evaluated.
        products: with their Jacobian, for its spectral radius; each about two velocities.
        most_stages: of a step.
    """

    velocities: int = 0
    products: int = 0
    most_stages: int = 0

    def __str__(self) -> str:
        return (
            f"{self.velocities} velocities in up to {self.most_stages} stages, {self.products} "
            "products with their Jacobian"
        )

    def __add__(self, other: tuple[int, ...]) -> Work:  # pyright: ignore[reportIncompatibleMethodOverride]
        velocities, products, most = other
        return Work(
            self.velocities + velocities, self.products + products, max(self.most_stages, most)
        )


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
        discarded: by factored kernels, per middle layer: the norms in $L^2(P_{i-1} \\times
            P_i)$ of what the steps cut off, summed: what truncation added to the weights' error
            before the flow carried it on.
        ranks: of the middle layers, at the end.
        error: estimated, of the prediction, where an accuracy was asked for; `error_in_time` is
            the integration's part of it.
        work: of the velocity and its Jacobian, where the solver counts it.
        solver: where the solver was changed on the way: to which, when and why.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, 3, rank=4)
        >>> nr.solve(problem, embedding, until=1.0, nodes=16, save_at=2).report.stopped
        'reached t = 1'

        ```
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
    work: Work = field(default_factory=Work)
    solver: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        refused = f" ({self.rejected} rejected)" if self.rejected else ""
        cut = f"; ranks {self.ranks}, cut off {np.max(self.discarded):.1e}" if self.ranks else ""
        if self.error is not None:
            cut += f"; error of the prediction {self.error:.1e}"
        if self.work.velocities:
            cut += f"; {self.work}"
        if self.solver:
            cut += f"; {', '.join(self.solver)}"
        return (
            f"{self.driver} on {self.ensemble}: {self.steps} steps{refused} in "
            f"{self.seconds:.1f} s{cut}; {self.stopped}."
        )


def network_widths(network: Network) -> str:
    """The widths, as one number where they are equal."""
    widths = set(network.widths)
    return str(widths.pop()) if len(widths) == 1 else str(network.widths)


class State(NamedTuple):
    """All that a run has to know to go on; records and checkpoints keep it whole.

    Attributes:
        weights: $w_1, \\dots, w_L$, however they are kept.
        memory: what else the motion carries, kernels or arrays by name, such as the velocities of
            momentum; None if weights are all, or where a run begins.
    """

    weights: Kernels
    memory: dict[str, Any] | None = None

    def network(self, neurons: Network) -> Network:
        """The network of these neurons in this state: the one place that makes it."""
        measures = measures_in(self.memory)
        if measures is None:
            return neurons.with_weights(self.weights)
        return neurons.with_state(self.weights, measures)

    @staticmethod
    def beginning(start: Network, problem: Problem | None) -> State:
        """Where a run of `problem` begins (None: SGD's); it knows the measures, if they are to move."""
        if problem is None or problem.birth_death is None:
            return State(start.weights)
        motion = problem.motion(start)
        return State.of_phase(motion.at_rest(start.weights), motion.memory)

    def phase(self, motion: Motion) -> Kernels:
        """All that moves, as one tuple in the motion's order."""
        if self.memory is None:
            return motion.at_rest(self.weights)
        return (*self.weights, *(self.memory[name] for name in motion.memory))

    @staticmethod
    def of_phase(phase: Kernels, names: Sequence[str]) -> State:
        """The state of a phase whose memory has these names."""
        count = len(phase) - len(names)
        memory = dict(zip(names, phase[count:], strict=True)) if names else None
        return State(phase[:count], memory)


Pace = Mapping[str, np.ndarray | Array]
"""What a driver found on its way and uses again, such as the length of the next step, by name.

It changes no more of a run than its tolerance allows, so that it is no part of a state; with it a
run that is taken up again gives the very bits of one never interrupted."""


class Path(Protocol):
    """The states within the last step of a segment, to the accuracy of the step.

    It may hold as much memory as several states, and is let go of before the run goes on.
    """

    def state(self, t: float) -> State:
        """At MF time t of the step."""
        ...

    def losses(self, times: Sequence[float]) -> list[float]:
        """The recorded losses at such times."""
        ...

    def predictions(
        self, times: Sequence[float], x: Float[Array, "m d"]
    ) -> list[Float[Array, "m k"]]:
        """$\\hat y(x)$ at such times."""
        ...


@dataclass
class Segment:
    """What `Driver.advance` returns: the state reached and what it took.

    Attributes:
        state, time: where it came to.
        pace: to go on with; None where a driver has none.
        finite: whether it is still in the finite numbers.
        path: what lies between the last step's ends; None where nothing that was asked for does.
        work, solver: as in `Report`.
    """

    state: State
    pace: Pace | None
    time: float
    finite: bool
    steps: int = 0
    rejected: int = 0
    discarded: np.ndarray | float = 0.0
    path: Path | None = None
    work: Work = field(default_factory=Work)
    solver: tuple[str, ...] = ()


def _anywhere(t: float) -> float:
    return t


@dataclass(frozen=True)
class Risk:
    """The recorded loss of a state: that of the network on samples of the law.

    Attributes:
        network: whose neurons are in that state.
    """

    network: Network
    loss: Loss
    samples: Samples

    def __call__(self, state: State) -> float:
        return float(mean_loss(state.network(self.network), self.loss, *self.samples))


def added_to_risk(problem: Problem, over: Mesh | None) -> Callable[[Network, float], float] | None:
    """`Driver.added` of a problem, on devices if there are several."""
    return run_within(over, problem.added) if problem.regularised else None


@dataclass
class Driver:
    """A dynamics of weights in MF time.

    Attributes:
        advance: `(state, pace, t0, t1, end)` to the state at t1, or to where it left the finite
            numbers; where an `end` is given, to a state of its own choice between t1 and the end,
            with a path from t1 on. A function of its arguments alone, so that a run may be
            taken up anywhere. `pace` is None at first.
        loss: the recorded loss of a state.
        added: what the motion adds to the risk in its objective, of a network at an MF time; None if
            nothing.
        snap: the latest time up to the one given at which the driver has a state.
        problem, law: what an ODE solves, and the samples of its $E_Z$; None of SGD.
        recipe: what makes the same driver again, where that is known: `neuronal.saving` keeps it.
    """

    advance: Callable[[State, Pace | None, float, float, float | None], Segment]
    loss: Callable[[State], float]
    added: Callable[[Network, float], float] | None = None
    snap: Callable[[float], float] = _anywhere
    problem: Problem | None = None
    law: Samples | None = None
    recipe: Recipe | None = None

    @property
    def continuous(self) -> bool:
        """Whether it has a state at any time, not at the ends of steps alone."""
        return self.snap is _anywhere


class Recipe(Protocol):
    """All that a driver is made of; a file holds it in a driver's place."""

    @property
    def problem(self) -> Problem:
        """What is solved or learned."""
        ...

    def samples(self) -> Samples:
        """Those of $E_Z$ in the recorded risk."""
        ...

    def driver(self) -> Driver:
        """A driver that does the same, to the bit."""
        ...

    def alone(self) -> Recipe:
        """The same on one device."""
        ...

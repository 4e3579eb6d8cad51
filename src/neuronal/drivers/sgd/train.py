r"""SGD, section 2.1 of the paper: equation (1) driven by one fresh sample a step.

$w_i(k+1) = w_i(k) - \epsilon\,\xi_i(k\epsilon)\,\Delta^w_i(z(k); W(k))$, MF time $t =
k\epsilon$. The gradient carries no $1/n$ (`neuronal.dynamics`), so one learning rate serves
every width. Samples are drawn inside the compiled loop, by a key that is a function of the
step's number alone: a run can be taken up at any step and continues the same stream. With
momentum, temperature or penalty a step is as their modules in `neuronal.motion` say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from ...checks import (
    columns,
    is_whole,
    key_of,
    numbers,
    on_device,
    positive,
    require,
    several,
    shown,
)
from ...distributions import Samples
from ...kernels.orthogonal import one_lapack_thread
from ...network import Network
from ...problem import Problem
from ...sharding import (
    Devices,
    mesh_for,
    run_within,
    spread_over,
    within,
)
from ...vocabulary import MOST_STEPS
from ..driver import Driver, Pace, Report, Risk, Segment, State, added_to_risk
from ..recording import OnRecord, OnRecords, Prepared, record_times
from ..storage import check_kernels, network_with_room
from ..trajectory import Trajectory
from .loop import Stream, steps, with_room

_BLOCK_SAMPLES = 2048
"""Samples drawn at once: their random numbers are made in one vector operation."""


def train(
    problem: Problem,
    network: Network,
    learning_rate: float,
    until: float,
    key: PRNGKeyArray | int,
    batch_size: int = 1,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    save_at: int | ArrayLike | None = None,
    *,
    since: float = 0.0,
    data_nodes: int = 1024,
    devices: Devices | None = None,
    progress: bool | OnRecord = False,
    on_record: OnRecords | Sequence[OnRecords] | None = None,
) -> Trajectory:
    r"""Train a network by SGD.

    Args:
        problem: what is learned.
        network: $W(0)$. Factored weights stay factored, to the rank that rounding lets be
            told from a lower one: no array of width times width is formed.
        learning_rate: $\epsilon$, the MF time of a step.
        until: MF time at which to stop; `round(until / learning_rate)` steps in all.
        key: of the samples, and of a temperature's noise.
        batch_size: samples per step, whose gradients are averaged.
        data: instead of fresh samples, a stream `x (steps, batch, d)` and `y (steps, batch)`
            or `(steps, batch, k)`.
        save_at: MF times to record, or a number of equal intervals (64 if left out); times
            are rounded to whole steps.
        since: MF time of `network`: a run taken up again goes on with the same samples.
        data_nodes: quadrature nodes of $E_Z$ for the recorded risk (finite laws: exact).
        devices: over which to cut the neurons (`neuronal.sharding`), such as `jax.devices()`;
            those of `network` if left out and it is spread.
        progress: True for a bar, or a callable of `(time, loss, network)`.
        on_record: called with each `neuronal.records.Record`: a function or several.

    Returns:
        the `Trajectory`; its loss is the risk, not the samples' loss.

    Raises:
        InvalidInput: arguments that do not fit.
        DivergenceError: predictions left the finite numbers.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, 3, rank=4)
        >>> network = embedding.sample(16, key=0)
        >>> run = nr.train(problem, network, learning_rate=0.1, until=1.0, key=1, save_at=2)
        >>> run.times.tolist()
        [0.0, 0.5, 1.0]

        ```
    """
    return prepare(
        problem,
        network,
        learning_rate,
        (save_at, since, until),
        key,
        batch_size,
        data,
        data_nodes=data_nodes,
        devices=devices,
    ).run(progress, on_record=on_record)


def prepare(
    problem: Problem,
    network: Network,
    learning_rate: float,
    interval: tuple[int | ArrayLike | None, float, float],
    key: PRNGKeyArray | int,
    batch_size: int = 1,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    *,
    data_nodes: int = 1024,
    devices: Devices | None = None,
) -> Prepared:
    """A run of SGD, ready to be made.

    Args:
        interval: what to record, since when and until when, as `train` takes them.
    """
    require(
        isinstance(network, Network), "network: takes a Network; an embedding makes one by .sample"
    )
    problem.check(network)
    check_kernels(problem, network)
    require(
        problem.birth_death is None or all(_even(p) for p in network.measures),
        "measures: births and deaths of train are those of neurons of equal measures; solve takes others",
    )
    eps = positive("learning_rate", learning_rate)
    require(is_whole(batch_size, 1), f"batch_size: takes an integer >= 1, got {shown(batch_size)}")
    batch_size = int(batch_size)
    times = whole_steps(record_times(*interval), eps)
    stream = None if data is None else _stream(data, network)
    if stream is not None:
        batch_size = stream.x.shape[1]
        need = round(times[-1] / eps)
        require(
            len(stream.x) >= need,
            f"data: {len(stream.x)} steps of samples, but until / learning_rate is {need}",
        )
        problem.loss.check(stream.y.reshape(-1, stream.y.shape[2]), network.output_dim)
    over = mesh_for(devices, network)
    with within(over):
        network = network_with_room(spread_over(network, over))
    key = key_of(key)
    sgd = SGD.of(network, problem, stream, key, eps, batch_size)
    driver = SGDRecipe(sgd, data_nodes, over).driver()
    report = Report(
        f"SGD, learning rate {eps:g}, batch {batch_size}",
        f"a network of widths {network.widths}"
        + (f" over {over.size} devices" if over is not None else ""),
        kernel=f"{'factored' if network.factored else 'dense'}: as the network's weights are kept",
    )
    return Prepared(driver, network, times, report, f"SGD, widths {network.widths}")


@dataclass(frozen=True)
class SGD:
    """`Driver.advance` for SGD.

    Attributes:
        network: whose neurons learn, with room for factored weights to grow.
        stream: of samples, if they are not drawn; or the whole law, for each step.
        eps: MF time of a step.
        block: steps whose samples are drawn at once.
    """

    network: Network
    problem: Problem
    stream: Stream | Samples | None
    key: PRNGKeyArray
    eps: float
    batch_size: int
    block: int

    @staticmethod
    def of(
        network: Network,
        problem: Problem,
        stream: Stream | Samples | None,
        key: PRNGKeyArray,
        eps: float,
        batch_size: int,
    ) -> SGD:
        """With as many samples drawn at once as pays."""
        block = max(1, min(256, _BLOCK_SAMPLES // batch_size))
        return SGD(network, problem, stream, key, eps, batch_size, block)

    def __call__(
        self, state: State, pace: Pace | None, t0: float, t1: float, end: float | None = None
    ) -> Segment:
        """See `Driver`."""
        first, last = round(t0 / self.eps), round(t1 / self.eps)
        segment = Segment(state, None, t0, True)
        motion = self.problem.motion(self.network)
        carried = () if motion.momentum is None else motion.memory
        velocities = state.phase(motion)[self.network.depth :] if carried else None
        at, k = state.network(self.network), first
        while True:
            with one_lapack_thread():
                done = steps(
                    at,
                    velocities,
                    self.problem,
                    self.stream,
                    self.key,
                    on_device(np.asarray(self.eps, at.weights[0].dtype)),
                    on_device(np.asarray(k, np.int32)),
                    on_device(np.asarray(last, np.int32)),
                    self.batch_size,
                    self.block,
                )
                k = int(done.k)
            segment.discarded = segment.discarded + np.asarray(done.discarded)
            if bool(done.fits):
                break
            at = at.with_weights(with_room(done.weights, done.needed, motion.frozen))
            velocities = done.velocities
        segment.state = State.of_phase((*done.weights, *(done.velocities or ())), carried)
        segment.time, segment.steps = k * self.eps, k - first
        segment.finite = bool(done.finite)
        return segment

    def snap(self, t: float) -> float:
        """The time of the last step up to t."""
        return float(np.floor(t / self.eps * (1 + 1e-9)) * self.eps)


class SGDRecipe(NamedTuple):
    """What the driver of SGD is made of."""

    sgd: SGD
    data_nodes: int
    over: Mesh | None

    @property
    def problem(self) -> Problem:
        """See `neuronal.drivers.driver.Recipe`."""
        return self.sgd.problem

    def samples(self) -> Samples:
        """See `neuronal.drivers.driver.Recipe`."""
        return self.problem.quadrature(self.data_nodes, self.sgd.network.weights[0].dtype)

    def driver(self) -> Driver:
        """See `neuronal.drivers.driver.Recipe`."""
        sgd = self.sgd
        risk = Risk(sgd.network, sgd.problem.loss, self.samples())
        return Driver(
            run_within(self.over, sgd),
            run_within(self.over, risk),
            added_to_risk(sgd.problem, self.over),
            sgd.snap,
            recipe=self,
        )

    def alone(self) -> SGDRecipe:
        """See `neuronal.drivers.driver.Recipe`."""
        return self._replace(over=None)


def _even(measure: Float[Array, "n"]) -> bool:
    return bool(np.allclose(np.asarray(measure) * len(measure), 1, rtol=0, atol=1e-5))


def _stream(data: tuple[ArrayLike, ArrayLike], network: Network) -> Stream:
    pair = several("data", data, "two arrays, x and y")
    require(len(pair) == 2, f"data: takes a pair (x, y), got {len(pair)}")
    x, y = numbers("data: x", pair[0]), numbers("data: y", pair[1])
    require(
        x.ndim == 3 and x.shape[2] == network.input_dim,
        f"data: x takes shape (steps, batch, {network.input_dim}), got {x.shape}",
    )
    require(
        y.shape[:2] == x.shape[:2] and y.ndim in (2, 3),
        f"data: y takes shape (steps, batch) or (steps, batch, k), got {y.shape}",
    )
    flat = columns("data", x.reshape(-1, x.shape[2])).reshape(x.shape)
    targets = columns("data", y.reshape(x.shape[0] * x.shape[1], -1))
    return Stream(flat, targets.reshape(*x.shape[:2], -1))


def whole_steps(
    times: Float[np.ndarray, "T"], eps: float, name: str = "learning_rate"
) -> Float[np.ndarray, "T"]:
    """Times rounded to whole steps of a length that `name` names.

    Raises:
        InvalidInput: no step, or too many.
    """
    require(times[-1] / eps < MOST_STEPS, f"{name}: takes fewer than 2^31 steps, got {eps:g}")
    steps = np.unique(np.round(times / eps).astype(int))
    require(len(steps) > 1, f"until: less than one step of {name} {eps:g}")
    return steps * eps

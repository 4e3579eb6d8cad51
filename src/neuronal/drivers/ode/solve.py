r"""The MF ODE: $\partial_t w_i = -\xi_i(t)\,\mathbb{E}_Z[\Delta^w_i]$, equation (2) in time.

Started from an embedding it is the infinite-width limit on quadrature nodes; started from a
network, the gradient flow of exactly that network. Integrators and step-size control are
Diffrax's. The error norm is that of $L^2(P_{i-1} \times P_i)$, the worst over layers: a norm
over all numbers alike would forget the first and the last layer, whose share of the
entries falls as $1/n$.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import diffrax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import ArrayLike, PRNGKeyArray

from ...checks import is_whole, key_of, positive, require, shown, whole
from ...distributions import Samples
from ...embeddings import AbstractEmbedding
from ...embeddings.base import Rules
from ...kernels.memory import require_memory
from ...network import Network
from ...problem import Problem
from ...sharding import Devices, mesh_for, run_within, sampled_over, spread_over, within
from ..driver import Driver, Report, Risk, added_to_risk, network_widths
from ..recording import OnRecord, OnRecords, Prepared, record_times
from ..sgd.train import SGD, whole_steps
from ..storage import choose_kernel, network_as_factors, network_with_room, ode_copies
from ..trajectory import Trajectory
from .accuracy import Predicted, Sizes, predicted, refined, with_sizes
from .choice import (
    Automatic,
    Solver,
    check_solver,
    has_steps_alone,
    solver_named,
    solver_of_motion,
    stepper_for,
)
from .enough import BALANCED, DATA_NODES, NODES, warn_of_few
from .integrate import Control, Integrator
from .stepper import AbstractStepper


def solve(
    problem: Problem,
    start: AbstractEmbedding | Network,
    until: float,
    nodes: int | Sequence[int] | None = None,
    rule: Rules = "sobol",
    rtol: float = 1e-4,
    atol: float = 1e-6,
    kernel: str = "auto",
    save_at: int | ArrayLike | None = None,
    *,
    accuracy: float | None = None,
    key: PRNGKeyArray | int = 0,
    solver: str | diffrax.AbstractSolver | AbstractStepper = "auto",
    step: float | None = None,
    since: float = 0.0,
    data_nodes: int | None = None,
    max_steps: int = 1_000_000,
    devices: Devices | None = None,
    progress: bool | OnRecord = False,
    on_record: OnRecords | Sequence[OnRecords] | None = None,
) -> Trajectory:
    r"""Solve the MF ODE.

    Args:
        problem: what is learned.
        start: an embedding, for its limit, or a network, for its own gradient flow.
        until: MF time at which to stop.
        nodes, rule, key: the quadrature of neurons, if `start` is an embedding: one number and rule, or
            one per hidden layer (`AbstractEmbedding.quadrature`); 1024 nodes if left out, and whether
            they are enough is looked at. `key` is that of a temperature's noise, too.
        rtol, atol: tolerances of a step's error in the weights, in $L^2(P)$.
        kernel: how weights between layers are kept: ``dense``; ``factored``, at a cost linear in
            the nodes, to the rank that a tenth of the tolerances needs; or ``auto``: whichever
            is expected to be the faster, `report.kernel` says which and why.
        accuracy: if given, nodes (from the number given on) and tolerances are chosen so that
            the prediction is within it of the limit's, root mean square over the inputs and
            worst over the recorded times; `report.error` says what was reached. It takes
            two runs on the nodes chosen and four or more on fewer, all of which tell their records.
        save_at: MF times to record, or a number of equal intervals (64 if left out). They end no
            steps: Runge-Kutta methods and ``rkc`` tell the weights within one.
        solver: ``tsit5``, and ``bosh3``, of fewer velocities where errors of 1e-4 or more will
            do; ``rkc`` (`neuronal.RKC`), for stiff runs, such as those of deep networks; or
            ``auto``: the first, until stability holds its steps back, and the second from
            there on, `report.solver` says when and why. Or a Diffrax solver, or a stepper of
            your own (`neuronal.drivers.ode.stepper.AbstractStepper`), for dense kernels.
        step: a constant step in MF time instead of the tolerances (``euler`` with a step is
            full-batch gradient descent; with temperature, penalty or momentum it takes the steps of
            `train` on the whole law, and times are rounded to whole ones).
        since: MF time of `start`, which the schedules see.
        data_nodes: quadrature nodes of $E_Z$, 256 if left out, and looked at likewise; a finite law
            is taken whole and exactly.
        max_steps: from one record to the next, after which the run is given up.
        devices: over which to cut the neurons (`neuronal.sharding`); those of `start` if left out.
        progress: True for a bar, or a callable of `(time, loss, network)`, to the accuracy of a step.
        on_record: called with each `neuronal.records.Record`: a function or several.

    Raises:
        InvalidInput: arguments that do not fit, such as an implicit solver, or one that does not
            estimate its error without a step; or tolerances that no step meets.
        DivergenceError: the state left the finite numbers.

    Warns:
        InaccuracyWarning: `accuracy` is not reached with 2^20 nodes per layer; or the numbers of
            nodes left out are too few for the tolerance, by how much.
    """
    asked, asked_of_data = nodes is not None, data_nodes is not None
    nodes = NODES if nodes is None else nodes
    data_nodes = DATA_NODES if data_nodes is None else data_nodes
    settings = ODESettings(rtol, atol, kernel, solver, step, data_nodes, max_steps, devices)
    interval = (save_at, since, until)
    if accuracy is None:
        ready = prepare(problem, start, (nodes, rule, key), settings, interval)
        run = ready.run(progress, on_record=on_record)
        of_nodes = not asked and isinstance(start, AbstractEmbedding) and rule in BALANCED
        few = None if asked_of_data else data_nodes
        warn_of_few(problem, run.network, run.loss, rtol, of_nodes, few)
        return run
    require(isinstance(start, AbstractEmbedding), "accuracy: a network has no nodes to choose")
    require(step is None, "accuracy: takes adaptive steps, not a constant step")
    require(
        is_whole(nodes, 2), f"nodes: with an accuracy takes one integer >= 2, got {shown(nodes)}"
    )
    x, _, weights = problem.quadrature(data_nodes)

    def one(nodes: int, key: PRNGKeyArray, rtol: float, sizes: Sizes | None) -> Predicted:
        finer = replace(settings, rtol=rtol, atol=rtol / 100)
        ready = prepare(problem, start, (nodes, rule, key), finer, interval, sizes)
        return predicted(ready, x, progress, on_record)

    return refined(one, accuracy, whole("nodes", nodes, 2), rule, key_of(key), weights)


Neurons = tuple[int | Sequence[int], Rules, PRNGKeyArray | int]
"""Nodes, rule and key of an embedding's quadrature."""


@dataclass(frozen=True)
class ODESettings:
    """How an ODE is solved; attributes as `solve` takes them."""

    rtol: float
    atol: float
    kernel: str
    solver: str | Solver
    step: float | None
    data_nodes: int
    max_steps: int = 1_000_000
    devices: Devices | None = None

    def __post_init__(self) -> None:
        positive("rtol", self.rtol)
        positive("atol", self.atol)
        whole("max_steps", self.max_steps, 1)
        if self.step is not None:
            positive("step", self.step)
        check_solver(self.method, self.step is not None)

    @cached_property
    def method(self) -> Solver:
        """The solver meant; a constant step is not held back, so that ``auto`` is its first."""
        chosen = solver_named(self.solver)
        if isinstance(chosen, Automatic) and self.step is not None:
            return chosen.explicit
        return chosen

    def __str__(self) -> str:
        name = (
            self.method.name if isinstance(self.method, Automatic) else type(self.method).__name__
        )
        if self.step is not None:
            return f"{name}, constant step {self.step:g}"
        return f"{name}, rtol {self.rtol:g}, atol {self.atol:g}"

    def control(self, dtype: jnp.dtype) -> Control:
        """The control of steps; in arrays, so that changing its numbers does not recompile."""
        constant = None if self.step is None else jnp.asarray(self.step, dtype)
        rtol, atol = jnp.asarray(self.rtol, dtype), jnp.asarray(self.atol, dtype)
        return Control(rtol, atol, constant, int(self.max_steps))


class Start(NamedTuple):
    """Where an ODE begins.

    Attributes:
        network: the neurons and their weights, kept as they are to be.
        ensemble: in words, what the neurons are.
        kernel, why: ``dense`` or ``factored``, and why so.
        over: the mesh of devices, if there are several.
    """

    network: Network
    ensemble: str
    kernel: str
    why: str
    over: Mesh | None


def start_of(
    problem: Problem,
    start: AbstractEmbedding | Network,
    neurons: Neurons,
    settings: ODESettings,
) -> Start:
    """The ensemble on which the ODE is solved: nodes of an embedding, or a network's own neurons.

    Args:
        neurons: nodes, rule and key of an embedding's quadrature.
    """
    nodes, rule, key = neurons
    is_embedding = isinstance(start, AbstractEmbedding)
    require(is_embedding or isinstance(start, Network), "start: takes an embedding or a network")
    problem.check(start)
    kernel, why = choose_kernel(start, nodes, settings.kernel, problem, settings.data_nodes)
    over = mesh_for(settings.devices, start)
    if isinstance(start, AbstractEmbedding):
        if kernel == "dense" and over is None:
            instead = " of them, or kernel='factored'" if start.factored else " of them"
            sizes = start.sizes(nodes, rule, key)
            copies = ode_copies(settings.method) * (1 if problem.momentum is None else 2)
            require_memory("nodes", sizes, copies, instead=instead)
        sample = lambda kernel: start.quadrature(nodes, rule, key, kernel=kernel)
        named = rule if isinstance(rule, str) else ", ".join(rule)
        network = sampled_over(start, sample, kernel, over)
        ensemble = f"{named} nodes {network.widths}"
    else:
        network = spread_over(network_as_factors(start) if kernel == "factored" else start, over)
        ensemble = f"the {network_widths(start)} neurons of a network"
    if over is not None:
        ensemble += f" over {over.size} devices"
    return Start(network, ensemble, kernel, why, over)


class ODERecipe(NamedTuple):
    """What the driver of an ODE is made of, or, with a key, that of gradient descent.

    Attributes:
        sizes: to begin with, where they are known.
    """

    problem: Problem
    start: Start
    settings: ODESettings
    key: PRNGKeyArray | int | None = None
    sizes: Sizes | None = None

    def samples(self) -> Samples:
        """See `neuronal.drivers.driver.Recipe`."""
        return self.problem.quadrature(
            self.settings.data_nodes, self.start.network.weights[0].dtype
        )

    def driver(self) -> Driver:
        """See `neuronal.drivers.driver.Recipe`."""
        if self.key is None:
            return ode_driver(self.problem, self.start, self.settings, self.sizes)[0]
        return descent(self.problem, self.start, self.settings, self.key)[0]

    def alone(self) -> ODERecipe:
        """See `neuronal.drivers.driver.Recipe`."""
        settings = replace(self.settings, devices=None)
        return self._replace(start=self.start._replace(over=None), settings=settings)


def ode_driver(
    problem: Problem, start: Start, settings: ODESettings, sizes: Sizes | None = None
) -> tuple[Driver, Network]:
    """The ODE as a driver, and the network to start from, with room for its rank to grow."""
    network, over = start.network, start.over
    recipe = ODERecipe(problem, start, settings, sizes=sizes)
    data = recipe.samples()
    control = settings.control(network.weights[0].dtype)
    tolerances = control.rtol, control.atol
    with within(over):
        stepper, network = stepper_for(settings.method, start.kernel, network, tolerances, data)
        room, network = with_sizes(sizes, stepper, network)
    driver = Driver(
        run_within(over, Integrator(network, problem, data, control, stepper, over, room)),
        run_within(over, Risk(network, problem.loss, data)),
        added_to_risk(problem, over),
        problem=problem,
        law=data,
        recipe=recipe,
    )
    return driver, network


def descent(
    problem: Problem, start: Start, settings: ODESettings, key: PRNGKeyArray | int
) -> tuple[Driver, Network]:
    """Full-batch gradient descent with constant steps: those of SGD, each of which sees the whole law."""
    over, step = start.over, settings.step
    assert step is not None
    with within(over):
        network = network_with_room(start.network)
    law = problem.quadrature(settings.data_nodes, network.weights[0].dtype)
    steps = SGD.of(network, problem, law, key_of(key), step, len(law.x))
    driver = Driver(
        run_within(over, steps),
        run_within(over, Risk(network, problem.loss, law)),
        added_to_risk(problem, over),
        steps.snap,
        problem,
        law,
        ODERecipe(problem, start, settings, key),
    )
    return driver, network


def prepare(
    problem: Problem,
    start: AbstractEmbedding | Network,
    neurons: Neurons,
    settings: ODESettings,
    interval: tuple[int | ArrayLike | None, float, float],
    sizes: Sizes | None = None,
) -> Prepared:
    """One run, ready to be made.

    Args:
        neurons: nodes, rule and key of an embedding's quadrature.
        interval: what to record, since when and until when, as `solve` takes them.
        sizes: to begin with, where they are known.
    """
    constant = settings.step is not None
    method = solver_of_motion(problem, settings.method, constant)
    settings = replace(settings, solver=method)
    begin = start_of(problem, start, neurons, settings)
    times = record_times(*interval)
    if has_steps_alone(problem, method, constant):
        assert settings.step is not None
        times = whole_steps(times, settings.step, "step")
        driver, network = descent(problem, begin, settings, neurons[2])
    else:
        driver, network = ode_driver(problem, begin, settings, sizes)
    report = Report(
        f"MF ODE, {settings}, {begin.kernel} kernels",
        begin.ensemble,
        kernel=f"{begin.kernel}: {begin.why}",
    )
    return Prepared(driver, network, times, report, f"ODE, {begin.ensemble}")

r"""The MF ODE: $\partial_t w_i = -\xi_i(t)\,\mathbb{E}_Z[\Delta^w_i]$, equation (2) in time.

Started from an embedding it is the infinite-width limit on quadrature nodes; started from a
network, the gradient flow of exactly that network. Integrators and step-size control are
Diffrax's. The error norm is that of $L^2(P_{i-1} \times P_i)$, the worst over layers: a norm
over all numbers alike would forget the first and the last layer, whose share of the
entries falls as $1/n$.
"""

from __future__ import annotations

import diffrax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from ...checks import is_whole, key_of, positive, require
from ...embeddings import AbstractEmbedding
from ...network import Network
from ...problem import Problem, mean_loss
from ...sharding import Devices, active, chosen, made, on, placed
from ..driver import Driver, Report
from ..recording import OnRecord, bar, record, record_times
from ..storage import choose_kernel, decomposed
from ..trajectory import Trajectory
from .accuracy import refined
from .factored import FactoredRungeKutta, factored_start
from .integrate import Control, integrator
from .stepper import Dense


def solve(
    problem: Problem,
    start: AbstractEmbedding | Network,
    until: float,
    nodes: int = 1024,
    rule: str = "sobol",
    rtol: float = 1e-4,
    atol: float = 1e-6,
    kernel: str = "auto",
    save_at: int | ArrayLike | None = None,
    *,
    accuracy: float | None = None,
    key: PRNGKeyArray | int = 0,
    solver: diffrax.AbstractSolver | None = None,
    step: float | None = None,
    since: float = 0.0,
    data_nodes: int = 256,
    max_steps: int = 1_000_000,
    devices: Devices | None = None,
    progress: bool | OnRecord = False,
) -> Trajectory:
    r"""Solve the MF ODE.

    Args:
        problem: what is learned.
        start: an embedding, for its limit, or a network, for its own gradient flow.
        until: MF time at which to stop.
        nodes, rule, key: the quadrature of neurons, if `start` is an embedding.
        rtol, atol: tolerances of a step's error in the weights, in $L^2(P)$.
        kernel: how weights between layers are kept: ``dense``; ``factored``, at a cost linear in
            the nodes, to the rank that a tenth of the tolerances needs; or ``auto``: whichever
            is expected to be the faster, `report.kernel` says which and why.
        accuracy: if given, nodes (from the number given on) and tolerances are chosen so that
            the prediction is within it of the limit's, root mean square over the inputs and
            worst over the recorded times; `report.error` says what was reached. It takes
            four runs with other randomisations of the rule, and some smaller ones.
        save_at: MF times to record, or a number of equal intervals (64 if left out).
        solver: a Diffrax solver; ``Tsit5()`` if left out.
        step: a constant step in MF time instead of the tolerances (``Euler()`` with a
            step is full-batch gradient descent).
        since: MF time of `start`, which the schedules see.
        data_nodes: quadrature nodes of $E_Z$; a finite law is taken whole and exactly.
        max_steps: in one recorded interval, after which the run is given up.
        devices: over which to cut the neurons (`neuronal.sharding`), such as `jax.devices()`;
            those of `start` if left out and it is a network that is spread.
        progress: True for a bar, or a callable of `(time, loss, network)`.

    Raises:
        InvalidInput: arguments that do not fit, or tolerances that no step meets.
        DivergenceError: the state left the finite numbers.

    Warns:
        InaccuracyWarning: `accuracy` is not reached with 2^20 nodes a layer.
    """
    how = (solver, step, since, data_nodes, max_steps, devices, progress)
    if accuracy is None:
        return _solve(problem, start, until, nodes, rule, rtol, atol, kernel, save_at, key, *how)
    require(isinstance(start, AbstractEmbedding), "accuracy: a network has no nodes to choose")
    require(step is None, "accuracy: takes adaptive steps, not a constant step")
    require(is_whole(nodes, 2), f"nodes: with an accuracy takes one integer >= 2, got {nodes!r}")
    x, _, weights = problem.quadrature(data_nodes)

    def run(nodes: int, key: PRNGKeyArray, rtol: float) -> tuple[Trajectory, Array]:
        predictions: list[Array] = []
        trajectory = _solve(
            problem, start, until, nodes, rule, rtol, rtol / 100, kernel, save_at, key, *how,
            watch=lambda t, loss, network: predictions.append(network(x)),
        )  # fmt: skip
        return trajectory, jnp.stack(predictions)

    return refined(run, accuracy, nodes, rule, key_of(key), weights)


def _solve(
    problem: Problem,
    start: AbstractEmbedding | Network,
    until: float,
    nodes: int,
    rule: str,
    rtol: float,
    atol: float,
    kernel: str,
    save_at: int | ArrayLike | None,
    key: PRNGKeyArray | int,
    solver: diffrax.AbstractSolver | None,
    step: float | None,
    since: float,
    data_nodes: int,
    max_steps: int,
    devices: Devices | None,
    progress: bool | OnRecord,
    watch: OnRecord | None = None,
) -> Trajectory:
    require(rtol > 0 and atol > 0, f"rtol, atol: take positive numbers, got {rtol}, {atol}")
    is_embedding = isinstance(start, AbstractEmbedding)
    require(is_embedding or isinstance(start, Network), "start: takes an embedding or a network")
    problem.check(start)
    kind, why = choose_kernel(start, nodes, kernel)
    over = chosen(devices, start)
    if isinstance(start, AbstractEmbedding):
        make = lambda kernel: start.quadrature(nodes, rule, key, kernel=kernel)
        network = made(start, make, kind, over)
        ensemble = f"{rule} nodes {network.widths}"
    else:
        network = placed(decomposed(start) if kind == "factored" else start, over)
        ensemble = f"the {network_widths(start)} neurons of a network"
    if over is not None:
        ensemble += f" over {over.size} devices"
    if step is not None:
        positive("step", step)
    times = record_times(save_at, since, until)
    dtype = network.weights[0].dtype
    data = problem.quadrature(data_nodes, dtype)
    solver = diffrax.Tsit5() if solver is None else solver
    # Arrays, so that other tolerances are no other program to compile.
    constant = None if step is None else jnp.asarray(step, dtype)
    control = Control(jnp.asarray(rtol, dtype), jnp.asarray(atol, dtype), constant, max_steps)
    stepper: Dense | FactoredRungeKutta = Dense(solver)
    if kind == "factored":
        with active(over):
            stepper, network = factored_start(network, solver, control.rtol, control.atol, data)
    driver = Driver(
        on(over, integrator(network, problem, data, control, stepper)),
        on(over, lambda w: float(mean_loss(network.with_weights(w), problem.loss, *data))),
        problem=problem,
        law=data,
    )
    how = f"rtol {rtol:g}, atol {atol:g}" if step is None else f"constant step {step:g}"
    report = Report(
        f"MF ODE, {type(solver).__name__}, {how}, {kind} kernels", ensemble, kernel=f"{kind}: {why}"
    )
    with bar(f"ODE, {ensemble}", times[0], times[-1], progress) as on_record:
        return record(driver, network, list(times), report, _both(on_record, watch))


def _both(one: OnRecord | None, other: OnRecord | None) -> OnRecord | None:
    """Both called at each record."""
    if one is None or other is None:
        return one or other

    def both(t: float, loss: float, network: Network) -> None:
        one(t, loss, network)
        other(t, loss, network)

    return both


def network_widths(network: Network) -> str:
    """The widths, as one number where they are equal."""
    widths = set(network.widths)
    return str(widths.pop()) if len(widths) == 1 else str(network.widths)

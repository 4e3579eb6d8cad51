"""What devices tell each other in one evaluation, read off the compiled program.

For a network that is spread (`neuronal.sharding`). Dense kernels exchange two arrays of nodes
times data a middle layer and evaluation; factored ones exchange arrays of rank times data
and rank times rank. No weight matrix is ever moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .checks import require
from .distributions import Samples
from .drivers.ode.factored import FactoredRungeKutta, factored_start
from .drivers.ode.stepper import RightHandSide
from .network import Network
from .problem import Problem
from .sharding import mesh_of, within


class Collective(NamedTuple):
    """One exchange between all devices.

    Attributes:
        kind: ``all-gather``, ``all-reduce``, ``reduce-scatter``, ...
        shape: of the whole array: that which a gather gives, a reduction takes; a device's own
            where pieces change places.
        bytes: of that array.
        times: how often, by the loops that it stands in.
    """

    kind: str
    shape: tuple[int, ...]
    bytes: int
    times: int


def right_hand_side(problem: Problem, network: Network, data_nodes: int = 256) -> list[Collective]:
    """Of one right-hand side of the MF ODE on a network that is spread.

    Raises:
        InvalidInput: a network that is not.

    !!! example
        ```python
        >>> import jax, neuronal as nr
        >>> law = nr.distributions.Regression(lambda x: x[:, 0], nr.distributions.Gaussian(2))
        >>> problem = nr.Problem(law, nr.losses.Squared())
        >>> network = nr.embeddings.Bidirectional(2, 4, rank=4).sample(64, key=0)
        >>> network = nr.sharding.spread(network, jax.devices())
        >>> moved = nr.communication.right_hand_side(problem, network)
        >>> total = nr.communication.total(moved)  # bytes: 2 * 2 * nodes * data * 4 and a little

        ```
    """
    law = problem.quadrature(data_nodes, network.weights[0].dtype)
    return collectives(_compiled(_right_hand_side, network, problem, law))


def factored_step(
    problem: Problem,
    network: Network,
    data_nodes: int = 256,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    solver: diffrax.AbstractSolver | None = None,
) -> list[Collective]:
    """Of one step of the MF ODE on factored kernels that are spread: its stages and the cut.

    Args:
        rtol, atol, solver: as for `solve`.

    Raises:
        InvalidInput: a network that is not spread, or has no factored kernels.
    """
    require(network.factored, "network: has no factored kernels")
    law = problem.quadrature(data_nodes, network.weights[0].dtype)
    solver = diffrax.Tsit5() if solver is None else solver
    fine, least = (jnp.asarray(tolerance, law.x.dtype) for tolerance in (rtol, atol))
    with within(mesh_of(network)):
        stepper, network = factored_start(network, solver, fine, least, law)
    return collectives(_compiled(_step, network, problem, law, stepper))


def total(exchanged: list[Collective]) -> int:
    """Bytes of the arrays exchanged, each as often as it is."""
    return sum(c.bytes * c.times for c in exchanged)


def collectives(compiled: jax.stages.Compiled) -> list[Collective]:
    """Of a compiled program; a loop of a length that only its data tell counts once."""
    text = compiled.as_text() or ""
    partitions = re.search(r"num_partitions=(\d+)", text)
    bodies = _computations(text)
    entry = next(name for name in bodies if name.startswith("ENTRY"))
    return list(_exchanged(bodies, entry, 1, int(partitions[1]) if partitions else 1))


_KINDS = (
    "all-gather|all-reduce|reduce-scatter|all-to-all|ragged-all-to-all|collective-permute|"
    "collective-broadcast"
)
_EXCHANGE = re.compile(rf"= (.*?) ({_KINDS})(?:-start)?\(")
_ARRAY = re.compile(r"([a-z]+)(\d+)\[([\d,]*)\]|pred\[([\d,]*)\]")
_CALLED = re.compile(
    r"(?:body|calls|to_apply|true_computation|false_computation)=%?([\w.\-]+)"
    r"|branch_computations=\{([^}]*)\}"
)
_LENGTH = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


def _computations(text: str) -> dict[str, list[str]]:
    """Instructions by the name of their computation."""
    bodies: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.endswith("{") and (head := re.match(r"(ENTRY )?%?([\w.\-]+) ", line)):
            lines = bodies.setdefault(("ENTRY " if head[1] else "") + head[2], [])
        elif " = " in line:
            lines.append(line)
    return bodies


def _exchanged(
    bodies: dict[str, list[str]], name: str, times: int, partitions: int
) -> Iterator[Collective]:
    for line in bodies.get(name, ()):
        if found := _EXCHANGE.search(line):
            arrays = _arrays(found[1], found[0].endswith("-start("))
            if found[2] == "all-to-all" and len(arrays) > 1:  # one array, in a piece a device
                pieces = len(arrays)
                arrays = [((pieces, *arrays[0][0]), pieces * arrays[0][1])]
            for shape, size in arrays:
                # A reduction that scatters takes as many times what it gives as there are devices.
                whole = partitions if found[2] == "reduce-scatter" else 1
                yield Collective(found[2], _scaled(line, shape, whole), size * whole, times)
            continue
        length = _LENGTH.search(line) if " while(" in line else None
        for called in _CALLED.finditer(line):
            for inner in re.findall(r"[\w.\-]+", called[1] or called[2]):
                yield from _exchanged(
                    bodies, inner, times * int(length[1] if length else 1), partitions
                )


def _arrays(kind: str, started: bool) -> list[tuple[tuple[int, ...], int]]:
    """Shapes and bytes of an instruction's results; of one that is started, the largest alone."""
    found = []
    for match in _ARRAY.finditer(kind):
        shape = tuple(int(n) for n in (match[3] or match[4] or "").split(",") if n)
        numbers = 1
        for n in shape:
            numbers *= n
        found.append((shape, numbers * int(match[2] or 8) // 8))
    return [max(found, key=lambda array: array[1])] if started else found


def _scaled(line: str, shape: tuple[int, ...], by: int) -> tuple[int, ...]:
    """The shape before it was scattered over that many devices."""
    axis = re.search(r"dimensions=\{(\d+)\}", line)
    if by == 1 or axis is None:
        return shape
    return tuple(n * by if i == int(axis[1]) else n for i, n in enumerate(shape))


def _compiled(function: Any, network: Network, *arguments: Any) -> jax.stages.Compiled:
    over = mesh_of(network)
    require(over is not None, "network: takes one that is spread, by neuronal.sharding.spread")
    with within(over):
        return function.lower(network, *arguments).compile().compiled


@eqx.filter_jit
def _right_hand_side(network: Network, problem: Problem, law: Samples) -> Any:
    """Velocities, each kept as its weight is: no one multiplies factors out."""
    t = jnp.zeros((), law.x.dtype)
    return problem.motion(network).velocity(t, network.weights, law)


@eqx.filter_jit
def _step(network: Network, problem: Problem, law: Samples, stepper: FactoredRungeKutta) -> Any:
    t: Array = jnp.zeros((), law.x.dtype)
    right_hand_side = RightHandSide(problem.motion(network), law, t)
    state = stepper.start(right_hand_side, t, t + 0.1, network.weights)
    return stepper.step(right_hand_side, network.measures, t, t + 0.1, network.weights, state)

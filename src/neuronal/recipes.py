r"""How networks of one problem are trained at every width and depth: schedules, starts and the rates to try.

With $\xi_i = 1/(L-2)$ in the middle and 1 on the first and last layer (`schedules.depth_balanced`) the
layers' rates add up to the same at every depth; Theorem 2 asks for $\xi_L = 1$ alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from .checks import dimensions, hidden_sizes, is_number, is_whole, key_of, require, several, shown
from .distributions import Samples
from .drivers.sgd.train import train
from .drivers.storage import choose_kernel
from .drivers.trajectory import Trajectory
from .embeddings import AbstractEmbedding, Bidirectional
from .errors import DivergenceError, InvalidInput
from .problem import Problem, mean_loss
from .schedules import Schedule, depth_balanced

RATES = tuple(0.025 * 2**j for j in range(10))
"""Factors of 2, 0.025 to 12.8."""

_SAMPLES = 512
"""Nodes of $E_Z$ by which samples are told apart."""

OfDepth = Callable[[int], AbstractEmbedding]


@dataclass(frozen=True)
class Recipe:
    """How networks of one problem are trained, whatever their width and depth.

    Attributes:
        problem: what is learned; the schedules are the recipe's.
        embedding: the embedding of a depth.
        steps: of SGD, each on `batch_size` fresh samples.
        power: of `schedules.depth_balanced`.
        annealed: whether rates fall to zero over the run, as half a cosine.
    """

    problem: Problem
    embedding: OfDepth
    steps: int
    batch_size: int = 32
    power: float = 1.0
    annealed: bool = True

    def __post_init__(self) -> None:
        require(is_whole(self.steps, 1), f"steps: takes an integer >= 1, got {self.steps!r}")
        require(callable(self.embedding), "embedding: takes a function of the depth")
        require(
            self.problem.schedules is None,
            "problem: has schedules of its own; here they are the recipe's (power, annealed)",
        )

    def schedules(self, depth: int, learning_rate: float) -> Sequence[Schedule]:
        r"""$\xi_1, \dots, \xi_L$ of a run at that rate."""
        return run_schedules(
            depth, self.power, learning_rate * self.steps if self.annealed else None
        )

    def train(
        self, width: int | Sequence[int], depth: int, learning_rate: float, key: PRNGKeyArray | int
    ) -> Trajectory:
        r"""Train a network of that width and depth, its neurons and samples by `key`.

        Weights between neurons are factored where that is the cheaper way (`solve`'s ``auto``).

        Raises:
            InvalidInput, DivergenceError: as `neuronal.train`.
        """
        embedding = self.embedding(depth)
        require(embedding.depth == depth, f"embedding: gave depth {embedding.depth} for {depth}")
        sizes = hidden_sizes("width", width, depth)
        kernel, _ = choose_kernel(embedding, sizes, "auto", self.problem, _SAMPLES)
        neurons, samples = jax.random.split(key_of(key))
        return train(
            self.problem.with_schedules(self.schedules(depth, learning_rate)),
            embedding.sample(width, neurons, kernel),
            learning_rate,
            learning_rate * self.steps,
            samples,
            self.batch_size,
            save_at=1,
        )  # fmt: skip


def ascend(risk: Callable[[float], float], rates: Sequence[float]) -> float:
    """The rate of least risk, tried upwards until one diverges or the risk has risen twice in a row.

    Raises:
        InvalidInput: even the smallest diverges.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> rates = nr.transfer.increasing("rates", [0.1, 0.2, 0.4, 0.8])
        >>> nr.transfer.ascend(lambda rate: (rate - 0.21) ** 2, rates)
        0.2

        ```
    """
    risks: list[float] = []
    for rate in rates:
        found = risk(rate)
        risks.append(found if np.isfinite(found) else np.inf)
        if risks[-1] == np.inf or (len(risks) > 2 and risks[-1] > risks[-2] > risks[-3]):
            break
    if risks[0] == np.inf:
        raise InvalidInput(
            f"learning_rate: every rate from {rates[0]:g} on diverges; give smaller ones"
        )
    return rates[int(np.argmin(risks))]


def run_schedules(depth: int, power: float, horizon: float | None) -> Sequence[Schedule]:
    """`depth_balanced` schedules of a run, annealed over `horizon` (MF time) unless that is None.

    The horizon becomes an array, so that runs of any length at one depth compile once.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> [float(xi(0.0)) for xi in nr.transfer.run_schedules(4, 1.0, None)]
        [1.0, 0.5, 0.5, 1.0]

        ```
    """
    length = None if horizon is None else jnp.asarray(horizon, float)
    return depth_balanced(depth, power, length)


def final_risk(
    recipe: Recipe,
    width: int,
    depth: int,
    rate: float,
    key: Array | int,
    apart: Samples | None = None,
) -> float:
    """The risk at the end of a run, on samples `apart` if given; infinite where it diverges."""
    try:
        run = recipe.train(width, depth, rate, key)
    except DivergenceError:
        return np.inf
    if apart is None:
        return float(run.loss[-1])
    return float(mean_loss(run.network, recipe.problem.loss, *apart))


def bidirectional_for(problem: Problem, most: int = 256) -> OfDepth:
    """`Bidirectional` of any depth with its critical gain on some of the problem's inputs."""
    x, y, _ = problem.quadrature(most)
    d, outputs = problem.distribution.input_dim, problem.loss.outputs(y)

    def of_depth(depth: int) -> AbstractEmbedding:
        dimensions(d, depth, outputs)
        return Bidirectional(d, depth, outputs, inputs=x)

    return of_depth


def keys_of(key: PRNGKeyArray | int, seeds: int) -> Array:
    require(is_whole(seeds, 1), f"seeds: takes an integer >= 1, got {shown(seeds)}")
    return jax.random.split(key_of(key), int(seeds))


def increasing(name: str, rates: Sequence[float]) -> tuple[float, ...]:
    """`rates` as increasing positive numbers."""
    given = several(name, rates, "numbers")
    values = tuple(map(float, given)) if all(map(is_number, given)) else ()
    fine = bool(values) and values[0] > 0
    require(
        fine and all(np.diff(values) > 0),
        f"{name}: takes increasing positive numbers, got {shown(rates)}",
    )
    return values

r"""One learning rate for every width and depth: found where a run is cheap, handed on.

A rate $\epsilon$ in mean-field time belongs to no width: a network follows its limit (section 2.1 of
the paper), so that what is best at width 64 is best at 8192. It would belong to a depth, since each
of the $L - 2$ middle layers moves the function: with $\xi_i = 1/(L-2)$ there and 1 on the first
and last (`schedules.depth_balanced`) their sum does not grow with L, and one rate serves all depths.
Theorem 2 asks for $\xi_L = 1$ alone. A run has a given number of steps, its budget of samples,
so that a rate also settles how much mean-field time it covers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .checks import dimensions, hidden_sizes, is_number, is_whole, key_of, require, several, shown
from .drivers.sgd.train import train
from .drivers.storage import choose_kernel
from .drivers.trajectory import Trajectory
from .embeddings import AbstractEmbedding, Bidirectional
from .errors import DivergenceError, InvalidInput
from .problem import Problem
from .schedules import Schedule, depth_balanced

if TYPE_CHECKING:
    import xarray as xr

RATES = tuple(0.025 * 2**j for j in range(10))
"""Factors of 2, 0.025 to 12.8."""

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
        kernel, _ = choose_kernel(embedding, sizes, "auto", self.problem)
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


@dataclass(frozen=True, repr=False)
class Tuned:
    """A rate found at one width and depth, for all.

    Attributes:
        learning_rate: the best of those tried.
        risks: the final risk of each rate tried and seed, `(R, seeds)`, ``inf`` where a run diverged.
        rates: those tried, `(R,)`.
        width, depth: at which they were.
        recipe: by which.
    """

    learning_rate: float
    rates: Float[np.ndarray, "R"]
    risks: Float[np.ndarray, "R seeds"]
    width: int
    depth: int
    recipe: Recipe

    def train(
        self, width: int | Sequence[int], depth: int | None = None, key: PRNGKeyArray | int = 0
    ) -> Trajectory:
        """Train at the rate found: a network of any width and depth (that of the search if left out)."""
        depth = self.depth if depth is None else depth
        return self.recipe.train(width, depth, self.learning_rate, key)

    def schedules(self, depth: int | None = None) -> Sequence[Schedule]:
        r"""$\xi_1, \dots, \xi_L$ of a run at the rate found, for `Problem` and a driver of your own."""
        return self.recipe.schedules(self.depth if depth is None else depth, self.learning_rate)

    def __repr__(self) -> str:
        return f"Tuned({self})"

    def __str__(self) -> str:
        tried = ", ".join(
            f"{rate:g}: {risk:.3g}"
            for rate, risk in zip(self.rates, self.risks.mean(1), strict=True)
        )
        return (
            f"learning rate {self.learning_rate:g}, the best at width {self.width}, L = {self.depth}, "
            f"{self.recipe.steps} steps of {self.recipe.batch_size} samples ({tried})"
        )


def tune(
    problem: Problem,
    steps: int = 1000,
    *,
    batch_size: int = 32,
    width: int = 64,
    depth: int = 3,
    rates: Sequence[float] = RATES,
    seeds: int = 2,
    key: PRNGKeyArray | int = 0,
    embedding: OfDepth | None = None,
    power: float = 1.0,
    annealed: bool = True,
) -> Tuned:
    r"""Find the best learning rate at a small width and a shallow depth.

    Args:
        problem: what is learned, without schedules of its own.
        steps, batch_size: the budget of every run.
        width, depth: where rates are tried.
        rates: tried upwards, until one diverges or the risk has risen twice in a row.
        seeds: runs per rate; their mean risk counts.
        embedding: a function of the depth; `Bidirectional` with its critical gain on the
            problem's inputs if left out.
        power, annealed: of the schedules, see `Recipe`.

    Returns:
        a `Tuned`, whose `train` takes any width and depth.

    Raises:
        InvalidInput: arguments that do not fit, or rates that all diverge.

    !!! example
        ```python
        >>> import jax.numpy as jnp, neuronal as nr
        >>> inputs = nr.distributions.Biased(nr.distributions.Uniform())
        >>> law = nr.distributions.Regression(lambda x: jnp.sin(3 * x[:, 0]), inputs)
        >>> tuned = nr.transfer.tune(nr.Problem(law, nr.losses.PseudoHuber()), 200, width=32, seeds=1)
        >>> wide = tuned.train(width=256, depth=5)
        >>> bool(wide.loss[-1] < 0.1 * wide.loss[0])
        True

        ```
    """
    rates = increasing("rates", rates)
    recipe = Recipe(
        problem, embedding or bidirectional_for(problem), steps, batch_size, power, annealed
    )
    keys = _keys(key, seeds)
    found: dict[float, Float[np.ndarray, "seeds"]] = {}

    def mean_risk(rate: float) -> float:
        found[rate] = np.array([final_risk(recipe, width, depth, rate, k) for k in keys])
        return float(found[rate].mean())

    best = ascend(mean_risk, rates)
    return Tuned(
        best, np.array(list(found)), np.stack(list(found.values())), int(width), int(depth), recipe
    )


def ascend(risk: Callable[[float], float], rates: Sequence[float]) -> float:
    """The rate of least risk, tried upwards until one diverges or the risk has risen twice in a row.

    Raises:
        InvalidInput: even the smallest diverges.
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
    """
    length = None if horizon is None else jnp.asarray(horizon, float)
    return depth_balanced(depth, power, length)


def final_risk(recipe: Recipe, width: int, depth: int, rate: float, key: Array | int) -> float:
    """The risk at the end of a run; infinite where it diverges."""
    try:
        return float(recipe.train(width, depth, rate, key).loss[-1])
    except DivergenceError:
        return np.inf


def scan(
    recipe: Recipe,
    widths: Sequence[int],
    depths: Sequence[int],
    rates: Sequence[float] = RATES,
    seeds: int = 1,
    key: PRNGKeyArray | int = 0,
    on_risk: Callable[[int, int, float, float], None] | None = None,
) -> xr.DataArray:
    """Final risks at every width, depth and rate: does the best rate move?

    Args:
        on_risk: called with `(depth, width, rate, risk)` as each is known.

    Returns:
        risks over `(depth, width, learning_rate, seed)`, infinite where a run diverged.

    Raises:
        InvalidInput: arguments that do not fit.
    """
    import xarray as xr  # takes long to import, and estimators need none of it

    rates = increasing("rates", rates)
    keys = _keys(key, seeds)
    shape = (len(depths), len(widths), len(rates), seeds)
    risks = xr.DataArray(
        np.full(shape, np.inf),
        dims=("depth", "width", "learning_rate", "seed"),
        coords={"depth": list(depths), "width": list(widths), "learning_rate": list(rates)},
    )
    for i, depth in enumerate(depths):
        for j, width in enumerate(widths):
            for r, rate in enumerate(rates):
                for s in range(seeds):
                    risk = final_risk(recipe, width, depth, rate, keys[s])
                    risks[i, j, r, s] = risk
                    if on_risk:
                        on_risk(depth, width, rate, risk)
    return risks


def bidirectional_for(problem: Problem, most: int = 256) -> OfDepth:
    """`Bidirectional` of any depth with its critical gain on some of the problem's inputs."""
    x, y, _ = problem.quadrature(most)
    d, outputs = problem.distribution.input_dim, problem.loss.outputs(y)

    def of_depth(depth: int) -> AbstractEmbedding:
        dimensions(d, depth, outputs)
        return Bidirectional(d, depth, outputs, inputs=x)

    return of_depth


def _keys(key: PRNGKeyArray | int, seeds: int) -> Array:
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

"""The rate found at one small width and depth, and runs at it of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from ..checks import key_of, non_negative, require, shown
from ..drivers.trajectory import Trajectory
from ..problem import Problem
from ..recipes import (
    RATES,
    OfDepth,
    Recipe,
    ascend,
    bidirectional_for,
    final_risk,
    increasing,
    keys_of,
)
from ..schedules import Schedule


@dataclass(frozen=True, repr=False)
class Tuned:
    """A rate found at one width and depth, for all.

    Attributes:
        learning_rate: the best of those tried.
        risks: the final risk of each rate tried and seed, `(R, seeds)`, ``inf`` where a run diverged; on
            samples held out of a finite law.
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

    @property
    def steps(self) -> int:
        """Of SGD in a run."""
        return self.recipe.steps

    @property
    def batch_size(self) -> int:
        """Samples of a step."""
        return self.recipe.batch_size

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

    def _repr_html_(self) -> str:
        from ..pictures import tables

        facts = {
            "found at": f"width {self.width}, L = {self.depth}",
            "a run": f"{self.steps} steps of {self.batch_size} samples",
        }
        rows = [
            (f"{rate:g}", f"{risks.mean():.3g}", ", ".join(f"{risk:.3g}" for risk in risks))
            for rate, risks in zip(self.rates, self.risks, strict=True)
        ]
        tried = tables.table(["learning rate", "final risk", "of each seed"], rows)
        return tables.facts(f"Learning rate {self.learning_rate:g}", facts, tried)

    def __str__(self) -> str:
        tried = ", ".join(
            f"{rate:g}: {risk:.3g}"
            for rate, risk in zip(self.rates, self.risks.mean(1), strict=True)
        )
        return (
            f"learning rate {self.learning_rate:g}, the best at width {self.width}, L = {self.depth}, "
            f"{self.steps} steps of {self.batch_size} samples ({tried})"
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
    held_out: float = 0.2,
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
        held_out: the share of a finite law's samples on which risks are taken, and which is left out of the
            search alone; 0 takes the risk on all of them. Laws of samples that are always new have no need.

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
    keys = keys_of(key, seeds)
    share = non_negative("held_out", held_out)
    require(share < 1, f"held_out: takes a share below 1, got {shown(held_out)}")
    law, apart = problem.distribution.parted(share, jax.random.fold_in(key_of(key), seeds))
    search = recipe
    if apart is not None:
        search = replace(recipe, problem=eqx.tree_at(lambda p: p.distribution, problem, law))
    found: dict[float, Float[np.ndarray, "seeds"]] = {}

    def mean_risk(rate: float) -> float:
        found[rate] = np.array([final_risk(search, width, depth, rate, k, apart) for k in keys])
        return float(found[rate].mean())

    best = ascend(mean_risk, rates)
    return Tuned(
        best, np.array(list(found)), np.stack(list(found.values())), int(width), int(depth), recipe
    )

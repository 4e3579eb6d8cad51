"""A plan: what to train, and what to expect of it."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import pandas as pd
import xarray as xr
from jaxtyping import PRNGKeyArray

from ...checks import key_of
from ...drivers.sgd.train import train
from ...drivers.trajectory import Trajectory
from ...embeddings import AbstractEmbedding
from ...problem import Problem


@dataclass(frozen=True, repr=False)
class Plan:
    r"""The network of least expected risk that a budget pays for, of those considered.

    Attributes:
        problem, embedding: what is learned, and where the neurons come from.
        budget: in floating-point operations of training.
        width: of all hidden layers.
        learning_rate, steps, batch_size: of SGD.
        risk: expected at its end; where networks were tried, the mean of three of them.
        sd: of networks' risks around it, with what is not known of it.
        interval: in which the risk of a network trained so lies, with probability `level`.
        end: what keeps it from more steps: the ``budget``; the ``first order``, beyond which nothing is
            expected, though networks may well do better; the ``learning rate``, no longer stable; or
            ``until``. Empty if more steps are not expected to serve.
        candidates: all that was considered, along `depth`, `width` and `learning_rate`: `steps`, expected
            `risk`, its `sd`, the interval as `low` and `high`, `flops`, `end`; and `why` these are NaN:
            the ``budget`` does not pay for it, the ``learning rate`` is not stable, or the ``first
            order`` in 1/n and $\epsilon$ does not hold.
        unknown: depths of which nothing is known, with the reason.
        probes: networks that were tried, in their order: `depth`, `width`, `learning_rate`, `steps` and
            the `risk` then.
        spent: floating-point operations of these trials.
    """

    problem: Problem
    embedding: AbstractEmbedding
    budget: float
    width: int
    learning_rate: float
    steps: int
    batch_size: int
    risk: float
    sd: float
    level: float
    interval: tuple[float, float]
    end: str
    candidates: xr.Dataset
    unknown: dict[int, str]
    probes: pd.DataFrame
    spent: float

    @property
    def depth(self) -> int:
        """L."""
        return self.embedding.depth

    @property
    def until(self) -> float:
        """MF time at the end."""
        return self.learning_rate * self.steps

    @property
    def table(self) -> pd.DataFrame:
        """The best rate of each depth and width, by expected risk, of those of which it is known."""
        data = self.candidates.drop_vars("why").to_dataframe().dropna().reset_index()
        ranked = data.sort_values("risk").drop_duplicates(["depth", "width"])
        return ranked.reset_index(drop=True)

    def network(self, key: PRNGKeyArray | int = 0, kernel: str = "dense"):
        """A network as planned, not trained."""
        return self.embedding.sample(self.width, key, kernel)

    def train(self, key: PRNGKeyArray | int = 0, save_at: int = 1) -> Trajectory:
        """Train a network as planned, its neurons and samples by `key`.

        Raises:
            DivergenceError: as `neuronal.train`.
        """
        neurons, samples = jax.random.split(key_of(key))
        return train(
            self.problem,
            self.network(neurons),
            self.learning_rate,
            self.until,
            samples,
            self.batch_size,
            save_at=save_at,
        )

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"L = {self.depth}, width {self.width}, learning rate {self.learning_rate:g}, {self.steps} steps "
            f"of {self.batch_size}: risk {self.risk:.3g}, in [{low:.3g}, {high:.3g}] at {self.level:.0%}"
            + (f"; ends by {self.end}" if self.end else "")
        )

    def __repr__(self) -> str:
        return f"Plan({self})"

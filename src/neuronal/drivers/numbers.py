"""The numbers of a run that its pictures draw: laws, samples, scores of classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, Int, PyTree

from ..checks import columns, require
from ..distributions.base import Samples
from ..errors import InvalidInput
from ..kernels import between
from ..network import Network
from .driver import Recipe

MOST = 512
"""Neurons per layer that a picture shows of wider ones: the first, which any rule spreads over their law."""


class Run(Protocol):
    """What is drawn: a `neuronal.Trajectory`."""

    times: Float[np.ndarray, "T"]
    loss: Float[np.ndarray, "T"]
    network: Network

    @property
    def recipe(self) -> Recipe | None:
        """What makes the driver of the run again."""
        ...

    def at(self, t: float) -> Network:
        """The network at MF time t."""
        ...

    def networks(self) -> Iterator[Network]:
        """Those at the recorded times."""
        ...


class Numbers:
    """Of a run."""

    def __init__(self, run: Run):
        self.run = run

    def laws(self) -> list[str]:
        """What has a law: ``w_1`` to ``w_L``, ``H_1`` to ``H_L``."""
        return [f"{of}_{i}" for of in "wH" for i in range(1, self.run.network.depth + 1)]

    def recipe(self) -> Recipe:
        """What makes the driver again, else `InvalidInput`."""
        recipe = self.run.recipe
        if recipe is None:
            raise InvalidInput("trajectory: its driver does not tell what it solves")
        return recipe

    def inputs(self, x: ArrayLike | None) -> np.ndarray:
        """Those given, or the run's own."""
        require(x is not None or self.run.recipe is not None, "x: is missing")
        return np.asarray(self.recipe().samples().x if x is None else self.run.network.inputs(x))

    def samples(self, x: ArrayLike | None, y: ArrayLike | None) -> Samples:
        """Those given, of equal weights, or the run's own."""
        require((x is None) == (y is None), "x, y: take both, or neither")
        if x is None or y is None:
            return self.recipe().samples()
        inputs, targets = self.run.network.inputs(x), columns("y", y)
        require(len(inputs) == len(targets), f"y: {len(targets)} targets for {len(inputs)} inputs")
        return Samples(inputs, targets, jnp.full(len(inputs), 1 / len(inputs)))

    def scores(
        self, network: Network, x: ArrayLike | None, y: ArrayLike | None
    ) -> tuple[Float[np.ndarray, "m c"], Int[np.ndarray, "m"], Float[np.ndarray, "m"]]:
        """Of each class at the samples, the classes that are right, and the samples' weights."""
        samples, loss = self.samples(x, y), self.recipe().problem.loss
        found = loss.scores(network(samples.x))
        if found is None:
            raise InvalidInput(f"trajectory: takes a loss of classes, got {loss.name}")
        weights = np.asarray(samples.weights, float)
        return np.array(found, float), np.asarray(loss.labels(samples.y)), weights

    def times(self, times: Sequence[float] | None, count: int) -> Float[np.ndarray, "T"]:
        """Those given, or so many of the records."""
        known = self.run.times
        if times is not None:
            return np.asarray(times, float)
        return known[np.unique(np.linspace(0, len(known) - 1, count).round().astype(int))]

    def measure(self, hidden: int, rows: np.ndarray) -> Float[np.ndarray, "a"]:
        """Of some neurons of a hidden layer, of sum 1."""
        measure = np.asarray(self.run.network.measures[hidden], float)[rows]
        return measure / measure.sum()

    def sides(self, place: int, network: Network) -> list[np.ndarray]:
        """The measures that a layer's weights stand between; 1 for each coordinate of inputs and outputs."""
        ends = [np.ones(network.weights[0].shape[1]), np.ones(network.output_dim)]
        all_sides = [ends[0], *(np.asarray(p, float) for p in network.measures), ends[1]]
        return all_sides[place : place + 2]

    def law(
        self, what: str, times: Float[np.ndarray, "T"], x: ArrayLike | None
    ) -> tuple[Float[np.ndarray, "T n"], Float[np.ndarray, "T n"]]:
        """Numbers of a layer at those times, and their weights then."""
        of, place = what[0], int(what[2:]) - 1
        at, mass = np.zeros((0, 0)), np.zeros(0)
        if of == "H":
            at = self.inputs(x)
            mass = np.full(len(at), 1 / len(at))
            mass = np.asarray(self.recipe().samples().weights) if x is None else mass
        values, weights = [], []
        for t in times:
            network = self.run.at(t)
            before, after = self.sides(place, network)
            if of == "H":
                before = mass
            elif place == 0:  # w_1 is (n_1, d)
                before, after = after, before
            cols = np.arange(min(MOST, len(after)))
            rows = np.arange(len(before) if of == "H" else min(MOST, len(before)))
            found = (
                np.asarray(network.preactivations(at)[place])[:, cols]
                if of == "H"
                else between(network.weights[place], rows, cols)
            )
            joint = np.outer(before[rows], after[cols]).ravel()
            values.append(found.ravel())
            weights.append(joint / joint.sum())
        return np.stack(values), np.stack(weights)


def symbol(what: str) -> str:
    """Of a law, as mathematics."""
    return f"${what[0]}_{{{what[2:]}}}$"


def of_latents(latents: Sequence[PyTree], layer: int, network: Network) -> Float[np.ndarray, "n q"]:
    """The latents of a hidden layer as a row of numbers per neuron."""
    require(
        len(latents) == network.depth - 1,
        f"latents: takes those of each hidden layer ({network.depth - 1}), got {len(latents)}",
    )
    width = network.widths[layer - 1]
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(latents[layer - 1])]
    fits = bool(leaves) and all(leaf.ndim > 0 and len(leaf) == width for leaf in leaves)
    require(fits, f"latents[{layer - 1}]: takes those of {width} neurons")
    return np.concatenate([leaf.reshape(width, -1) for leaf in leaves], axis=1)

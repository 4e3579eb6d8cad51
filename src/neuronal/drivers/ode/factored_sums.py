r"""Sums of velocities on factored weights, as the stages of the Runge-Kutta-Chebyshev method are.

The distance of a stage from the step's start is a sum of velocities and so a kernel of few products, to
which it is cut back at each stage. The rows of the weights themselves are not touched before the
step's end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ... import dynamics
from ...kernels import Factored, compressed, thinned
from ...motion.change import Change


class Direction(NamedTuple):
    """A change of all weights: a velocity, or the distance of a stage from the step's start.

    Attributes:
        first, last: of the outer layers.
        middle: of the others, besides a `share` of the weights at the step's start, which decay takes.
        lost: norms of what was cut off or thinned away on the way, summed.
        rank, rows: what `middle` of a distance and of a velocity needed at most.
    """

    first: Array
    last: Array
    middle: tuple[Factored, ...]
    share: Float[Array, "layers"]
    lost: Float[Array, "layers"]
    rank: Int[Array, "layers"]
    rows: Int[Array, "layers"]


class Sums(NamedTuple):
    """Sums of directions from the step's start, cut back to few products.

    Attributes:
        weights: at the step's start.
        thinning, cutting: norms that a velocity and a stage may lose, per middle layer.
        rows, ranks: of velocities and of stages.
    """

    weights: dynamics.Kernels
    measures: dynamics.Measures
    thinning: Float[Array, "layers"]
    cutting: Float[Array, "layers"]
    rows: tuple[int, ...]
    ranks: tuple[int, ...]

    def nothing(self) -> Direction:
        """The distance 0."""
        first, *middle, last = self.weights
        zeros = tuple(
            Factored(*(jnp.zeros_like(a) for a in (w.f, w.g, w.s))).with_room(0).with_room(k)
            for w, k in zip(middle, self.ranks, strict=True)
        )
        layers = jnp.zeros(len(middle), first.dtype)
        none = jnp.zeros(len(middle), jnp.int32)
        return Direction(
            jnp.zeros_like(first), jnp.zeros_like(last), zeros, layers, layers, none, none
        )

    def moved(self, d: Direction) -> dynamics.Kernels:
        """The weights at a distance from the start."""
        first, *middle, last = self.weights
        moved = [
            w.scaled(1 + share).plus(part)
            for w, share, part in zip(middle, d.share, d.middle, strict=True)
        ]
        return (first + d.first, *moved, last + d.last)

    def speed(self, changes: list[Change], d: Direction) -> Direction:
        """A velocity at a distance from the start."""
        first, *middle, last = changes
        sides = zip(self.measures[:-1], self.measures[1:], strict=True)
        thin = [
            thinned(c.f, c.g, p, q, tol, k)
            for c, (p, q), tol, k in zip(middle, sides, self.thinning, self.rows, strict=True)
        ]
        parts, shares = [], []
        for c, found, part, share in zip(middle, thin, d.middle, d.share, strict=True):
            own = Factored(found.f, found.g, jnp.ones(len(found.f), found.f.dtype))
            parts.append(own if c.decay is None else own.plus(part, -c.decay))
            shares.append(c.decayed(1 + share))
        lost = jnp.stack([found.lost for found in thin])
        rows = jnp.stack([found.needed for found in thin]).astype(jnp.int32)
        return Direction(
            first.velocity(self.weights[0] + d.first),
            last.velocity(self.weights[-1] + d.last),
            tuple(parts),
            jnp.stack(shares),
            lost,
            jnp.zeros_like(rows),
            rows,
        )

    def combined(
        self,
        last: Direction,
        before: Direction,
        speed: Direction,
        first: Direction,
        factors: tuple[Array, Array, Array, Array],
    ) -> Direction:
        """Their sum times factors, its kernels cut back."""
        terms = (last, before, speed, first)
        add: Any = lambda parts: sum(a * part for a, part in zip(factors, parts, strict=True))
        kernels, lost, rank = [], [], []
        sides = zip(self.measures[:-1], self.measures[1:], strict=True)
        for i, ((p, q), tol, room) in enumerate(zip(sides, self.cutting, self.ranks, strict=True)):
            total = terms[0].middle[i].scaled(factors[0])
            for a, term in zip(factors[1:], terms[1:], strict=True):
                total = total.plus(term.middle[i], a)
            cut = compressed(total, p, q, tol, min(room, len(total.s)))
            kernels.append(cut.kernel.with_room(room))
            lost.append(cut.discarded)
            rank.append(cut.needed)
        of_speeds = jnp.abs(factors[2]) * speed.lost + jnp.abs(factors[3]) * first.lost
        return Direction(
            add(term.first for term in terms),
            add(term.last for term in terms),
            tuple(kernels),
            add(term.share for term in terms),
            last.lost + of_speeds + jnp.stack(lost),
            jnp.maximum(last.rank, jnp.stack(rank).astype(jnp.int32)),
            jnp.maximum(last.rows, jnp.maximum(speed.rows, first.rows)),
        )

    def ended(
        self,
        d: Direction,
        first: Direction,
        last: Direction,
        h: Array,
        tolerance: Float[Array, "layers"],
    ) -> tuple[dynamics.Kernels, Float[Array, "L"], Float[Array, "layers"], Int[Array, "layers"]]:
        """The weights at the step's end, its error, what was cut off, and the rank needed.

        Args:
            d: of the end; first, last: the velocities at the start and there.
        """
        estimate = lambda d, f, g: -0.8 * d + 0.4 * h * (f + g)
        cut = []
        for i, (w, p, q) in enumerate(
            zip(self.weights[1:-1], self.measures[:-1], self.measures[1:], strict=True)
        ):
            share, part = d.share[i], d.middle[i]
            speeds = first.middle[i].plus(last.middle[i])
            all_rows = w.scaled(1 + share).plus(part).plus(speeds, 0.0)
            of_error = [
                estimate(share, first.share[i], last.share[i]) * w.s,
                -0.8 * part.s,
                0.4 * h * speeds.s,
            ]
            room, scales = len(w.s), jnp.concatenate(of_error)
            cut.append(compressed(all_rows, p, q, tolerance[i], room, scales))
        ends = (
            estimate(d.first, first.first, last.first),
            estimate(d.last, first.last, last.last),
        )
        outside = dynamics.layer_norms(ends, (self.measures[0], self.measures[-1]))
        errors = jnp.stack([outside[0], *(c.second_norm for c in cut), outside[1]])
        kernels = (
            self.weights[0] + d.first,
            *(c.kernel for c in cut),
            self.weights[-1] + d.last,
        )
        discarded = d.lost + jnp.stack([c.discarded for c in cut])
        return kernels, errors, discarded, jnp.stack([c.needed for c in cut]).astype(jnp.int32)

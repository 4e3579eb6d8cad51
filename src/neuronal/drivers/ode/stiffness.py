r"""How stiff the MF ODE is: the spectral radius of the velocity of weights, however they are kept.

Where schedules are equal, the velocity is a gradient in $L^2(P)$ and its Jacobian symmetric there: norms
under the power method grow to the radius from below.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ... import dynamics
from ...kernels import added, mean_square, outer_as, thinned
from ...motion.change import Change
from .spectrum import ENOUGH, Spectrum, power_method
from .stepper import RightHandSide

Direction = list[tuple[Float[Array, "k n"], Float[Array, "k n_out"]]]
"""A direction of all weights: per layer the factors whose `outer` product it is."""


def spectral_radius(
    right_hand_side: RightHandSide,
    t: Float[Array, ""],
    weights: dynamics.Kernels,
    measures: dynamics.Measures,
    changes: list[Change],
    direction: Direction | None = None,
    rows: int | None = None,
    enough: float = ENOUGH,
) -> Spectrum:
    """The radius at these weights; its direction is a `Direction`.

    A share by which weights decay is added to that of the other part of the velocity.

    Args:
        changes: the velocity at t.
        direction: to begin with; that of the velocity if left out.
        rows: of factors of directions, where they are to be thinned.
        enough: growth of the estimate in one product, relative, at which it is taken.
    """
    ones = lambda n: jnp.ones(n, weights[0].dtype)
    nodes = [ones(weights[0].shape[1]), *measures, ones(weights[-1].shape[1])]
    sides = [(nodes[1], nodes[0]), *itertools.pairwise(nodes[1:])]

    def thin(f: Array, g: Array, p: Array, q: Array) -> tuple[Array, Array]:
        if rows is None:
            return f, g
        found = thinned(f, g, p, q, jnp.zeros((), f.dtype), rows)
        return found.f, found.g

    def product(direction: Direction) -> Direction:
        def pairs(step: Array) -> Direction:
            moved = [added(w, f, g, step) for w, (f, g) in zip(weights, direction, strict=True)]
            return [(c.f, c.g) for c in right_hand_side(t, tuple(moved))]

        zero = jnp.zeros((), nodes[0].dtype)
        at, slope = jax.jvp(pairs, (zero,), (zero + 1,))
        found = []
        for (f, g), (df, dg), (p, q) in zip(at, slope, sides, strict=True):
            # d(f g) = df g + f dg: twice the rows, all of the size of the derivative
            halves = thin(df, g, p, q), thin(f, dg, p, q)
            found.append(tuple(jnp.concatenate(pair) for pair in zip(*halves, strict=True)))
        return found

    def norm(direction: Direction) -> Array:
        squares = [
            mean_square(outer_as(w, f, g), p, q)
            for w, (f, g), (p, q) in zip(weights, direction, sides, strict=True)
        ]
        return jnp.sqrt(jnp.maximum(sum(squares), 0))

    scaled = lambda direction, factor: [(factor * f, g) for f, g in direction]
    begin = first_direction(changes, rows) if direction is None else direction
    found = power_method(product, norm, scaled, begin, enough)
    decays = [c.decay for c in changes if c.decay is not None]
    radius = found.radius + (jnp.max(jnp.stack(decays)) if decays else 0)
    return found._replace(radius=radius)


def first_direction(changes: list[Change], rows: int | None = None) -> Direction:
    """Of the velocity, or with fewer rows near it: some of its samples."""
    found: Direction = []
    for c in changes:
        k = len(c.f) if rows is None else min(rows, len(c.f))
        some = jnp.round(jnp.linspace(0, len(c.f) - 1, k)).astype(int)
        f, g = c.f[some], c.g[some]
        found.append((jnp.concatenate([f, jnp.zeros_like(f)]), jnp.concatenate([g, g])))
    return found

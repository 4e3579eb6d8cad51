r"""Figures for functions without a known form: a fine grid, refined where it looks worst.

These measure; they prove nothing. What they can show is the contrary: a jump, a slope or a
size that grows without bound is a counterexample that refinement makes plain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

Function = Callable[[Float[np.ndarray, "n"]], Float[np.ndarray, "n"]]
"""Of numbers in double precision; its values are floating-point numbers of any precision."""

GRID = 2**14
_HALVINGS = 24
_STEEPEST = 32
_GROWTH = 1.15  # of a slope at each halving: 1 where there is a derivative, 2 at a jump
_ULPS = 8
"""Of its largest value, by which a function's values may be wrong, as in `bounds.intervals`."""


@dataclass(frozen=True)
class Slope:
    """The steepest place found.

    Attributes:
        value: a lower bound of the Lipschitz constant: the largest difference quotient, less what
            the rounding of the values can add to it.
        at: where.
        grows: it grows without bound as the spacing halves.
        jump: the difference left at the smallest spacing.
    """

    value: float
    at: float
    grows: bool
    jump: float


@dataclass(frozen=True)
class Size:
    """The largest value found, where, and whether it grows without bound."""

    value: float
    at: float
    grows: bool


def steepest(function: Function, low: float, high: float, grid: int = GRID) -> Slope:
    r"""The largest difference quotient on a grid, its steepest cells halved again and again.

    A quotient over [a, b] is at most the Lipschitz constant, but for the errors of the two values:
    with a bound $\delta$ of these, $(|f(b) - f(a)| - 2 \delta) / (b - a)$ is at most the constant.
    As cells shrink this first gains on it, then falls off; the largest over all of them is kept.
    """
    points = np.linspace(low, high, grid + 1)
    values = function(points)
    if not np.all(np.isfinite(values)):
        return Slope(np.inf, float(points[~np.isfinite(values)][0]), True, np.inf)
    error = rounding(values)
    points, values = points.astype(float), values.astype(float)
    a, b, fa, fb = points[:-1], points[1:], values[:-1], values[1:]
    tops: list[float] = []
    cells: list[tuple[float, float, float]] = []
    bend = 0.0
    for halving in range(_HALVINGS + 1):
        differences = np.abs(fb - fa)
        quotients = np.maximum(differences - 2 * error, 0.0) / (b - a)
        order = np.argsort(quotients)[::-1][:_STEEPEST]
        a, b, fa, fb = (v[order] for v in (a, b, fa, fb))
        if halving and quotients[order[0]] == 0:
            break
        tops.append(float(quotients[order[0]]))
        cells.append((float(differences[order[0]]), float(b[0] - a[0]), float(a[0])))
        if halving == _HALVINGS:
            break
        middle = (a + b) / 2
        fm = function(middle)
        if not np.all(np.isfinite(fm)):
            return Slope(np.inf, float(middle[~np.isfinite(fm)][0]), True, np.inf)
        fm = fm.astype(float)
        # Over the smallest cells a smooth function bends by less than its values are rounded.
        bend = float(np.max(np.abs(fa - 2 * fm + fb)))
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
        fa, fb = np.concatenate([fa, fm]), np.concatenate([fm, fb])
    grows = len(tops) > 12 and tops[-1] > max(_GROWTH**8 * tops[-9], 4 * tops[0])
    if grows:
        return Slope(tops[-1], cells[-1][2], True, cells[-1][0])
    error = max(error, bend)
    bounds = [(difference - 2 * error) / spacing for difference, spacing, _ in cells]
    best = int(np.argmax(bounds))
    return Slope(max(bounds[best], 0.0), cells[best][2], False, cells[-1][0])


def rounding(values: Float[np.ndarray, "n"]) -> float:
    """A bound of the errors of a function's values: units in the last place of the largest."""
    counted = np.issubdtype(values.dtype, np.integer) or values.dtype == bool
    eps = 0.0 if counted else float(jnp.finfo(values.dtype).eps)
    return _ULPS * eps * float(np.max(np.abs(values)))


def largest(function: Function, low: float, high: float, grid: int = GRID) -> Size:
    """The largest size on [low, high]: on a grid, and between its points where it is largest."""
    points = np.linspace(low, high, grid + 1)
    spacing = (high - low) / grid
    values = np.abs(function(points)).astype(float)
    if not np.all(np.isfinite(values)):
        at = int(np.argmin(np.isfinite(values)))
        return Size(float(values[at]), float(points[at]), True)
    for _ in range(_HALVINGS):
        order = np.argsort(values)[::-1][:_STEEPEST]
        points, values = points[order], values[order]
        spacing /= 2
        near = np.clip(np.concatenate([points - spacing, points + spacing]), low, high)
        points = np.concatenate([points, near])
        values = np.concatenate([values, np.abs(function(near)).astype(float)])
        if not np.all(np.isfinite(values)):
            break
    index = int(np.argmax(np.where(np.isfinite(values), values, np.inf)))
    return Size(float(values[index]), float(points[index]), not np.isfinite(values[index]))


def far_growth(function: Function, start: float, signs: tuple[int, ...], decades: int = 6) -> Size:
    """Whether the size goes on growing at `start` times 1, 10, 100, ...

    It does where the running maximum over decades grows at each one, and the last growth is
    not small beside the one before: 1 - 1/t stops growing, log t and t do not.
    """
    worst = Size(0.0, start, False)
    for sign in signs:
        edges = sign * start * 10.0 ** np.arange(decades + 1)
        maxima = []
        for near, far in pairwise(edges):
            points = near + (far - near) * np.linspace(0, 1, 257)
            values = np.abs(function(points))
            maxima.append(float(np.max(np.where(np.isnan(values), np.inf, values))))
        running = np.maximum.accumulate(maxima)
        if not np.isfinite(running[-1]):
            return Size(np.inf, float(edges[-1]), True)
        steps = np.diff(running)
        grows = bool(np.all(steps > 1e-9 * running[-1]) and steps[-1] > 0.5 * steps[-2])
        if grows or (not worst.grows and running[-1] > worst.value):
            worst = Size(float(running[-1]), float(edges[-1]), grows)
    return worst

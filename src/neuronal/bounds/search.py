r"""Figures for functions without a known form: a fine grid, refined where it looks worst.

These measure; they prove nothing. What they can show is the contrary: a jump, a slope or a
size that grows without bound is a counterexample that refinement makes plain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

Function = Callable[[Float[np.ndarray, "n"]], Float[np.ndarray, "n"]]

GRID = 2**14
_HALVINGS = 24
_STEEPEST = 32
_GROWTH = 1.15  # of a slope at each halving: 1 where there is a derivative, 2 at a jump


@dataclass(frozen=True)
class Slope:
    """The steepest place found.

    Attributes:
        value: the largest difference quotient.
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
    """The largest difference quotient on a grid, its steepest cells halved again and again."""
    points = np.linspace(low, high, grid + 1)
    values = function(points)
    if not np.all(np.isfinite(values)):
        return Slope(np.inf, float(points[~np.isfinite(values)][0]), True, np.inf)
    spacing = (high - low) / grid
    quotients = np.abs(np.diff(values)) / spacing
    cells = np.argsort(quotients)[::-1][:_STEEPEST]
    a, b, fa, fb = points[cells], points[cells + 1], values[cells], values[cells + 1]
    tops = [float(np.max(quotients))]
    scale = max(float(np.max(np.abs(values))), 1e-300)
    at, jump = float(a[0]), float(abs(fb - fa)[0])
    for _ in range(_HALVINGS):
        middle = (a + b) / 2
        fm = function(middle)
        if not np.all(np.isfinite(fm)):
            return Slope(np.inf, float(middle[~np.isfinite(fm)][0]), True, np.inf)
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
        fa, fb = np.concatenate([fa, fm]), np.concatenate([fm, fb])
        differences = np.abs(fb - fa)
        # Differences must stand above rounding to say anything.
        quotients = np.where(differences > 1e-11 * scale, differences / (b - a), 0.0)
        cells = np.argsort(quotients)[::-1][:_STEEPEST]
        a, b, fa, fb, quotients = (v[cells] for v in (a, b, fa, fb, quotients))
        if quotients[0] == 0:
            break
        tops.append(float(quotients[0]))
        at, jump = float(a[0]), float(abs(fb - fa)[0])
    grows = len(tops) > 12 and tops[-1] > max(_GROWTH**8 * tops[-9], 4 * tops[0])
    return Slope(tops[-1] if grows else max(tops), at, grows, jump)


def largest(function: Function, low: float, high: float, grid: int = GRID) -> Size:
    """The largest size on [low, high]."""
    points = np.linspace(low, high, grid + 1)
    values = np.abs(function(points))
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

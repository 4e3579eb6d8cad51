r"""The average of an activation over directions: what a radial system sees of $\varphi(\langle w, x\rangle)$.

Where the laws of X and of $w_1$ are both radial, $\mathbb{E}[\varphi(\langle w, x \rangle)]$ given $|w|$ and
$|x|$ is $\varphi_d(|w|\,|x|)$, and the network of d inputs is one of a single input (Mei, Montanari
and Nguyen 2018, on isotropic Gaussians).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import special

from ..checks import positive, require, whole
from ..errors import InvalidInput
from .base import Activation
from .named import get

KNOTS = 512, 2**15
"""Of the table, at least and at most; uniform in asinh h."""
NODES = 16, 32, 64, 128
"""Gauss nodes per panel."""
QUADRATURE, TABLE = 1e-10, 1e-7
"""Errors of an average, and of the table between its knots, against the largest |phi(v)|, |v| <= h."""
LEAST = 1e-9
"""In place of h = 0, for sizes, and for the slope on the right where phi has a kink there."""
_AT_ONCE = 512


def radial(activation: str | Activation, dim: int, reach: float = 1000.0) -> Activation:
    r"""$\varphi_d(h) = \mathbb{E}[\varphi(h u_1)]$, u uniform on the sphere $S^{d-1}$.

    A table of $\varphi_d$ and $\varphi_d'$, by Gauss rules in the angle between the kinks of $\varphi$,
    joined by cubics; the derivative is that of the cubics. Beyond the table it goes on as its tail does: as
    a + b/h if $\varphi$ is bounded, else straight. Its constants are those of the cubics.

    Args:
        activation: $\varphi$.
        dim: d.
        reach: the largest h of the table.

    Raises:
        InvalidInput: a dimension below 2, or a $\varphi$ that oscillates too fast for the reach, or
            has kinks that it does not state or that so few dimensions do not smooth.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> phi = nr.activations.radial("square", 5)  # E u_1^2 = 1/5
        >>> round(float(phi(3.0)), 4)
        1.8

        ```
    """
    average = _Average(get(activation), whole("dim", dim, 2), positive("reach", reach))
    table = _table(average)
    value, slope, step = table.values, table.slopes, np.diff(table.knots)
    chord = np.diff(value) / step
    # The coefficients of Bernstein of each cubic and of its derivative bound it; the second
    # derivative is straight between knots.
    hull = [value, value[:-1] + step * slope[:-1] / 3, value[1:] - step * slope[1:] / 3]
    slopes = [slope, 3 * chord - slope[:-1] - slope[1:]]
    curves = [
        6 * chord - 4 * slope[:-1] - 2 * slope[1:],
        2 * slope[:-1] + 4 * slope[1:] - 6 * chord,
    ]
    largest = lambda parts: max(float(np.abs(part).max()) for part in parts) * (1 + 1e-9)
    size, last = math.inf, abs(float(slope[-1]))
    curve = largest([part / step for part in curves])
    if average.bounded:
        size = max(largest(hull), abs(float(value[-1])) + last * average.reach)
        curve = max(curve, 2 * last / average.reach)
    with jax.enable_x64(True):
        size_of_phi = float(_sizes(average, table.knots)[0][-1])
    kinks = tuple(k for k in average.activation.kinks if k == 0)  # the others are averaged away
    return Activation(
        f"radial({average.activation}, {average.dim})",
        average,
        size,
        largest(slopes),
        math.inf if kinks else curve,
        False,
        non_obstructive=float(np.ptp(value)) > TABLE * size_of_phi,  # else it is constant
        kinks=kinks,
    )


class _Table(NamedTuple):
    """An even function and its derivative at knots h >= 0, in double precision."""

    knots: Float[np.ndarray, "K"]
    values: Float[np.ndarray, "K"]
    slopes: Float[np.ndarray, "K"]


@dataclass(frozen=True)
class _Average:
    """The average and its derivative, from its table."""

    activation: Activation
    dim: int
    reach: float

    @property
    def bounded(self) -> bool:
        return math.isfinite(self.activation.bound)

    def __call__(self, h: Array) -> tuple[Array, Array]:
        h = jnp.asarray(h)
        with jax.ensure_compile_time_eval():
            table = _table(self)
        knots, values, slopes = (jnp.asarray(part, h.dtype) for part in table)
        last = len(table.knots) - 1
        size = jnp.abs(h)
        inside = jnp.minimum(size, knots[-1])
        place = jnp.arcsinh(inside) * (last / math.asinh(self.reach))
        i = jnp.clip(place.astype(jnp.int32), 0, last - 1)
        value, slope = _cubic(
            inside, knots[i], knots[i + 1], values[i], values[i + 1], slopes[i], slopes[i + 1]
        )
        ratio = knots[-1] / jnp.maximum(size, knots[-1])
        if self.bounded:
            value += slopes[-1] * knots[-1] * (1 - ratio)
            slope = jnp.where(size > knots[-1], slopes[-1] * ratio**2, slope)
        else:
            value += slopes[-1] * (size - inside)
            slope = jnp.where(size > knots[-1], slopes[-1], slope)
        return value, jnp.sign(h) * slope


def _cubic(h, left, right, value, value_right, slope, slope_right):
    """Hermite's cubic and its derivative."""
    step = right - left
    s = (h - left) / step
    rise, first, second = value_right - value, step * slope, step * slope_right
    a, b = 3 * rise - 2 * first - second, first + second - 2 * rise
    return value + s * (first + s * (a + s * b)), (first + s * (2 * a + 3 * s * b)) / step


@lru_cache(maxsize=64)
def _table(average: _Average) -> _Table:
    with jax.enable_x64(True):
        count, most = KNOTS
        nodes = _nodes(average, _knots(average.reach, count))
        at = _averages(average, _knots(average.reach, count), nodes)
        while True:
            finer = _averages(average, _knots(average.reach, 2 * count), nodes, at)
            middle, _ = _cubic(
                finer.knots[1::2], *(a[s] for a in at for s in (slice(-1), slice(1, None)))
            )
            error = np.abs(middle - finer.values[1::2])
            if np.all(error <= TABLE * _sizes(average, finer.knots)[0][1::2]):
                return finer
            count, at = 2 * count, finer
            if count > most:
                raise InvalidInput(
                    f"activation: the average of {average.activation} over directions in {average.dim} "
                    "dimensions is not smooth enough for a table"
                )


def _knots(reach: float, count: int) -> Float[np.ndarray, "K"]:
    return np.append(np.sinh(np.linspace(0, math.asinh(reach), count + 1)[:-1]), reach)


def _sizes(average: _Average, h: Float[np.ndarray, "K"]) -> list[Float[np.ndarray, "K"]]:
    """The largest sizes of phi and of phi' up to each h."""
    h = np.maximum(h, LEAST)
    both = [average.activation.value_and_derivative(jnp.asarray(sign * h)) for sign in (1, -1)]
    parts = zip(*both, strict=True)
    return [np.maximum.accumulate(np.maximum(*map(np.abs, map(np.asarray, p)))) for p in parts]


def _nodes(average: _Average, h: Float[np.ndarray, "K"]) -> int:
    """Nodes per panel from which the averages do not change."""
    sizes = _sizes(average, h)
    require(
        all(bool(np.isfinite(size).all()) for size in sizes),
        f"activation: {average.activation} is not finite up to h = {average.reach:g}",
    )
    before = _averages(average, h, NODES[0])
    for fewer, nodes in itertools.pairwise(NODES):
        found = _averages(average, h, nodes)
        pairs = zip(found[1:], before[1:], sizes, strict=True)
        if all(bool(np.all(np.abs(a - b) <= QUADRATURE * size)) for a, b, size in pairs):
            return fewer
        before = found
    raise InvalidInput(
        f"activation: the average of {average.activation} up to h = {average.reach:g} takes more than "
        f"{NODES[-1]} nodes per panel; take a smaller reach, or state its kinks"
    )


def _averages(
    average: _Average, h: Float[np.ndarray, "K"], nodes: int, known: _Table | None = None
) -> _Table:
    """E phi(h u) and E u phi'(h u), u the first coordinate of a uniform direction.

    Args:
        known: of every other knot.
    """
    if known is not None:
        between = _averages(average, h[1::2], nodes)
        joined = [np.empty_like(h) for _ in between]
        for both, old, new in zip(joined, known, between, strict=True):
            both[::2], both[1::2] = old, new
        return _Table(*joined)
    parts = [_piece(average, h[i : i + _AT_ONCE], nodes) for i in range(0, len(h), _AT_ONCE)]
    values, slopes = (np.concatenate(part) for part in zip(*parts, strict=True))
    return _Table(h, values, slopes)


def _piece(
    average: _Average, h: Float[np.ndarray, "K"], nodes: int
) -> tuple[Float[np.ndarray, "K"], Float[np.ndarray, "K"]]:
    phi, dim = average.activation, average.dim
    zero, h = h == 0, np.maximum(h, LEAST)
    edges = np.arcsin(_edges(phi.kinks, dim, h))
    x, w = special.roots_legendre(nodes)
    middle, half = (edges[:, 1:] + edges[:, :-1]) / 2, (edges[:, 1:] - edges[:, :-1]) / 2
    angle = middle[..., None] + half[..., None] * x
    # The angle's law has the density cos^{d-2} / B(1/2, (d-1)/2).
    logs = (dim - 2) * np.log(np.maximum(np.cos(angle), 1e-300))
    weight = np.exp(logs - special.betaln(0.5, (dim - 1) / 2)) * half[..., None] * w
    u = np.sin(angle)
    value, slope = phi.value_and_derivative(jnp.asarray(h[:, None, None] * u))
    mean = lambda f: np.einsum("kpn,kpn->k", weight, f)
    values = np.where(zero, float(phi(jnp.zeros(()))), mean(np.asarray(value)))
    # The average is even: without a kink at 0 its slope there is 0 exactly.
    level = zero & (0 not in phi.kinks)
    return values, np.where(level, 0.0, mean(u * np.asarray(slope)))


def _edges(
    kinks: tuple[float, ...], dim: int, h: Float[np.ndarray, "K"]
) -> Float[np.ndarray, "K P"]:
    """Edges of panels of u in [-1, 1]: kinks, and powers of 2 in units of phi(h u) and of the law of u."""
    of_phi = 2.0 ** np.arange(math.ceil(math.log2(h[-1] + 1)) + 1) / h[:, None]
    of_law = 2.0 ** np.arange(math.ceil(math.log2(dim) / 2) + 1) / math.sqrt(dim)
    sides = np.concatenate([of_phi, np.tile(of_law, (len(h), 1)), np.ones((len(h), 1))], axis=1)
    own = np.asarray(kinks) / h[:, None]
    parts = [sides, -sides, own, np.zeros((len(h), 1))]
    return np.sort(np.clip(np.concatenate(parts, axis=1), -1, 1), axis=1)

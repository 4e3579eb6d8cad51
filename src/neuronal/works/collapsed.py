r"""The collapsed limit of independent weights, L >= 4, in its own variables: NumPy and SciPy alone.

What `IID.quadrature` and `nr.solve` are compared with; see the derivation in the documentation,
"The i.i.d. collapse". The unknowns are $w_1(c_1)$, $a(c_1) = \mu_2 + v_2(c_1)$, the numbers
$s_i = \mu_i + v_i$ for $3 \le i \le L-2$, $b(c_{L-1}) = \mu_{L-1} + v_{L-1}(c_{L-1})$ and $w_L(c_{L-1})$.
With biases of layers 2..L-1 from 0 also one number for each of layers 2..L-2, whose neurons are alike, and
$\beta_{L-1}(c_{L-1})$, each moving by the average of its layer's sensitivity.
Squared loss, one output, $\varphi_L$ the identity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp


class Collapsed(NamedTuple):
    """A state of the collapsed system.

    Attributes:
        first: $w_1$, `(n, d)`; `second`: a, `(n,)`.
        middle: $s_3, ..., s_{L-2}$, `(L - 4,)`.
        before: b, `(n',)`; `last`: $w_L$, `(n',)`.
        shared: biases of layers 2..L-2, `(L - 3,)`; `own`: those of layer L-1, `(n',)`.
    """

    first: Float[np.ndarray, "n d"]
    second: Float[np.ndarray, "n"]
    middle: Float[np.ndarray, "s"]
    before: Float[np.ndarray, "k"]
    last: Float[np.ndarray, "k"]
    shared: Float[np.ndarray, "l"]
    own: Float[np.ndarray, "k"]


class System(NamedTuple):
    r"""What moves it.

    Attributes:
        x, y, q: the samples, their targets and weights.
        p, r: measures of the nodes of the first and the last hidden layer.
        phi, slope: $\varphi$ and $\varphi'$.
        rates: $\xi_1, \dots, \xi_L$.
        biased: whether biases move; else they stay 0.
    """

    x: Float[np.ndarray, "m d"]
    y: Float[np.ndarray, "m"]
    q: Float[np.ndarray, "m"]
    p: Float[np.ndarray, "n"]
    r: Float[np.ndarray, "k"]
    phi: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    rates: Sequence[float]
    biased: bool = False

    def values(self, state: Collapsed) -> tuple[list[np.ndarray], np.ndarray]:
        r"""$H_1, ..., H_{L-1}$ and the prediction `(m,)`; between the ends one number per input."""
        heights = [self.x @ state.first.T]
        heights.append(self.phi(heights[0]) @ (self.p * state.second) + state.shared[0])
        for s, bias in zip(state.middle, state.shared[1:], strict=True):
            heights.append(s * self.phi(heights[-1]) + bias)
        heights.append(np.outer(self.phi(heights[-1]), state.before) + state.own)
        return heights, self.phi(heights[-1]) @ (self.r * state.last)

    def velocity(self, state: Collapsed) -> Collapsed:
        """By the chain rule in these variables, each term as the derivation has it."""
        heights, prediction = self.values(state)
        xi = self.rates
        residual = self.q * (prediction - self.y)
        above = residual[:, None] * state.last * self.slope(heights[-1])
        last = -xi[-1] * residual @ self.phi(heights[-1])
        before = -xi[-2] * self.phi(heights[-2]) @ above
        delta = above @ (self.r * state.before) * self.slope(heights[-2])
        middle, shared = np.zeros_like(state.middle), np.zeros_like(state.shared)
        own = -xi[-2] * self.biased * above.sum(axis=0)
        for j in reversed(range(len(state.middle))):
            middle[j] = -xi[2 + j] * delta @ self.phi(heights[1 + j])
            shared[1 + j] = -xi[2 + j] * self.biased * delta.sum()
            delta = delta * state.middle[j] * self.slope(heights[1 + j])
        second = -xi[1] * delta @ self.phi(heights[0])
        shared[0] = -xi[1] * self.biased * delta.sum()
        first = -xi[0] * (delta[:, None] * state.second * self.slope(heights[0])).T @ self.x
        return Collapsed(first, second, middle, before, last, shared, own)

    def stepped(self, start: Collapsed, until: float, steps: int) -> Collapsed:
        """The state at MF time `until`, by constant steps of the classical Runge-Kutta method.

        For activations with kinks, at which adaptive steps shrink without end.
        """
        h, state = until / steps, start

        def ahead(state: Collapsed, velocity: Collapsed, dt: float) -> Collapsed:
            return Collapsed(*(a + dt * v for a, v in zip(state, velocity, strict=True)))

        for _ in range(steps):
            k1 = self.velocity(state)
            k2 = self.velocity(ahead(state, k1, h / 2))
            k3 = self.velocity(ahead(state, k2, h / 2))
            k4 = self.velocity(ahead(state, k3, h))
            parts = zip(k1, k2, k3, k4, strict=True)
            state = ahead(state, Collapsed(*(a + 2 * b + 2 * c + d for a, b, c, d in parts)), h / 6)
        return state

    def solved(self, start: Collapsed, until: float) -> Collapsed:
        """The state at MF time `until`, by SciPy's DOP853."""
        cuts = np.cumsum([part.size for part in start])[:-1]
        shapes = [part.shape for part in start]

        def unpacked(flat: np.ndarray) -> Collapsed:
            pieces = zip(np.split(flat, cuts), shapes, strict=True)
            return Collapsed(*(piece.reshape(shape) for piece, shape in pieces))

        def packed(state: Collapsed) -> np.ndarray:
            return np.concatenate([np.ravel(part) for part in state])

        done = solve_ivp(
            lambda t, flat: packed(self.velocity(unpacked(flat))),
            (0.0, until),
            packed(start),
            "DOP853",
            rtol=1e-9,
            atol=1e-11,
        )
        return unpacked(done.y[:, -1])


def of_ends(
    first: Float[np.ndarray, "n d"],
    last: Float[np.ndarray, "k"],
    means: Sequence[float],
) -> Collapsed:
    r"""The start: nodes of $w_1^0$ and of $w_L^0$, and the means $\mu_1, \dots, \mu_L$ of all layers."""
    second, before = np.full(len(first), means[1]), np.full(len(last), means[-2])
    middle, shared = np.asarray(means[2:-2], float), np.zeros(len(means) - 3)
    return Collapsed(first, second, middle, before, last, shared, np.zeros(len(last)))

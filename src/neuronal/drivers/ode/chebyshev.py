r"""Coefficients of the Runge-Kutta-Chebyshev methods of second order.

With s stages the stability polynomial is $P_s(z) = 1 - b_s T_s(w_0) + b_s T_s(w_0 + w_1 z)$, $T_s$ the
Chebyshev polynomial, $w_0 = 1 + \epsilon / s^2$ a little more than 1, $w_1 = T_s'(w_0) / T_s''(w_0)$ and
$b_s = T_s''(w_0) / T_s'(w_0)^2$, so that $P_s(z) = 1 + z + z^2/2 + O(z^3)$. It is below 1 on
$-\beta_s \le z \le 0$ with $\beta_s = (w_0 + 1) / w_1 \approx 0.65\, s^2$. The recursion of $T_j$ makes
it a recursion of stages, stable within (Sommeijer, Shampine and Verwer, J. Comput. Appl. Math. 88, 1998,
equations 2.1 to 2.8):

$$d_1 = \tilde\mu_1 h F_0, \qquad
d_j = \mu_j d_{j-1} + \nu_j d_{j-2} + \tilde\mu_j h F_{j-1} + \tilde\gamma_j h F_0,$$

with $d_j$ the distance of stage j from the step's start and $F_j$ the velocity there, at the time
$t + c_j h$.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

DAMPING = 2 / 13
r"""$\epsilon$: where $P_s$ oscillates it stays below about 1 - $\epsilon / 3$."""


class Coefficients(NamedTuple):
    r"""Of methods with several numbers of stages, in double precision.

    Attributes:
        stages: their numbers s, increasing.
        reach: $\beta_s$, lengths of the stability intervals.
        mu, nu, speed, first_speed: $\mu_j, \nu_j, \tilde\mu_j, \tilde\gamma_j$ of stage j = 1..s in
            column j - 1, zeros after.
        node: $c_{j-1}$, where the velocity of stage j is taken.
    """

    stages: Int[np.ndarray, "k"]
    reach: Float[np.ndarray, "k"]
    mu: Float[np.ndarray, "k most"]
    nu: Float[np.ndarray, "k most"]
    speed: Float[np.ndarray, "k most"]
    first_speed: Float[np.ndarray, "k most"]
    node: Float[np.ndarray, "k most"]


@functools.cache
def coefficients(most: int) -> Coefficients:
    """For up to `most` stages: every number to 20, then each about a twentieth more."""
    numbers = [2]
    while numbers[-1] < most:
        numbers.append(min(max(numbers[-1] + 1, int(1.05 * numbers[-1])), most))
    rows = [_of_stages(s, most) for s in numbers]
    reach, table = zip(*rows, strict=True)
    return Coefficients(np.asarray(numbers), np.asarray(reach), *np.stack(table, axis=1))


def _of_stages(s: int, most: int) -> tuple[float, Float[np.ndarray, "5 most"]]:
    w0 = 1 + DAMPING / s**2
    t, dt, ddt = np.ones(s + 1), np.zeros(s + 1), np.zeros(s + 1)  # T_j, T_j', T_j'' at w0
    t[1], dt[1] = w0, 1.0
    for j in range(2, s + 1):
        t[j] = 2 * w0 * t[j - 1] - t[j - 2]
        dt[j] = 2 * w0 * dt[j - 1] - dt[j - 2] + 2 * t[j - 1]
        ddt[j] = 2 * w0 * ddt[j - 1] - ddt[j - 2] + 4 * dt[j - 1]
    w1 = dt[s] / ddt[s]
    b = np.empty(s + 1)
    b[2:] = ddt[2:] / dt[2:] ** 2
    b[:2] = b[2]
    a = 1 - b * t
    table = np.zeros((5, most))
    mu, nu, speed, first_speed, node = table
    speed[0] = b[1] * w1
    time = np.zeros(s + 1)
    time[1] = speed[0]
    for j in range(2, s + 1):
        mu[j - 1], nu[j - 1] = 2 * w0 * b[j] / b[j - 1], -b[j] / b[j - 2]
        speed[j - 1] = 2 * w1 * b[j] / b[j - 1]
        first_speed[j - 1] = -a[j - 1] * speed[j - 1]
        node[j - 1] = time[j - 1]
        share = speed[j - 1] + first_speed[j - 1]
        time[j] = mu[j - 1] * time[j - 1] + nu[j - 1] * time[j - 2] + share
    return (w0 + 1) / w1, table

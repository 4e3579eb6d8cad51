r"""Weights of samples moved as little as possible so that averages come out as they should.

Exponential tilting (Efron, Canad. J. Stat. 9, 1981; raking in survey sampling: Deville and Särndal, J.
Amer. Stat. Assoc. 87, 1992): among weights q of n samples, all positive and of sum 1, those with the
least

$$\mathrm{KL}(q \,\|\, 1/n) + \frac{1}{2\tau^2} \Big|\sum_j q_j a_j\Big|^2$$

are $q_j \propto e^{\langle \lambda, a_j \rangle}$, and $\lambda$ minimises the convex
$\log \frac1n \sum_j e^{\langle \lambda, a_j \rangle} + \frac{\tau^2}{2} |\lambda|^2$.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_STEPS = 100
"""Of Newton's method, at most."""
_DECREASE = 1e-4
"""Share of the decrease that the slope promises which a step has to bring (Armijo's rule)."""


def least_moved_weights(a: Float[np.ndarray, "n q"], tolerance: float) -> Float[np.ndarray, "n"]:
    r"""The weights under which the average of `a` is zero, within about the tolerance $\tau > 0$.

    By Newton's method, whose Hessian is $\tau^2$ or more; where too few samples are there to
    bring the averages to zero the weights are those of the least sum of both terms.
    """
    u, s, _ = np.linalg.svd(a, full_matrices=False)
    b = u * s  # the same samples in as few coordinates as they span

    def dual(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        exponents = b @ parameters
        top = exponents.max()
        terms = np.exp(exponents - top)
        value = top + np.log(terms.mean()) + (tolerance * parameters) @ (tolerance * parameters) / 2
        return float(value), terms / terms.sum()

    found = np.zeros(b.shape[1])
    value, weights = dual(found)
    for _ in range(_STEPS):
        mean = weights @ b
        gradient = mean + tolerance**2 * found
        hessian = (b.T * weights) @ b - np.outer(mean, mean) + tolerance**2 * np.eye(len(found))
        step = -np.linalg.solve(hessian, gradient)
        slope, length = float(gradient @ step), 1.0
        if -slope <= 1e-12:
            break
        trial = dual(found + step)
        while trial[0] > value + _DECREASE * length * slope and length > 1e-9:
            length /= 2
            trial = dual(found + length * step)
        found, (value, weights) = found + length * step, trial
    return weights

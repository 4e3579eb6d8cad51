r"""An explicit Runge-Kutta method as numbers, its dense output among them.

Between both ends of a step, $w(t + \theta h) = w(t) + h \sum_i b_i(\theta)\, k_i$ in the velocities
$k_i$ of its stages. The polynomials $b_i$ are those of Diffrax's interpolation for the method: of
fourth order for Tsit5, whose own order is five, so that the error between is a step's error.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import diffrax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...errors import InvalidInput


class Tableau(NamedTuple):
    """Coefficients of an explicit method.

    Attributes:
        matrix, nodes: of the stages, lower triangular, and their times.
        solution, error: of the step and of its error.
        first_is_last: whether the last stage is the velocity at the step's end.
    """

    matrix: Float[np.ndarray, "s s"]
    nodes: Float[np.ndarray, "s"]
    solution: Float[np.ndarray, "s"]
    error: Float[np.ndarray, "s"]
    first_is_last: bool


def has_tableau(solver: Any) -> bool:
    """Whether a Diffrax solver is an explicit Runge-Kutta method."""
    if isinstance(solver, diffrax.Euler):
        return True
    given = getattr(solver, "tableau", None)
    return isinstance(given, diffrax.ButcherTableau) and not given.implicit


def tableau(solver: Any) -> Tableau:
    """The coefficients of a Diffrax solver.

    Raises:
        InvalidInput: it is no explicit Runge-Kutta method.
    """
    if isinstance(solver, diffrax.Euler):
        return Tableau(np.zeros((1, 1)), np.zeros(1), np.ones(1), np.zeros(1), False)
    if not has_tableau(solver):
        raise InvalidInput(
            "solver: factored kernels take an explicit Runge-Kutta method, got "
            f"{type(solver).__name__}"
        )
    given = solver.tableau
    matrix = np.zeros((given.num_stages, given.num_stages))
    for i, row in enumerate(given.a_lower, start=1):
        matrix[i, :i] = row
    nodes = np.concatenate([[given.c1], given.c])
    return Tableau(matrix, nodes, given.b_sol, given.b_error, bool(given.fsal))


def between(solver: Any, share: Float[Array, ""]) -> Float[Array, "s"]:
    r"""$b_i(\theta)$ at a share $\theta$ of the step; at 1 the solution's coefficients."""
    if isinstance(solver, diffrax.Euler):
        return share[None]
    # Diffrax interpolates whatever the velocities are: here the unit vectors.
    one_each = jnp.eye(solver.tableau.num_stages, dtype=share.dtype)
    end = jnp.asarray(solver.tableau.b_sol, share.dtype)
    ends = {"t0": jnp.zeros_like(share), "t1": jnp.ones_like(share)}
    inside = solver.interpolation_cls(**ends, y0=jnp.zeros_like(end), y1=end, k=one_each)
    return inside.evaluate(share).astype(share.dtype)

r"""Theorem 1, executable: Picard iterates of the integrated MF ODE, and a residual.

The solution is the fixed point of $(\mathcal{T} W)(t) = W(0) - \int_0^t \xi(s)\,
\mathbb{E}_Z[\Delta^w(Z; W(s))]\,ds$, and from any start $\mathcal{T}^m$ comes as near to it as
$(Ct)^m / m!$. Time is discretised at Chebyshev points with their exact integration matrix: the
velocity is smooth in time, so the error of the integral is far below the iterates' distances
until it alone is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .. import dynamics
from ..checks import require
from ..distributions import Samples
from ..drivers.ode.solve import solve
from ..drivers.trajectory import Trajectory
from ..embeddings import AbstractEmbedding
from ..network import Network
from ..problem import Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class Picard:
    r"""Distances of Picard iterates to the solution.

    Attributes:
        distances: `(M + 1,)`: of the iterates 0 (the constant start) to M, the largest over
            times and layers of the distance in $L^2(P)$.
        ratios: `(M,)`: each distance over the one before; they fall towards 0 as
            $Ct/m$, which no geometric decay does.
        floor: distance of the last two iterates: where it is far below the last distance,
            the iteration has met the discretisation of time or the solver's tolerance.
    """

    distances: Float[np.ndarray, "M1"]
    floor: float

    def __repr__(self) -> str:
        first, *_, last = self.distances
        return (
            f"Picard(distances {first:.3g} to {last:.3g} in {len(self.distances) - 1} iterations, "
            f"floor {self.floor:.3g})"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the distances, and the factorial fall that Theorem 1 has for them."""
        from ..pictures import drawings

        return drawings.iterates(drawings.on(ax), self.distances, self.floor)

    @property
    def ratios(self) -> Float[np.ndarray, "M"]:
        return self.distances[1:] / self.distances[:-1]


def picard(
    problem: Problem,
    start: AbstractEmbedding | Network,
    until: float,
    iterations: int = 12,
    *,
    nodes: int = 128,
    rule: str = "sobol",
    key: PRNGKeyArray | int = 0,
    times: int = 25,
    data_nodes: int = 64,
    rtol: float | None = None,
) -> Picard:
    r"""Iterate $\mathcal{T}$ from the constant $W(0)$ and measure distances to `solve`'s solution.

    Args:
        start, nodes, rule, key: as for `neuronal.solve`.
        until: MF time t; iterates are compared on [0, t].
        iterations: M.
        times: Chebyshev points in time; the memory is that many states, twice.
        rtol: of the reference solution; as fine as the precision allows if left out.

    Raises:
        InvalidInput: arguments that do not fit.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, 3, rank=4)
        >>> found = nr.picard(problem, embedding, 0.5, iterations=4, nodes=16, times=9)
        >>> bool(found.distances[-1] < found.distances[0])
        True

        ```
    """
    require(iterations >= 1, f"iterations: takes 1 or more, got {iterations}")
    require(times >= 3, f"times: takes 3 or more, got {times}")
    problem.check(start)
    network = start if isinstance(start, Network) else start.quadrature(nodes, rule, key)
    dtype = network.weights[0].dtype
    if rtol is None:
        rtol = 1e-10 if dtype == jnp.float64 else 1e-6
    grid, integral = chebyshev(times, until)
    solution = solve(
        problem, network, until, rtol=rtol, atol=rtol / 10, save_at=grid[1:], data_nodes=data_nodes
    )
    exact = [_phase(solution, t) for t in grid]
    law = problem.quadrature(data_nodes, dtype)
    reference = jax.tree.map(lambda *w: jnp.stack(w), *exact)
    begin = problem.motion(network).at_rest(network.matrices)
    iterate = jax.tree.map(lambda w: jnp.stack([w] * times), begin)
    points, matrix = jnp.asarray(grid, dtype), jnp.asarray(integral, dtype)
    distances = [_distance(network, problem, iterate, reference)]
    step = 0.0
    for _ in range(iterations):
        following = _iterate(network, problem, law, points, matrix, iterate)
        step = _distance(network, problem, following, iterate)
        iterate = following
        distances.append(_distance(network, problem, iterate, reference))
    return Picard(np.asarray(distances), step)


def residual(
    trajectory: Trajectory, until: float | None = None, times: int = 33
) -> Float[np.ndarray, "L"]:
    r"""A-posteriori residual of a solved run: $\sup_t \|W(t) - (\mathcal{T} W)(t)\|$ a layer.

    It uses nothing of how the run was computed, only its states at Chebyshev points: a run
    that solves the integrated equation has a residual of its tolerance's size.

    Returns:
        `(L,)`, in the layers' $L^2(P)$ norms (weights' own units); with momentum `(2 L,)`, those of
        velocities behind.

    Raises:
        InvalidInput: a trajectory of SGD, or in steps alone.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, 3, rank=4)
        >>> limit = nr.solve(problem, embedding, until=0.5, nodes=16, save_at=1, rtol=1e-4)
        >>> bool((nr.residual(limit, times=9) < 1e-2).all())
        True

        ```
    """
    problem, law = trajectory.solved("SGD does not solve the ODE")
    network = trajectory.at(float(trajectory.times[0]))
    span = float(trajectory.times[-1] if until is None else until) - float(trajectory.times[0])
    grid, integral = chebyshev(times, span)
    states = [_phase(trajectory, trajectory.times[0] + t) for t in grid]
    dtype = network.weights[0].dtype
    path = jax.tree.map(lambda *w: jnp.stack(w), *states)
    points = jnp.asarray(trajectory.times[0] + grid, dtype)
    image = _iterate(network, problem, law, points, jnp.asarray(integral, dtype), path)
    return np.asarray(jnp.max(_norms(network, problem, image, path), axis=0))


def _phase(trajectory: Trajectory, t: float) -> dynamics.Weights:
    """All that moves at MF time t, weights as matrices."""
    problem, _ = trajectory.solved("SGD does not solve the ODE")
    state = trajectory.state_at(t)
    network = state.network(trajectory.network)
    return state._replace(weights=network.matrices).phase(problem.motion(network))


def chebyshev(times: int, until: float) -> tuple[Float[np.ndarray, "T"], Float[np.ndarray, "T T"]]:
    r"""Chebyshev points on [0, until], ends included, and the matrix of $\int_0^{t_j}$.

    Row j integrates the interpolating polynomial of values at all points exactly.
    """
    series = np.polynomial.chebyshev
    points = -np.cos(np.pi * np.arange(times) / (times - 1))
    to_coefficients = np.linalg.inv(series.chebvander(points, times - 1))
    antiderivatives = np.stack([series.chebint(row, lbnd=-1) for row in np.eye(times)])
    values = series.chebvander(points, times) @ antiderivatives.T
    return until * (points + 1) / 2, until / 2 * values @ to_coefficients


@eqx.filter_jit
def _iterate(
    network: Network,
    problem: Problem,
    law: Samples,
    points: Float[Array, "T"],
    integral: Float[Array, "T T"],
    path: dynamics.Weights,
) -> dynamics.Weights:
    """The image of a path under T; a path holds phases with a leading axis of times."""

    motion = problem.motion(network)
    velocity = lambda at: motion.flow(at[0], at[1], law)
    velocities = jax.lax.map(velocity, (points, path))
    return jax.tree.map(lambda w0, v: w0[0] + jnp.tensordot(integral, v, axes=1), path, velocities)


@eqx.filter_jit
def _norms(
    network: Network, problem: Problem, a: dynamics.Weights, b: dynamics.Weights
) -> Float[Array, "T _"]:
    gap = jax.tree.map(jnp.subtract, a, b)
    return jax.lax.map(problem.motion(network).norms, gap)


def _distance(
    network: Network, problem: Problem, a: dynamics.Weights, b: dynamics.Weights
) -> float:
    return float(jnp.max(_norms(network, problem, a, b)))

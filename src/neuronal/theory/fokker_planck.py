r"""The limit of noisy neurons on a grid of one coordinate: what Langevin runs are checked against.

With temperature $\tau$ and a potential $\Psi(\theta; \rho)$, the first variation of the objective in the
measure of neurons, $\partial_t \rho = \partial_\theta(\rho\, \partial_\theta \Psi + \tau\,
\partial_\theta \rho)$. Fluxes are those of Scharfetter and Gummel (IEEE Trans. Electron Devices 16, 1969):
with the potential at rest they vanish exactly at $\rho \propto e^{-\Psi/\tau}$. Steps are implicit in
$\rho$ and take the potential of the step's start, so that masses stay positive, sum to 1, and the error in
time is of first order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_banded

from ..checks import positive, require, shown, whole

Masses = Float[np.ndarray, "g"]


@dataclass(frozen=True)
class FokkerPlanck:
    r"""The equation on a grid with walls at its ends.

    Args:
        grid: equally spaced $\theta$, three or more.
        potential: of masses on the grid, sum 1, to $\Psi$ there.
        temperature: $\tau > 0$.

    Raises:
        InvalidInput: a grid that is not equally spaced, a temperature that is not positive.

    !!! example
        ```python
        >>> import numpy as np
        >>> from neuronal.theory.fokker_planck import FokkerPlanck
        >>> grid = np.linspace(-5, 5, 201)
        >>> equation = FokkerPlanck(grid, lambda masses: grid**2 / 2, 0.5)  # Ornstein-Uhlenbeck
        >>> end = equation.solve(np.full(201, 1 / 201), until=20.0, steps=200)
        >>> round(float(end @ grid**2), 3)
        0.5

        ```
    """

    grid: Float[np.ndarray, "g"]
    potential: Callable[[Masses], Float[np.ndarray, "g"]]
    temperature: float

    def __post_init__(self) -> None:
        grid = np.asarray(self.grid, float)
        even = grid.ndim == 1 and grid.size >= 3
        require(
            even and bool(np.allclose(np.diff(grid), grid[1] - grid[0])) and grid[1] > grid[0],
            f"grid: takes three or more equally spaced numbers, got {shown(self.grid)}",
        )
        positive("temperature", self.temperature)

    def solve(self, masses: Masses, until: float, steps: int) -> Masses:
        """Masses at MF time `until`, by so many implicit steps."""
        dt = positive("until", until) / whole("steps", steps, 1)
        for _ in range(steps):
            masses = self.step(masses, dt)
        return masses

    def step(self, masses: Masses, dt: float) -> Masses:
        """One implicit step."""
        spacing = self.grid[1] - self.grid[0]
        jump = np.diff(self.potential(masses)) / self.temperature
        # The flux from j to j + 1 is (tau / h^2) (B(jump) m_j - B(-jump) m_{j+1}).
        share = dt * self.temperature / spacing**2
        right, left = share * _bernoulli(jump), share * _bernoulli(-jump)
        bands = np.zeros((3, masses.size))
        bands[1] = 1.0
        bands[1, :-1] += right
        bands[1, 1:] += left
        bands[0, 1:], bands[2, :-1] = -left, -right
        return solve_banded((1, 1), bands, masses)

    def boltzmann(self, masses: Masses) -> Masses:
        r"""$e^{-\Psi/\tau}$ of the potential that masses make, normalised."""
        exponent = -self.potential(masses) / self.temperature
        weights = np.exp(exponent - exponent.max())
        return weights / weights.sum()

    def stationary(self, masses: Masses, damping: float = 0.5, steps: int = 10_000) -> Masses:
        """The fixed point of `boltzmann`, by damped iteration to 1e-13, without any time.

        Args:
            damping: the share of the new masses in each iteration.
        """
        for _ in range(steps):
            new = self.boltzmann(masses)
            if np.abs(new - masses).max() < 1e-13:
                return new
            masses = masses + damping * (new - masses)
        return masses

    def entropy(self, masses: Masses) -> float:
        r"""$\int \rho \log \rho$ of the density that the masses are."""
        spacing = self.grid[1] - self.grid[0]
        return float(np.sum(masses * np.log(np.maximum(masses, 1e-300) / spacing)))


def of_radii(
    grid: Float[np.ndarray, "g"],
    potential: Callable[[Masses], Float[np.ndarray, "g"]],
    temperature: float,
    dim: int,
) -> FokkerPlanck:
    r"""The equation of $r = |\theta|$, $\theta \in \mathbb{R}^d$, where $\Psi$ and the start see r alone.

    Spheres of larger radius have more room: noise pushes out as the potential $-\tau (d - 1) \log r$ does.

    Args:
        grid: of r > 0, as for `FokkerPlanck`; its masses are those of r.
        potential: of these masses, to $\Psi$ there.
        temperature: $\tau$, of every coordinate.
        dim: d.

    Raises:
        InvalidInput: as for `FokkerPlanck`; a grid that is not positive, a dimension below 1.
    """
    require(float(np.min(grid)) > 0, f"grid: takes radii > 0, got {shown(grid)}")
    room = temperature * (whole("dim", dim, 1) - 1) * np.log(grid)
    return FokkerPlanck(grid, lambda masses: potential(masses) - room, temperature)


def _bernoulli(u: Float[np.ndarray, "e"]) -> Float[np.ndarray, "e"]:
    """u / (e^u - 1), 1 at 0."""
    near = np.abs(u) < 1e-9
    safe = np.where(near, 1.0, np.clip(u, -700, 700))
    return np.where(near, 1 - u / 2, safe / np.expm1(safe))

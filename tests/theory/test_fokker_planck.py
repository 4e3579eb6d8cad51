"""The equation on a grid: Ornstein and Uhlenbeck's closed forms, masses, and the free energy that falls."""

import numpy as np
import pytest
from scipy import stats

import neuronal as nr
from neuronal.theory.fokker_planck import FokkerPlanck, of_radii

GRID = np.linspace(-8, 8, 801)
STRENGTH, TAU = 0.7, 0.4


def normal(mean, std):
    masses = stats.norm.pdf(GRID, mean, std)
    return masses / masses.sum()


def linear():
    return FokkerPlanck(GRID, lambda masses: STRENGTH * GRID**2 / 2, TAU)


@pytest.mark.parametrize("until", [0.3, 1.0, 3.0])
def test_a_linear_force_keeps_normal_laws_normal(until):
    end = linear().solve(normal(1.5, 0.6), until, 3000)
    mean = 1.5 * np.exp(-STRENGTH * until)
    rest = TAU / STRENGTH
    variance = rest + (0.36 - rest) * np.exp(-2 * STRENGTH * until)
    assert end.sum() == pytest.approx(1, abs=1e-12)
    assert end @ GRID == pytest.approx(mean, abs=2e-3)
    assert end @ GRID**2 - (end @ GRID) ** 2 == pytest.approx(variance, abs=2e-3)
    assert np.abs(end - normal(mean, variance**0.5)).sum() < 5e-3


def test_the_error_in_time_is_of_first_order():
    exact = 1.5 * np.exp(-STRENGTH)
    errors = [linear().solve(normal(1.5, 0.6), 1.0, n) @ GRID - exact for n in (50, 100, 200)]
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.15)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.15)


def test_long_steps_keep_masses_positive_and_end_in_boltzmanns_law():
    for potential in (lambda m: GRID**4 / 4 - 2 * GRID**2, lambda m: 30 * np.cos(GRID) + GRID**2):
        equation = FokkerPlanck(GRID, potential, 0.5)
        masses = equation.step(normal(2.0, 0.1), 100.0)
        assert masses.min() >= 0 and masses.sum() == pytest.approx(1, abs=1e-9)
    still = equation.boltzmann(masses)
    assert np.abs(equation.step(still, 10.0) - still).max() < 1e-12


def interacting():
    """F = (E theta - 1)^2/2 + E V: a mean that is pulled to 1, in a double well."""
    well = GRID**4 / 8 - GRID**2 / 2
    return FokkerPlanck(GRID, lambda m: (m @ GRID - 1) * GRID + well, 0.3), well


def test_the_fixed_point_is_where_the_flow_ends_and_the_free_energy_falls():
    equation, well = interacting()
    rest = equation.stationary(normal(0.0, 1.0), damping=0.2)
    assert np.abs(equation.boltzmann(rest) - rest).max() < 1e-12

    def energy(m):
        return (m @ GRID - 1) ** 2 / 2 + m @ well + 0.3 * equation.entropy(m)

    masses, energies = normal(-1.0, 0.5), []
    for _ in range(40):
        energies.append(energy(masses))
        masses = equation.solve(masses, 0.5, 50)
    assert np.all(np.diff(energies) < 0) and min(energies) >= energy(rest)
    assert np.abs(equation.solve(masses, 300.0, 300) - rest).sum() < 1e-6


def test_entropy_is_that_of_the_density():
    assert linear().entropy(normal(0.0, 0.8)) == pytest.approx(
        -0.5 * np.log(2 * np.pi * np.e * 0.64), abs=1e-6
    )


@pytest.mark.parametrize("dim", [1, 2, 10])
def test_radii_of_a_linear_force_are_those_of_normal_vectors(dim):
    """|theta| of N(0, v I): sqrt(v) chi, with v by Ornstein and Uhlenbeck."""
    grid = np.linspace(0.005, 8, 1600)
    equation = of_radii(grid, lambda masses: STRENGTH * grid**2 / 2, TAU, dim)
    rest, until = TAU / STRENGTH, 1.0
    of = lambda variance: stats.chi.pdf(grid / variance**0.5, dim)
    begin = of(0.36) / of(0.36).sum()
    exact = of(rest + (0.36 - rest) * np.exp(-2 * STRENGTH * until))
    end = equation.solve(begin, until, 3000)
    assert np.abs(end - exact / exact.sum()).sum() < 6e-3
    assert np.abs(equation.boltzmann(end) - of(rest) / of(rest).sum()).max() < 1e-4


def test_radii_are_positive():
    with pytest.raises(nr.InvalidInput, match="grid: takes radii > 0"):
        of_radii(np.linspace(0, 1, 5), lambda masses: masses, 1.0, 3)

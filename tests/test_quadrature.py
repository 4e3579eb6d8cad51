"""Rules for Gaussian expectations: known moments, rates, weights of sum 1."""

import jax
import numpy as np
import pytest
from scipy import stats

from neuronal.checks import key_of
from neuronal.quadrature import RULES, gaussian, lattice, sobol

pytestmark = pytest.mark.usefixtures("float64")


def rule(name, nodes, dim, seed=0):
    x, w = gaussian(name, nodes, dim, jax.random.key(seed))
    return np.asarray(x), np.asarray(w)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("nodes", "dim"), [(1, 1), (100, 1), (400, 2), (729, 3)])
def test_weights_are_a_measure(name, nodes, dim):
    x, w = rule(name, nodes, dim)
    assert x.shape == (len(w), dim)
    assert len(w) <= nodes
    assert w.min() >= 0
    np.testing.assert_allclose(w.sum(), 1, rtol=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_gauss_hermite_is_exact_for_polynomials_below_twice_its_side(dim):
    side = 6
    x, w = rule("gauss-hermite", side**dim, dim)
    assert len(w) == side**dim
    for power, moment in ((1, 0), (2, 1), (4, 3), (6, 15), (8, 105), (10, 945), (11, 0)):
        for axis in range(dim):
            np.testing.assert_allclose(w @ x[:, axis] ** power, moment, rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(w @ np.prod(x**2, axis=1), 1, rtol=1e-11)
    assert abs(w @ x[:, 0] ** 12 - 10395) > 100  # the first degree it cannot do


def errors(name, nodes, dim):
    """Root mean square error of E[cos(sum z / sqrt dim)] = exp(-1/2) over seeds."""
    found = []
    for seed in range(24):
        x, w = rule(name, nodes, dim, seed)
        found.append(w @ np.cos(x.sum(axis=1) / np.sqrt(dim)) - np.exp(-0.5))
    return np.sqrt(np.mean(np.square(found)))


def test_monte_carlo_converges_at_one_half_and_sobol_near_one():
    few, many = 64, 4096
    rate = {
        name: -np.log(errors(name, many, 3) / errors(name, few, 3)) / np.log(many / few)
        for name in ("monte-carlo", "sobol", "lattice")
    }
    assert 0.35 < rate["monte-carlo"] < 0.65
    assert rate["sobol"] > 0.8
    assert rate["lattice"] > 0.8


def test_antithetic_pairs_are_exact_for_odd_functions():
    x, w = rule("antithetic", 101, 3)
    np.testing.assert_array_equal(x[0:100:2], -x[1:100:2])
    x, w = rule("antithetic", 100, 3)
    np.testing.assert_allclose(w @ np.tanh(x**3), 0, atol=1e-15)


def generators(points):
    """Of a folded lattice: the steps of its coordinates in n-ths, up to their common fold u to -u."""
    n = len(points)
    ways = np.stack([points[1 % n] / 2, 1 - points[1 % n] / 2])  # what the fold may have come from
    steps = n * (ways - points[0] / 2)
    nearest = np.argmin(np.abs(steps - np.round(steps)), axis=0)
    return np.round(steps[nearest, np.arange(len(nearest))]).astype(int) % n


@pytest.mark.parametrize(("nodes", "dim"), [(1, 2), (2, 3), (97, 4), (1024, 20)])
def test_lattices_are_lattices(nodes, dim):
    """Powers of one generator, coprime to n: every coordinate visits n places."""
    points = lattice(nodes, dim, jax.random.key(4))
    assert points.shape == (nodes, dim)
    assert points.min() > 0
    assert points.max() < 1
    steps = generators(points)
    unfolded = (np.arange(nodes)[:, None] * steps / nodes + points[0] / 2) % 1
    np.testing.assert_allclose(points, 1 - np.abs(2 * unfolded - 1), atol=1e-12)
    assert all(np.gcd(int(a), nodes) == 1 for a in steps)
    for j, step in enumerate(steps):
        power = pow(int(steps[min(1, dim - 1)]), j, nodes)
        assert step in (power, -power % nodes)
    assert len(np.unique(np.round(points[:, 0], 12))) == nodes


@pytest.mark.parametrize("name", ["monte-carlo", "sobol", "lattice", "antithetic"])
def test_random_rules_have_the_normal_law_s_moments_and_obey_their_key(name):
    x, w = rule(name, 2048, 5)
    near = 5 / np.sqrt(2048)
    np.testing.assert_allclose(w @ x, 0, atol=near)
    np.testing.assert_allclose((x.T * w) @ x, np.eye(5), atol=2 * near)
    assert stats.kstest(x[:, 3], "norm").pvalue > 1e-3
    np.testing.assert_array_equal(x, rule(name, 2048, 5)[0])
    assert np.abs(x - rule(name, 2048, 5, seed=1)[0]).max() > 0.1


@pytest.mark.parametrize("nodes", [1, 7, 64])
def test_sobol_points_lie_in_the_open_cube(nodes):
    points = sobol(nodes, 4, jax.random.key(2))
    assert points.shape == (nodes, 4)
    assert 0 < points.min() <= points.max() < 1


def test_sobol_balances_every_half_of_every_coordinate():
    assert np.all((sobol(64, 4, jax.random.key(2)) < 0.5).sum(axis=0) == 32)


def test_a_seed_is_its_key_in_all_three_forms():
    keys = (
        key_of(7),
        key_of(np.int64(7)),
        key_of(jax.random.key(7)),
        key_of(jax.random.PRNGKey(7)),
    )
    drawn = {float(jax.random.normal(key)) for key in keys}
    assert len(drawn) == 1
    assert float(jax.random.normal(key_of(8))) not in drawn

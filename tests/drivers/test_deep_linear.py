"""Deep linear networks with the squared loss, against their closed forms and invariants.

With d = 1, E[X^2] = 1 and E[XY] = s the prediction is u(t) x, and only u matters.
"""

import functools
import itertools

import numpy as np
import pytest
from numpy_reference import random_case
from scipy.integrate import quad, solve_ivp

import neuronal as nr

S = 1.4
TIGHT = {"rtol": 1e-9, "atol": 1e-11, "save_at": 1}

pytestmark = pytest.mark.usefixtures("float64")


@functools.cache
def scalar_problem(schedules=None):
    """Two weighted points with E[X^2] = 1 and E[XY] = s, which no line through 0 fits exactly."""
    x, q = np.array([0.5, -1.5]), np.array([0.625, 0.375])
    y = S * x + 0.7 / x * np.array([1.0, -q[0] / q[1]])
    assert np.isclose(q @ x**2, 1)
    assert np.isclose(q @ (x * y), S)
    return nr.Problem(nr.distributions.Empirical(x[:, None], y, q), nr.losses.Squared(), schedules)


def collapsed(values, measures):
    """A network whose layer i has the weight values[i] at all pairs of neurons."""
    sizes = [*map(len, measures), 1]
    shapes = [(sizes[0], 1), *itertools.pairwise(sizes)]
    weights = [np.full(shape, a) for shape, a in zip(shapes, values, strict=True)]
    return nr.Network(weights, "identity", measures)


def slope_of(network):
    return float(network([[1.0]])[0, 0])


@pytest.mark.slow
@pytest.mark.parametrize("widths", [(3,), (2, 4), (3, 2, 4), (2, 3, 2, 3)])
def test_equal_layers_follow_the_product_s_implicit_solution(widths):
    """All layers a(t): u = a^L with u' = L u^(2 - 2/L) (s - u), so t is an integral over u."""
    depth, until = len(widths) + 1, 0.8
    start = collapsed([0.75] * depth, random_case(0, widths)[1])
    run = nr.solve(scalar_problem(), start, until, **TIGHT)
    reached = slope_of(run.network)
    assert 0.75**depth < 0.9 * reached < S
    time = quad(lambda u: 1 / (depth * u ** (2 - 2 / depth) * (S - u)), 0.75**depth, reached)[0]
    assert abs(time - until) < 1e-7
    for w in run.network.weights:
        np.testing.assert_allclose(w, reached ** (1 / depth), rtol=1e-8)


@pytest.mark.parametrize("depth", [3, 5])
def test_unequal_layers_and_rates_follow_l_scalars(depth):
    """da_i/dt = xi_i (s - prod a) prod_{j != i} a_j, whatever the widths and measures."""
    rates = [0.5 + 0.4 * i for i in range(depth)]
    schedules = tuple(nr.schedules.exponential(3.0, r) for r in rates)
    a0 = 0.8 + 0.15 * np.arange(depth)
    start = collapsed(a0, random_case(1, (4, 2, 3, 2)[: depth - 1])[1])
    run = nr.solve(scalar_problem(schedules), start, 1.5, **TIGHT)

    def field(t, a):
        others = np.array([np.prod(np.delete(a, i)) for i in range(depth)])
        return np.array(rates) * np.exp(-t / 3) * (S - np.prod(a)) * others

    expected = solve_ivp(field, (0, 1.5), a0, "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    assert np.abs(expected - a0).min() > 1e-3
    for w, a in zip(run.network.weights, expected, strict=True):
        np.testing.assert_allclose(w, a, rtol=1e-8)


@pytest.mark.parametrize("until", [0.2, 1.0, 3.0])
def test_two_layers_have_a_closed_form_for_any_law_of_neurons(until):
    """With z = exp(2 tau), tau' = s - u: (a +- b) moves as exp(+-tau), z by a Riccati equation."""
    (first, second), (p,) = random_case(2, (6,), d=1)
    a, b = first[:, 0], second[:, 0]
    plus, minus = p @ (a + b) ** 2 / 4, p @ (a - b) ** 2 / 4  # u = plus z - minus / z
    root = np.sqrt(S**2 + 4 * plus * minus)
    high, low = (S + root) / (2 * plus), (S - root) / (2 * plus)
    ratio = (1 - high) / (1 - low) * np.exp(-2 * root * until)
    z = (high - low * ratio) / (1 - ratio)
    run = nr.solve(scalar_problem(), nr.Network([first, second], "identity", [p]), until, **TIGHT)
    np.testing.assert_allclose(slope_of(run.network), plus * z - minus / z, rtol=1e-8)
    grown, shrunk = (a + b) * np.sqrt(z), (a - b) / np.sqrt(z)
    np.testing.assert_allclose(run.network.weights[0][:, 0], (grown + shrunk) / 2, atol=1e-8)
    np.testing.assert_allclose(run.network.weights[1][:, 0], (grown - shrunk) / 2, atol=1e-8)


def imbalances(network):
    """E[w_i(C, j) w_i(C, l)] - E[w_{i+1}(j, C') w_{i+1}(l, C')] of every hidden layer."""
    p = [np.ones(network.input_dim), *network.measures, np.ones(network.output_dim)]
    w = [np.asarray(network.weights[0]).T, *map(np.asarray, network.weights[1:])]
    return [
        np.einsum("c,cj,cl->jl", p[i], w[i], w[i])
        - np.einsum("c,jc,lc->jl", p[i + 2], w[i + 1], w[i + 1])
        for i in range(len(w) - 1)
    ]


@pytest.mark.parametrize("outputs", [1, 3])
def test_neighbouring_layers_keep_their_imbalance(outputs):
    weights, measures = random_case(3, (4, 3, 5), d=2, k=outputs)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(5, outputs))
    problem = nr.Problem(nr.distributions.Empirical(x, y), nr.losses.Squared())
    start = nr.Network(weights, "identity", measures)
    end = nr.solve(problem, start, 3.0, **TIGHT).network
    for w, before, after in zip(end.weights[1:], imbalances(start), imbalances(end), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-7)
        assert np.abs(w).max() > 0.1
    moved = [np.abs(a - b).max() for a, b in zip(end.weights, start.weights, strict=True)]
    assert min(moved) > 0.02


def test_relu_neurons_keep_their_own_imbalance():
    """Homogeneous activations keep the diagonal: what enters a neuron less what leaves it."""
    weights, measures = random_case(4, (4, 6), d=2)
    rng = np.random.default_rng(1)
    problem = nr.Problem(
        nr.distributions.Empirical(rng.normal(size=(6, 2)), rng.normal(size=6)),
        nr.losses.PseudoHuber(),
    )
    start = nr.Network(weights, "relu", measures)
    end = nr.solve(problem, start, 2.0, **TIGHT).network
    for before, after in zip(imbalances(start), imbalances(end), strict=True):
        np.testing.assert_allclose(np.diag(after), np.diag(before), atol=1e-6)
    off = [a - b for a, b in zip(imbalances(start), imbalances(end), strict=True)]
    assert max(np.abs(d).max() for d in off) > 1e-3  # relu does not keep the rest


def test_the_risk_goes_to_that_of_least_squares():
    """Started balanced and aligned, the product converges to E[XX^T]^-1 E[XY]."""
    x = np.array([[1.0, 0.2], [0.3, -1.0], [-0.8, 0.9], [0.5, 0.7]])
    y = np.array([0.9, -0.4, 0.1, 1.1])
    problem = nr.Problem(nr.distributions.Empirical(x, y), nr.losses.Squared())
    weights, _ = random_case(5, (6, 4), d=2, scale=1.5)
    run = nr.solve(problem, nr.Network(weights, "identity"), 60.0, rtol=1e-6, save_at=1)
    best, residual, *_ = np.linalg.lstsq(x, y)
    np.testing.assert_allclose(run.network(np.eye(2))[:, 0], best, atol=1e-5)
    np.testing.assert_allclose(run.loss[-1], residual[0] / 8, rtol=1e-8)

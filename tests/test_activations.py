"""Activations and schedules: values, derivatives, and the constants that they state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_reference import ACTIVATIONS

import neuronal as nr

A, S = nr.activations, nr.schedules
H = np.linspace(-12, 12, 48_000)  # no node at 0, where relu has no derivative

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("name", sorted(A.ACTIVATIONS))
def test_value_and_derivative(name):
    phi, (value, slope) = A.get(name), ACTIVATIONS[name]
    np.testing.assert_allclose(phi(H), value(H), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(phi.derivative(H), slope(H), rtol=1e-9, atol=1e-12)
    automatic = jax.vmap(jax.grad(lambda h: phi(h)))(jnp.asarray(H))
    np.testing.assert_allclose(phi.derivative(H), automatic, rtol=1e-9, atol=1e-12)
    assert phi is getattr(A, name)
    assert phi(np.ones(2, "f4")).dtype == phi.derivative(np.ones(2, "f4")).dtype == np.dtype("f4")


@pytest.mark.parametrize("name", sorted(A.ACTIVATIONS))
def test_constants_stated_are_the_suprema(name):
    phi = A.get(name)
    value, slope = np.asarray(phi(H)), np.asarray(phi.derivative(H))
    if np.isfinite(phi.bound):
        assert 0.9 * phi.bound < np.abs(value).max() <= phi.bound
    else:
        assert np.abs(phi(10 * H)).max() > 9 * np.abs(value).max()
    if np.isfinite(phi.derivative_bound):
        least = 0.999 * phi.derivative_bound
        assert least < np.abs(slope).max() <= phi.derivative_bound * (1 + 1e-12)
    else:
        assert np.abs(phi.derivative(10 * H)).max() > 9 * np.abs(slope).max()
    steepest = np.abs(np.diff(slope) / np.diff(H)).max()
    if np.isfinite(phi.derivative_lipschitz):
        assert 0.998 * phi.derivative_lipschitz <= steepest <= phi.derivative_lipschitz + 1e-9
    else:
        assert steepest > 1e3  # a jump, over one step of the grid


@pytest.mark.parametrize("name", sorted(A.ACTIVATIONS))
def test_where_the_derivative_vanishes(name):
    slope = np.asarray(A.get(name).derivative(np.linspace(-4, 4, 8001)))
    assert A.get(name).derivative_nonzero == bool(slope.min() > 0)


def test_one_name_fills_the_hidden_layers():
    found = A.per_layer("sin", A.tanh, 4)
    assert [repr(a) for a in found] == ["sin", "sin", "sin", "tanh"]


T = np.linspace(0, 12, 24_001)
SCHEDULES = {
    "constant": (S.constant(0.7), lambda t: 0.7 + 0 * t),
    "cosine": (
        S.cosine(5.0, 1.2, 0.2),
        lambda t: np.where(t < 5, 0.7 + 0.5 * np.cos(np.pi * t / 5), 0.2),
    ),
    "rising cosine": (
        S.cosine(3.0, 0.0, 2.0),
        lambda t: np.where(t < 3, 1 - np.cos(np.pi * t / 3), 2),
    ),
    "exponential": (S.exponential(2.0, 1.5), lambda t: 1.5 * np.exp(-t / 2)),
    "warmup": (S.warmup(4.0, 0.8), lambda t: 0.8 * np.minimum(t / 4, 1)),
}


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedules_and_their_constants(name):
    schedule, formula = SCHEDULES[name]
    values = np.asarray(schedule(jnp.asarray(T)))
    np.testing.assert_allclose(values, formula(T), rtol=1e-12, atol=1e-14)
    assert np.isclose(values.max(), schedule.bound, rtol=1e-9)
    steepest = np.abs(np.diff(values) / np.diff(T)).max()
    np.testing.assert_allclose(steepest, schedule.lipschitz, rtol=1e-3, atol=1e-12)


def test_depth_balanced_divides_the_middle_layers_rate_by_their_number():
    def rates(given):
        return [float(xi(jnp.asarray(3.0))) for xi in given]

    assert rates(S.depth_balanced(2)) == [1, 1]
    assert rates(S.depth_balanced(3)) == [1, 1, 1]
    assert rates(S.depth_balanced(6)) == [1, 0.25, 0.25, 0.25, 0.25, 1]
    assert rates(S.depth_balanced(6, power=0.5)) == [1, 0.5, 0.5, 0.5, 0.5, 1]


def test_schedules_of_a_problem_reach_their_layers():
    law = nr.distributions.Empirical(np.ones((2, 1)), np.ones(2))
    t = jnp.asarray(2.0)
    each = nr.Problem(law, nr.losses.Squared(), [S.constant(v) for v in (1.0, 2.0, 3.0)])
    assert list(map(float, each.rates(t, 3))) == [1, 2, 3]
    one = nr.Problem(law, nr.losses.Squared(), lambda t: 0.5 * t)
    assert list(map(float, one.rates(t, 4))) == [1, 1, 1, 1]
    assert list(map(float, nr.Problem(law, nr.losses.Squared()).rates(t, 2))) == [1, 1]

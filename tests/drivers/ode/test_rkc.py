"""The Runge-Kutta-Chebyshev method in Diffrax, against its theory and SciPy's implicit methods."""

import itertools

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuronal as nr
from neuronal.drivers.ode.chebyshev import coefficients
from neuronal.drivers.ode.rkc import Method, combined, norm, recursion, scaled
from neuronal.drivers.ode.spectrum import power_method

pytestmark = pytest.mark.usefixtures("float64")

POINTS = 60
LARGEST = 4 * (POINTS + 1) ** 2 * np.sin(np.pi * POINTS / (2 * (POINTS + 1))) ** 2


def heat(t, y, args=None):
    """The heat equation on a rod of 60 points, its eigenvalues to -14,900."""
    pad = jnp.pad(y, 1)
    return (POINTS + 1) ** 2 * (pad[2:] - 2 * y + pad[:-2])


def bump():
    x = jnp.arange(1, POINTS + 1) / (POINTS + 1)
    return jnp.sin(np.pi * x) + x**2 * (1 - x)


def solved(field, y0, until, rtol=None, step=None, solver=None, **more):
    control = (
        diffrax.ConstantStepSize() if rtol is None else diffrax.PIDController(rtol, rtol / 100)
    )
    return diffrax.diffeqsolve(
        diffrax.ODETerm(field), solver or nr.RKC(), 0.0, until, step, y0,
        stepsize_controller=control, max_steps=100_000, **more,
    )  # fmt: skip


def polynomial(i, z):
    """The stability polynomial of the i-th method: what its recursion makes of y' = z y."""
    known = coefficients(200)
    before, d = np.zeros_like(z), known.speed[i, 0] * z
    for j in range(1, known.stages[i]):
        mu, nu, speed, first = (a[i, j] for a in known[2:6])
        before, d = d, mu * d + nu * before + speed * z * (1 + d) + first * z
    return 1 + d


def test_each_method_is_of_second_order_and_stable_as_far_as_it_says():
    """P(z) = 1 + z + z^2/2 + O(z^3), |P| < 1 on (-beta, 0), more behind; beta is near 0.653 (s^2 - 1)."""
    known = coefficients(200)
    np.testing.assert_allclose(known.reach, 0.6534 * (known.stages**2 - 1), rtol=2e-3)
    for i, reach in enumerate(known.reach):
        z = -np.linspace(0.05, reach, 4001)
        assert np.max(np.abs(polynomial(i, z))) < 0.97
        beyond = 1.03 if known.stages[i] % 2 == 0 else 1.6  # odd ones pass through 0 first
        assert abs(polynomial(i, np.array([-beyond * reach - 0.1]))[0]) > 1
        steps = np.array([1e-3, 2e-3])
        rest = polynomial(i, -steps) - (1 - steps + steps**2 / 2)
        assert np.all(np.abs(rest) < 0.2 * steps**3)
        assert np.all(known.node[i, : known.stages[i]] < 1)


@pytest.mark.parametrize("stages", [2, 3, 5, 12, 40])
def test_a_step_of_the_linear_test_equation_is_its_polynomial(stages):
    """With the number of stages that the radius, estimated, asks for, y is multiplied by P(h rate)."""
    known = coefficients(200)
    i = list(known.stages).index(stages)
    z = -0.999 * known.reach[i] / 1.2
    rates = jnp.asarray([z, z / 3, -0.1])
    solution = solved(lambda t, y, args: rates * y, jnp.ones(3), 1.0, step=1.0)
    np.testing.assert_allclose(solution.ys[0], polynomial(i, np.asarray(rates)), rtol=1e-9)


def field(t, y, args):
    """Not linear, not autonomous, stiff in one coordinate."""
    a, b = y
    return jnp.stack([jnp.cos(t) - a * b, 200 * (jnp.sin(a) + t - b)])


def reference(until=2.0, **more):
    return solve_ivp(
        lambda t, y: np.asarray(field(t, y, None)), (0, until), [0.3, np.sin(0.3)], "Radau",
        rtol=1e-11, atol=1e-12, **more,
    )  # fmt: skip


@pytest.mark.parametrize("stages", [2, 5, 12, 40])
def test_one_step_of_any_number_of_stages_has_a_local_error_of_third_order(stages):
    """Not linear and not autonomous, so that nodes and all coefficients count."""
    known = coefficients(200)
    i = list(known.stages).index(stages)
    method = Method(jnp.asarray(stages), *(jnp.asarray(a[i]) for a in known[2:]))
    smooth = lambda t, y: jnp.stack([jnp.cos(t) - y[0] * y[1], jnp.sin(y[0]) + t**2 - y[1]])
    y0, errors = jnp.asarray([0.3, 0.8]), []
    for h in (0.2, 0.1, 0.05):
        d = recursion(
            method, combined, lambda t, d: smooth(t, y0 + d), jnp.zeros(2), smooth(0.5, y0),
            jnp.asarray(0.5), jnp.asarray(h),
        )  # fmt: skip
        exact = solve_ivp(smooth, (0.5, 0.5 + h), y0, "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
        errors.append(float(np.linalg.norm(y0 + d - exact)))
    for coarse, fine in itertools.pairwise(errors):
        assert 2.8 < np.log2(coarse / fine) < 3.4, errors


def test_halving_a_constant_step_divides_the_error_of_the_heat_equation_by_four():
    """Steps of 15, 10 and 8 stages against the matrix exponential."""
    values, basis = np.linalg.eigh(jax.jacobian(lambda y: heat(0.0, y))(jnp.zeros(POINTS)))
    exact = basis @ (np.exp(0.1 * values) * (basis.T @ np.asarray(bump())))
    errors = [
        float(np.max(np.abs(solved(heat, bump(), 0.1, step=h).ys[0] - exact)))
        for h in (0.01, 0.005, 0.0025)
    ]
    for coarse, fine in itertools.pairwise(errors):
        assert 1.8 < np.log2(coarse / fine) < 2.4, errors


@pytest.mark.slow
@pytest.mark.parametrize("method", ["Radau", "BDF"])
def test_the_heat_equation_is_scipys_to_the_tolerance_in_few_evaluations(method):
    y0, jacobian = bump(), np.asarray(jax.jacobian(lambda y: heat(0.0, y))(bump()))
    exact = solve_ivp(
        lambda t, y: jacobian @ y, (0, 0.1), y0, method, rtol=1e-9, atol=1e-11, jac=jacobian
    ).y[:, -1]
    errors, steps = [], []
    for rtol in (1e-3, 1e-4, 1e-5, 1e-6):
        solution = solved(heat, y0, 0.1, rtol)
        errors.append(float(np.max(np.abs(solution.ys[0] - exact))) / float(jnp.max(y0)))
        steps.append(int(solution.stats["num_steps"]))
        assert errors[-1] < 10 * rtol
    assert errors == sorted(errors, reverse=True)
    assert steps[0] < 25  # an explicit method of order five takes 0.1 * 14,900 / 3.3 = 450
    assert steps == sorted(steps)


def test_dense_output_between_steps_is_of_the_order_of_the_method():
    exact = reference(dense_output=True).sol
    times = jnp.linspace(0.5, 2.0, 31)
    errors = []
    for rtol in (1e-3, 1e-4, 1e-5):
        saveat = diffrax.SaveAt(ts=times)
        run = solved(field, jnp.asarray([0.3, np.sin(0.3)]), 2.0, rtol, saveat=saveat)
        errors.append(float(np.max(np.abs(run.ys - exact(np.asarray(times)).T))))
        assert errors[-1] < 20 * rtol
    assert errors == sorted(errors, reverse=True)


def test_the_power_method_finds_the_largest_eigenvalue_whatever_its_sign():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    for largest in (-400.0, 400.0):
        values = np.concatenate([[largest], rng.uniform(-250, 0, 29)])
        matrix = jnp.asarray(basis * values @ basis.T)
        found = power_method(
            lambda v, m=matrix: m @ v, norm, scaled, jnp.asarray(rng.normal(size=30))
        )
        assert 0.9 * 400 < float(found.radius) <= 400 * (1 + 1e-12)
        assert int(found.products) < 20
    still = power_method(lambda v: 0 * v, norm, scaled, jnp.ones(3))
    assert float(still.radius) == 0
    assert np.all(np.isfinite(still.direction))


def test_a_step_beyond_most_stages_is_refused_until_it_is_short_enough():
    solver = nr.RKC(most_stages=10)
    solution = solved(heat, bump(), 0.1, 1e-3, solver=solver)
    at_least = 0.1 * LARGEST / coefficients(10).reach[-1]
    assert int(solution.stats["num_accepted_steps"]) > at_least
    np.testing.assert_allclose(solution.ys[0], solved(heat, bump(), 0.1, 1e-6).ys[0], atol=3e-3)
    with pytest.raises(nr.InvalidInput, match="most_stages"):
        nr.RKC(most_stages=1)


def test_a_jump_of_the_velocity_is_seen():
    """diffrax tells the solver of jumps; the velocity kept from the step before is stale there."""
    jump = lambda t, y, args: jnp.where(t < 0.5, -y, 5.0 - y)
    control = diffrax.ClipStepSizeController(
        diffrax.PIDController(1e-6, 1e-8), jump_ts=jnp.asarray([0.5])
    )
    y = diffrax.diffeqsolve(
        diffrax.ODETerm(jump), nr.RKC(), 0.0, 1.0, None, jnp.ones(1), stepsize_controller=control
    ).ys[0]
    half = np.exp(-0.5)
    np.testing.assert_allclose(y, [5 + (half - 5) * half], atol=1e-4)


def test_forward_derivatives_are_those_of_the_solution():
    """y(t) is linear in y0 for the heat equation: its derivative along v is the solution from v."""
    v = jnp.linspace(0, 1, POINTS) ** 2
    forward = diffrax.ForwardMode()
    end = lambda y0: solved(heat, y0, 0.05, step=0.005, adjoint=forward).ys[0]
    slope = jax.jvp(end, (bump(),), (v,))[1]
    np.testing.assert_allclose(slope, end(bump() + v) - end(bump()), rtol=1e-6, atol=1e-8)


def test_single_precision_bears_many_stages():
    with jax.enable_x64(False):
        y0 = bump().astype(jnp.float32)
        single = solved(heat, y0, 0.1, step=0.02).ys[0]
        assert single.dtype == jnp.float32
    double = solved(heat, bump(), 0.1, step=0.02).ys[0]  # 25 stages
    np.testing.assert_allclose(single, double, atol=2e-5)

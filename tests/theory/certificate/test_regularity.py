"""Assumption 1.1: certified constants against numerical suprema; what fails is `violated`."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

import neuronal as nr
from neuronal.theory.certificate import regularity
from neuronal.theory.certificate import schedules as schedule_rows

ACT, LOSS, LAWS, XI = nr.activations, nr.losses, nr.distributions, nr.schedules


def by_name(rows, name):
    (found,) = [row for row in rows if name in row.names]
    return found


def numerical_supremum(function):
    """The largest |function| on a fine grid, polished by SciPy."""
    grid = np.linspace(-12, 12, 4001)
    best = grid[np.argmax(np.abs(jax.vmap(function)(grid)))]
    polished = optimize.minimize_scalar(
        lambda h: -abs(float(function(h))), bounds=(best - 0.01, best + 0.01), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    return max(-polished.fun, float(np.max(np.abs(jax.vmap(function)(grid)))))


@pytest.mark.parametrize("name", ["tanh", "erf", "sigmoid", "softsign", "sin"])
def test_bounded_activations_are_proved_with_their_exact_constants(name):
    activation = ACT.get(name)
    rows = regularity.activation_rows((activation,) * 3)
    with jax.enable_x64(True):
        value = lambda h: activation(jnp.asarray(h, float))
        slope = jax.grad(value)
        # One-sided at softsign's kink of the derivative.
        curve = lambda h: jax.grad(slope)(jnp.where(h == 0, 1e-9, h))
        for condition, function in (("phi'_2 bounded", slope), ("phi'_2 Lipschitz", curve)):
            row = by_name(rows, f"1.1 {condition}")
            assert row.status == "proved"
            expected = numerical_supremum(function)
            assert expected * (1 - 1e-7) <= row.figure <= expected * (1 + 1e-4)
    assert by_name(rows, "1.1 phi_1 bounded").status == "proved"
    nonzero = by_name(rows, "1.1 phi'_3 nonzero")
    assert nonzero.status == ("violated" if name == "sin" else "proved")


def test_relu_is_violated_and_identity_only_where_it_must_be_bounded():
    rows = regularity.activation_rows((ACT.relu, ACT.relu, ACT.identity))
    assert by_name(rows, "1.1 phi_2 bounded").status == "violated"
    assert by_name(rows, "1.1 phi'_2 Lipschitz").status == "violated"
    for condition in ("phi'_3 bounded", "phi'_3 Lipschitz", "phi'_3 nonzero"):
        assert by_name(rows, f"1.1 {condition}").status == "proved"
    assert by_name(regularity.activation_rows((ACT.identity,) * 2), "1.1 phi_1 bounded").status == (
        "violated"
    )


def test_a_wrong_declared_constant_is_found_out():
    liar = dataclasses.replace(ACT.tanh, derivative_lipschitz=0.76)
    row = by_name(regularity.activation_rows((liar,) * 2), "1.1 phi'_1 Lipschitz")
    assert row.status == "violated" and row.figure > 0.7698 - 1e-4


def own(value, derivative, **declared):
    constants = {"bound": 1.0, "derivative_bound": 1.0, "derivative_lipschitz": 2.0}
    constants |= {"derivative_nonzero": True} | declared
    return ACT.Activation("own", lambda h: (value(h), derivative(h)), **constants)


def test_a_users_own_activation_is_measured_never_proved():
    wave = own(lambda h: jnp.sin(h) / 2, lambda h: jnp.cos(h) / 2)
    rows = regularity.activation_rows((wave,) * 2)
    assert by_name(rows, "1.1 phi_1 bounded").status == "measured"
    assert by_name(rows, "1.1 phi_1 bounded").figure == pytest.approx(0.5, rel=1e-5)
    assert by_name(rows, "1.1 phi'_2 Lipschitz").figure == pytest.approx(0.5, rel=1e-3)
    assert by_name(rows, "1.1 phi'_2 nonzero").status == "violated"


@pytest.mark.parametrize(
    ("value", "derivative", "condition"),
    [
        (lambda h: h / (1 + jnp.abs(h)) ** 0.5, jnp.cos, "phi_1 bounded"),
        (jnp.tanh, lambda h: jnp.where(h > 0.123, 1.0, 0.5), "phi'_1 Lipschitz"),
        (jnp.tanh, lambda h: 0.5 * jnp.sqrt(jnp.abs(jnp.tanh(h - 0.3))), "phi'_1 Lipschitz"),
    ],
)
def test_growth_and_jumps_of_a_users_own_are_violations(value, derivative, condition):
    rows = regularity.activation_rows((own(value, derivative),) * 2)
    assert by_name(rows, f"1.1 {condition}").status == "violated"


def polished(function, low=-6.0, high=6.0):
    """sup |function| on [low, high] by SciPy, from the best of a grid."""
    grid = np.linspace(low, high, 2001)
    best, step = grid[np.argmax(np.abs(function(grid)))], grid[1] - grid[0]
    found = optimize.minimize_scalar(
        lambda h: -abs(float(function(h))), bounds=(best - step, best + step), method="bounded",
        options={"xatol": 1e-12},
    )  # fmt: skip
    return max(-float(found.fun), abs(float(function(best))))


def gauss(h):
    return np.exp(-h * h / 2) / math.sqrt(2 * math.pi)


def logistic(h):
    return special.expit(h)


def logistic_slope(h):
    return logistic(h) * (1 - logistic(h))


def swish_curve(h):
    s, d = logistic(h), logistic_slope(h)
    return 2 * d + h * d * (1 - 2 * s)


ROOT_PI = math.sqrt(math.pi)
KNOWN = {
    # name: the function in JAX, and sup |phi|, sup |phi'|, sup |phi''|
    "tanh": (jnp.tanh, 1.0, 1.0, 4 / (3 * math.sqrt(3))),
    "arctan": (jnp.arctan, math.pi / 2, 1.0, 3 * math.sqrt(3) / 8),
    "sin": (jnp.sin, 1.0, 1.0, 1.0),
    "steep sin": (lambda h: jnp.sin(7 * h), 1.0, 7.0, 49.0),
    "sigmoid": (jax.nn.sigmoid, 1.0, 0.25, 1 / (6 * math.sqrt(3))),
    "softplus": (jax.nn.softplus, math.inf, 1.0, 0.25),
    "erf": (jax.scipy.special.erf, 1.0, 2 / ROOT_PI, 2 * math.sqrt(2) / ROOT_PI * math.exp(-0.5)),
    "Gaussian": (lambda h: jnp.exp(-h * h), 1.0, math.sqrt(2) * math.exp(-0.5), 2.0),
    "h / root(1 + h^2)": (lambda h: h / jnp.sqrt(1 + h * h), 1.0, 1.0, 48 / (25 * math.sqrt(5))),
    "small": (lambda h: 1e-6 * jnp.tanh(h), 1e-6, 1e-6, 4e-6 / (3 * math.sqrt(3))),
    "Swish": (jax.nn.silu, math.inf, polished(lambda h: logistic(h) + h * logistic_slope(h)),
              polished(swish_curve)),
    "GELU": (lambda h: jax.nn.gelu(h, approximate=False), math.inf,
             polished(lambda h: special.ndtr(h) + h * gauss(h)),
             polished(lambda h: (2 - h * h) * gauss(h))),
}  # fmt: skip


def with_constants(name, factor=1.0):
    function, *constants = KNOWN[name]

    def value_and_derivative(h):
        return jax.jvp(function, (h,), (jnp.ones_like(h),))

    return ACT.Activation(
        name, value_and_derivative, *(factor * c for c in constants), derivative_nonzero=True
    )


@pytest.mark.parametrize("name", KNOWN)
def test_true_constants_of_a_users_own_are_never_violated(name):
    rows = regularity.activation_rows((with_constants(name),) * 2)
    figures = []
    for part, constant in zip(CONSTANTS, KNOWN[name][1:], strict=True):
        row = by_name(rows, f"1.1 {part.format(1)}")
        assert row.status == ("measured" if constant < math.inf else "violated")
        figures.append(constant if row.status == "violated" else row.figure / constant - 1)
    slack = [figure for figure in figures if figure < math.inf]
    assert all(-1e-7 < excess <= 1e-9 for excess in slack), figures
    vanishes = name in ("sin", "steep sin", "Gaussian", "Swish", "GELU")
    nonzero = by_name(rows, "1.1 phi'_2 nonzero").status
    assert (nonzero == "violated") == vanishes


CONSTANTS = ("phi_{} bounded", "phi'_{} bounded", "phi'_{} Lipschitz")


@pytest.mark.parametrize("name", KNOWN)
def test_constants_of_a_users_own_that_are_too_small_are_violated(name):
    rows = regularity.activation_rows((with_constants(name, 1 - 1e-6),) * 2)
    for part in CONSTANTS:
        assert by_name(rows, f"1.1 {part.format(1)}").status == "violated"


def test_an_activation_in_single_precision_is_no_staircase():
    def value_and_derivative(h):
        value = jnp.tanh(h.astype(jnp.float32))
        return value, 1 - value * value

    single = dataclasses.replace(ACT.tanh, value_and_derivative=value_and_derivative)
    row = by_name(regularity.activation_rows((single,) * 2), "1.1 phi'_1 Lipschitz")
    assert row.status == "measured" and row.figure == pytest.approx(0.7698, rel=2e-3)


def test_a_derivative_that_rounds_to_zero_is_not_known_to_vanish():
    def value_and_derivative(h):
        value = jnp.tanh(h)
        return value, 1 - value * value

    own_tanh = dataclasses.replace(ACT.tanh, value_and_derivative=value_and_derivative)
    row = by_name(regularity.activation_rows((own_tanh,) * 2), "1.1 phi'_2 nonzero")
    assert row.status == "unknown"
    declared = dataclasses.replace(own_tanh, derivative_nonzero=False)
    row = by_name(regularity.activation_rows((declared,) * 2), "1.1 phi'_2 nonzero")
    assert row.status == "violated"


@pytest.mark.parametrize(
    ("loss", "bound", "lipschitz"),
    [
        (LOSS.PseudoHuber(0.3), 0.3, 1.0), (LOSS.Cauchy(2.0), 1.0, 1.0), (LOSS.LogCosh(), 1.0, 1.0),
        (LOSS.Logistic(), 1.0, 0.25), (LOSS.CrossEntropy(), 1.0, 0.5),
    ],
)  # fmt: skip
def test_losses_are_proved_with_their_exact_constants(loss, bound, lipschitz):
    law = LAWS.Empirical(np.ones((2, 1)), np.array([0.0, 1.0]))
    rows = regularity.loss_rows(loss, law, ACT.identity)
    assert [row.status for row in rows] == ["proved", "proved"]
    np.testing.assert_allclose([row.figure for row in rows], [bound, lipschitz], rtol=1e-5)


@pytest.mark.parametrize(
    ("last", "noise", "status"),
    [("identity", 0.0, "violated"), ("tanh", 0.1, "violated"), ("tanh", 0.0, "unknown")],
)
def test_squared_loss_needs_bounded_outputs_and_targets(last, noise, status):
    law = LAWS.Regression(lambda x: x[:, 0], LAWS.Uniform(), noise)
    row = regularity.loss_rows(LOSS.Squared(), law, ACT.get(last))[0]
    assert row.status == status


def test_squared_loss_with_bounded_outputs_on_finite_data_is_proved():
    law = LAWS.Empirical(np.ones((2, 1)), np.array([0.0, -3.0]))
    row = regularity.loss_rows(LOSS.Squared(), law, ACT.tanh)[0]
    assert row.status == "proved" and row.figure == pytest.approx(4.0)


class Steep(LOSS.ResidualLoss):
    """|r|: its slope jumps at 0."""

    gradient_bound, gradient_lipschitz = 1.0, 1.0

    def _value(self, r):
        return jnp.abs(r)

    def _slope(self, r):
        return jnp.sign(r)


def test_a_users_loss_with_a_jump_in_its_gradient_is_violated():
    law = LAWS.Empirical(np.ones((2, 1)), np.array([0.0, -3.0]))
    bounded, lipschitz = regularity.loss_rows(Steep(), law, ACT.identity)
    assert (bounded.status, lipschitz.status) == ("measured", "violated")


@pytest.mark.parametrize(
    ("law", "status", "figure"),
    [
        (LAWS.Uniform(-1.0, 2.0, 4), "proved", 4.0),
        (LAWS.Sphere(3, 2.5), "proved", 2.5),
        (LAWS.Biased(LAWS.Sphere(3, 2.0)), "proved", math.sqrt(5)),
        (LAWS.Gaussian(2), "violated", math.inf),
        (LAWS.Biased(LAWS.Gaussian(2)), "violated", math.inf),
        (LAWS.GaussianMixture([[0.0], [1.0]]), "violated", math.inf),
        (LAWS.Empirical([[3.0, 4.0], [9.0, 9.0]], [0.0, 1.0], [1.0, 0.0]), "proved", 5.0),
    ],
)
def test_inputs(law, status, figure):
    row = regularity.input_row(law)
    assert row.status == status and row.figure == pytest.approx(figure)


@pytest.mark.parametrize(
    ("schedule", "bound", "lipschitz"),
    [
        (XI.constant(2.0), 2.0, 0.0), (XI.cosine(10.0, 1.0, 0.2), 1.0, 0.04 * math.pi),
        (XI.cosine(10.0, 0.2, 1.0), 1.0, 0.04 * math.pi),
        (XI.exponential(5.0, 3.0), 3.0, 0.6), (XI.warmup(4.0, 2.0), 2.0, 0.5),
    ],
)  # fmt: skip
def test_built_in_schedules_are_proved(schedule, bound, lipschitz):
    size, slope = schedule_rows.schedule_rows((schedule,) * 3, 20.0)
    assert (size.status, slope.status) == ("proved", "proved")
    np.testing.assert_allclose([size.figure, slope.figure], [bound, lipschitz], rtol=1e-5)


@pytest.mark.parametrize(
    ("schedule", "condition"),
    [
        (lambda t: jnp.where(t < 7.3, 1.0, 0.5), "Lipschitz"),
        (lambda t: 1 + 1e-3 * jnp.floor(t), "Lipschitz"),
        (lambda t: jnp.sqrt(t), "Lipschitz"),
        (lambda t: 1 + t, "bounded"),
    ],
)
def test_schedules_that_jump_or_grow_are_violated(schedule, condition):
    rows = schedule_rows.schedule_rows((schedule,) * 3, 20.0)
    assert by_name(rows, f"1.1 xi_2 {condition}").status == "violated"


def test_a_users_smooth_schedule_is_measured():
    rows = schedule_rows.schedule_rows((lambda t: 1 / (1 + t) + 0.5,) * 3, 20.0)
    assert {row.status for row in rows} == {"measured"}
    assert by_name(rows, "1.1 xi_1 Lipschitz").figure == pytest.approx(1.0, rel=1e-2)


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (XI.constant(), "proved"), (XI.constant(0.0), "violated"), (XI.exponential(3.0), "unknown"),
        (XI.cosine(9.0, 1.0, 0.1), "proved"), (lambda t: 1 / (1 + t), "measured"),
        (lambda t: jnp.cos(t), "violated"),
    ],
)  # fmt: skip
def test_the_last_rate_must_not_vanish(last, status):
    assert schedule_rows.last_rate_row((XI.constant(), last), 20.0).status == status

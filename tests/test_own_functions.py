"""Functions of one's own: derivatives by autodiff, constants that bound them, laws and targets recognised."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import stats

import neuronal as nr
from neuronal.bounds.following import CannotFollow, extension
from neuronal.bounds.intervals import Interval
from neuronal.theory.certificate.regularity import activation_rows, loss_rows

A, D, L = nr.activations, nr.distributions, nr.losses
pytestmark = pytest.mark.usefixtures("float64")


def ripple(h):
    return jnp.tanh(h) + 0.1 * jnp.sin(2 * h)


def tilted(h):
    return h + 0.5 * jnp.tanh(h)


FORMULAS = {
    "ripple": (ripple, lambda h: mpmath.tanh(h) + mpmath.mpf(0.1) * mpmath.sin(2 * h)),
    "rational": (lambda h: h / (2 + h**4), lambda h: h / (2 + h**4)),
    "bump": (lambda h: jnp.exp(-h * h) - 1, lambda h: mpmath.exp(-h * h) - 1),
    "root": (lambda h: jnp.sqrt(1 + jnp.square(h)), lambda h: mpmath.sqrt(1 + h * h)),
    "arctan": (jnp.arctan, mpmath.atan),
    "logs": (
        lambda h: jnp.log1p(h * h) - jnp.log(3 + h * h),
        lambda h: mpmath.log((1 + h * h) / (3 + h * h)),
    ),
    "hyperbolic": (lambda h: jnp.sinh(h) / jnp.cosh(h), mpmath.tanh),
    "sigmoid": (jax.nn.sigmoid, lambda h: 1 / (1 + mpmath.exp(-h))),
    "inverse": (lambda h: jax.lax.rsqrt(1 + h**2), lambda h: 1 / mpmath.sqrt(1 + h * h)),
    "negative power": (lambda h: (2 + h**2) ** -2, lambda h: (2 + h * h) ** -2),
    "erf": (lambda h: jax.lax.erf(h) - jax.lax.erfc(h), lambda h: mpmath.erf(h) - mpmath.erfc(h)),
    "softplus": (jax.nn.softplus, lambda h: mpmath.log1p(mpmath.exp(h))),
    "larger": (
        lambda h: jnp.maximum(h, jnp.minimum(0.3, -h)) + jnp.abs(h),
        lambda h: max(h, min(mpmath.mpf(0.3), -h)) + abs(h),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_intervals_hold_what_a_program_computes(name):
    """In arithmetic of 50 digits, on boxes from wide to narrow."""
    function, exact = FORMULAS[name]
    follow = extension(function)
    rng = np.random.default_rng(0)
    low = rng.uniform(-8, 8, 400)
    high = low + 10.0 ** rng.uniform(-12, 0.5, 400)
    found = follow(Interval(low, high))
    with mpmath.workdps(50):
        for a, b, l, u in zip(low, high, found.low, found.high, strict=True):
            for share in (0, 0.3, 1):
                value = exact(mpmath.mpf(a) + share * (mpmath.mpf(b) - mpmath.mpf(a)))
                assert l <= value <= u
    narrow = follow(Interval(low, low))
    assert np.all(narrow.high - narrow.low < 1e-10 * (1 + np.abs(narrow.low)))


@pytest.mark.parametrize(
    "function",
    [jnp.sign, jax.nn.relu6, lambda h: jnp.where(h > 0, h, 0.0), jnp.floor, lambda h: h**1.5],
)
def test_choices_and_jumps_are_not_followed(function):
    with pytest.raises(CannotFollow):
        extension(jax.grad(lambda h: function(h)) if function is jax.nn.relu6 else function)


OWN = {
    "tanh": (jnp.tanh, (1, 1, 4 / (3 * math.sqrt(3))), True, (True, True, True)),
    "ripple": (ripple, (1.1, 1.2, None), False, (True, True, True)),
    "tilted": (tilted, (math.inf, 1.5, 2 / (3 * math.sqrt(3))), True, (False, True, True)),
    "arctan": (jnp.arctan, (math.pi / 2, 1, 3 * math.sqrt(3) / 8), True, (True, True, True)),
    "gelu": (lambda h: jax.nn.gelu(h, False), (math.inf, 1.128904145, None), False, None),
    "relu": (jax.nn.relu, (math.inf, 1, math.inf), False, None),
    "bump": (lambda h: jnp.exp(-h * h), (1, math.sqrt(2 / math.e), 2), False, (True, True, True)),
}


@pytest.mark.parametrize("name", OWN)
def test_activations_of_functions(name):
    function, constants, nonzero, proved = OWN[name]
    phi = A.of(function, name)
    assert phi is A.of(function, name) and repr(phi) == name
    h = np.linspace(-12, 12, 24_000)
    np.testing.assert_array_equal(phi(h), function(jnp.asarray(h)))
    np.testing.assert_allclose(
        phi.derivative(h), jax.vmap(jax.grad(function))(jnp.asarray(h)), atol=1e-14
    )
    stated = (phi.bound, phi.derivative_bound, phi.derivative_lipschitz)
    slope = np.asarray(phi.derivative(h))
    reached = (np.abs(phi(h)).max(), np.abs(slope).max(), np.abs(np.diff(slope) / np.diff(h)).max())
    for ours, exact, least in zip(stated, constants, reached, strict=True):
        if exact is not None:
            assert exact * (1 - 1e-6) <= ours <= exact * (1 + 1e-4) or ours == exact
        assert ours >= least * (1 - 1e-9)
    assert phi.derivative_nonzero == nonzero
    form = phi.proven_form
    parts = tuple(p is not None for p in (form.value, form.first, form.second))
    assert proved is None or parts == proved
    rows = {row.bare_condition: row for row in activation_rows([phi, phi])}
    statuses = [rows[n].status for n in ("phi_1 bounded", "phi'_1-2 bounded", "phi'_1-2 Lipschitz")]
    for i, status in enumerate(statuses):
        if math.isinf(stated[i]):
            assert status == "violated"
        else:
            assert status == ("proved" if parts[i] else "measured")


def test_a_derivative_away_from_zero_is_proved():
    row = next(r for r in activation_rows([A.tanh, A.of(tilted)]) if "nonzero" in r.condition)
    assert (row.status == "proved" and "0.99" in row.how) or "1" in row.how


def pseudo_huber(r):
    return jnp.sqrt(1 + r * r) - 1


LOSSES = {
    "log_cosh": (lambda r: jnp.log(jnp.cosh(jnp.clip(r, -300, 300))), L.LogCosh()),
    "pseudo_huber": (pseudo_huber, L.PseudoHuber(1.0)),
    "cauchy": (lambda r: jnp.log1p(r * r) / 2, L.Cauchy(1.0)),
    "squared": (lambda r: r * r / 2, L.Squared()),
    "pair": (lambda y, p: (p - y) ** 2 / 2, L.Squared()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_functions_are_the_losses_of_these_functions(name):
    function, known = LOSSES[name]
    loss, rng = L.of(function), np.random.default_rng(0)
    y, p = jnp.asarray(rng.normal(size=(2, 50, 3)))
    np.testing.assert_allclose(loss(y, p), known(y, p), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(loss.gradient(y, p), known.gradient(y, p), rtol=1e-9, atol=1e-12)
    targets, weights = jnp.asarray(rng.normal(size=(20, 5, 2)) * 3), rng.dirichlet(np.ones(5), 20)
    np.testing.assert_allclose(
        loss.infimum(targets, weights), known.infimum(targets, weights), rtol=1e-6, atol=1e-9
    )
    assert loss.convex == known.convex
    assert loss.zero_gradient_is_zero_loss == known.zero_gradient_is_zero_loss
    assert loss.of_residual == (name != "pair")
    for ours, exact in (
        (loss.gradient_bound, known.gradient_bound),
        (loss.gradient_lipschitz, known.gradient_lipschitz),
    ):
        assert ours == exact or exact * (1 - 1e-3) <= ours <= exact * (1 + 1e-3)


def test_a_loss_without_symmetry_finds_its_own_minimum():
    loss = L.of(lambda r: jnp.logaddexp(2 * r, -r))
    y = jnp.asarray([[[0.0], [1.0], [4.0]]])
    a = jnp.linspace(-5, 5, 200_001)
    p = jnp.asarray([0.2, 0.5, 0.3])
    values = jnp.sum(p[:, None] * jnp.logaddexp(2 * (a - y[0]), -(a - y[0])), axis=0)
    np.testing.assert_allclose(loss.infimum(y, p[None]), values.min(), rtol=1e-9)


def test_losses_are_certified_as_far_as_intervals_follow():
    law = D.Empirical(np.ones((1, 1)), np.ones(1))
    rows = loss_rows(L.of(lambda r: jnp.tanh(r) ** 2), law, A.identity)
    assert [r.status for r in rows] == ["proved", "proved"]
    rows = loss_rows(L.of(pseudo_huber), law, A.identity)
    assert {r.status for r in rows} <= {"proved", "measured"}
    rows = loss_rows(L.of(lambda r: r**4), law, A.identity)
    assert {r.status for r in rows} == {"violated"}


LAWS = {
    "normal": stats.norm(0.5, 2),
    "beta": stats.beta(2, 3, loc=-1, scale=2),
    "uniform": stats.uniform(-1, 3),
    "student": stats.t(9),
    "gamma": stats.gamma(2.5),
    "laplace": stats.laplace(),
}


@pytest.mark.parametrize("name", LAWS)
def test_laws_of_scipy(name):
    law, inputs = LAWS[name], D.inputs_of(LAWS[name])
    x = np.asarray(inputs.sample(jax.random.key(0), 20_000))[:, 0]
    assert stats.kstest(x, law.cdf).pvalue > 1e-3
    nodes, weights = (np.asarray(a) for a in inputs.quadrature(64))
    assert weights.sum() == pytest.approx(1, abs=1e-12) and nodes.shape == (64, 1)
    near = 2e-4 if name == "laplace" else 2e-5  # its density has a kink, and the rule a power of h
    for power in (1, 2, 3):
        assert weights @ nodes[:, 0] ** power == pytest.approx(
            law.moment(power), rel=near, abs=1e-6
        )
    assert weights @ np.cos(nodes[:, 0]) == pytest.approx(law.expect(np.cos), abs=near)
    s = np.linspace(-20, 20, 997)[:, None]
    exact = np.where(s < 0, law.ppf(1 / (1 + np.exp(-s))), law.isf(1 / (1 + np.exp(s))))
    np.testing.assert_allclose(inputs.at_logits(s), exact, rtol=1e-7, atol=1e-7)
    assert (inputs.norm_bound().status == "proved") == bool(np.isfinite(law.support()).all())


@pytest.mark.slow
def test_coordinates_and_samplers_are_inputs():
    law = D.Regression(lambda x: x[0] * x[1], [stats.norm(), stats.beta(2, 2)])
    x, y = law.sample(jax.random.key(0), 4000)
    np.testing.assert_allclose(y[:, 0], x[:, 0] * x[:, 1])
    assert abs(np.corrcoef(x.T)[0, 1]) < 0.06 and float(x[:, 1].min()) >= 0

    def ring(key):
        angle = jax.random.uniform(key, maxval=2 * jnp.pi)
        return jnp.stack([jnp.cos(angle), jnp.sin(angle)])

    drawn = D.Regression(lambda x: x[:, 0], ring)
    x, _, weights = drawn.quadrature(500)
    np.testing.assert_allclose(jnp.sum(x**2, axis=1), 1, rtol=1e-12)
    assert float(weights.sum()) == pytest.approx(1)
    problem = nr.Problem(D.Regression(jnp.sum, D.Biased(D.inputs_of(stats.norm()))), L.Squared())
    run = nr.train(
        problem, nr.embeddings.IID(2, 2).sample(8, 0), 0.1, 1.0, 0, save_at=1, data_nodes=16
    )
    assert np.isfinite(run.loss).all()


def of_one(x):
    return jnp.sin(x[0]) * x[1]


@pytest.mark.parametrize(
    "target", [of_one, lambda x: jnp.stack([x[0], x[1] ** 2]), lambda x: jnp.sin(x).sum()]
)
def test_targets_of_one_sample_are_mapped(target):
    given = D.Regression(target, D.Uniform(dim=2))
    mapped = D.Regression(jax.vmap(target), D.Uniform(dim=2))
    for a, b in zip(
        given.sample(jax.random.key(0), 7), mapped.sample(jax.random.key(0), 7), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert D.Regression(target, D.Uniform(dim=2)).target == given.target  # compiled once


def test_a_batch_stays_a_batch():
    target = lambda x: x[:, 0]
    assert D.Regression(target, D.Uniform(dim=2)).target is target


@pytest.mark.slow
def test_own_pieces_are_saved_and_handed_over(tmp_path):
    law = D.Regression(of_one, [stats.norm(), stats.beta(2, b=2)])
    problem = nr.Problem(law, L.of(pseudo_huber))
    network = nr.embeddings.IID(2, 2, activation=A.of(ripple)).sample(8, 0)
    run = nr.train(problem, network, 0.1, 0.5, 0, save_at=2, data_nodes=8)
    nr.save(tmp_path / "run", run)
    again = nr.load(tmp_path / "run", own=[of_one, pseudo_huber, ripple])
    np.testing.assert_array_equal(again.loss, run.loss)
    np.testing.assert_array_equal(again.at(0.3)(np.ones((1, 2))), run.at(0.3)(np.ones((1, 2))))
    assert again.network.activations == run.network.activations


def test_what_they_print_is_the_same_in_other_processes():
    law = D.Regression(of_one, [stats.norm(), stats.beta(2, 2)])
    drawn = D.Regression(of_one, lambda key: jax.random.normal(key, (2,)))
    for thing in (
        law,
        drawn,
        L.of(pseudo_huber),
        nr.Problem(law, L.of(lambda y, p: (y - p) ** 4)),
        A.of(ripple),
    ):
        assert "0x" not in repr(thing) and len(repr(thing)) < 300
    assert "of_one" in repr(law) and "pseudo_huber" in repr(L.of(pseudo_huber))

"""What every loss keeps: one of the registry passes by being listed there, as does a user's own."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

import neuronal as nr
from neuronal.bounds import proofs
from neuronal.bounds.forms import LossForm
from neuronal.bounds.intervals import Interval
from neuronal.experiments import config
from neuronal.experiments.build import build
from neuronal.theory.certificate import regularity

L = nr.losses


@dataclass(frozen=True)
class Expectile(L.Loss):
    """|level - 1(r < 0)| r^2 with r = y - prediction: asymmetric, and no even `ResidualLoss`."""

    level: float = 0.8
    sums_over_outputs = True
    of_residual = True

    @property
    def gradient_lipschitz(self):
        return 2 * max(self.level, 1 - self.level)

    def _factor(self, r):
        return jnp.where(r < 0, 1 - self.level, self.level)

    def __call__(self, y, prediction):
        r = y - prediction
        return jnp.sum(self._factor(r) * r * r, axis=-1)

    def gradient(self, y, prediction):
        r = y - prediction
        return -2 * self._factor(r) * r

    def infimum(self, y, weights):
        a = jnp.sum(weights[..., None] * y, axis=1)
        for _ in range(60):  # the weighted mean that is its own, by iteration
            p = weights[..., None] * self._factor(y - a[:, None])
            a = jnp.sum(p * y, axis=1) / jnp.sum(p, axis=1)
        r = y - a[:, None]
        return jnp.sum(weights * jnp.sum(self._factor(r) * r * r, axis=-1), axis=1)

    @proofs.proof
    def interval_form(self):
        low, high = sorted((2 * self.level, 2 * (1 - self.level)))

        def slope(u):
            return Interval(np.full_like(u.low, low), np.full_like(u.high, high))

        return LossForm(lambda u: u * slope(u), slope, "the residual")


ALL = {name: L.get(name) for name in L.LOSSES} | {"expectile": Expectile()}
NUMBERS = arrays(float, 64, elements=st.floats(-20, 20, allow_subnormal=False))
WIDTHS = arrays(float, 64, elements=st.floats(0, 3, allow_subnormal=False))


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def targets(loss, m, seed=0):
    """Targets `(m, ...)` that the loss takes."""
    rng = np.random.default_rng(seed)
    if loss.two_classes:
        return np.where(rng.random((m, 1)) < 0.5, -1.0, 1.0)
    if loss.takes_classes:
        y = rng.integers(0, 3, (m, 1)).astype(float)
        y[0] = 2  # every class number up to the largest has an output
        return y
    return rng.normal(size=(m, 2))


def predictions(loss, y, seed=1, scale=3.0):
    return scale * np.random.default_rng(seed).normal(size=(len(y), loss.outputs(y)))


@pytest.mark.parametrize("name", ALL)
def test_shapes_signs_and_the_gradient(name):
    loss = ALL[name]
    y = targets(loss, 40)
    a = predictions(loss, y)
    loss.check(jnp.asarray(y), a.shape[1])
    values, gradient = np.asarray(loss(y, a)), np.asarray(loss.gradient(y, a))
    assert values.shape == (40,) and gradient.shape == a.shape
    assert np.all(values >= 0)
    automatic = jax.grad(lambda b: jnp.sum(loss(jnp.asarray(y), b)))(jnp.asarray(a))
    np.testing.assert_allclose(gradient, automatic, atol=1e-12)
    h = 1e-6
    for j in range(a.shape[1]):
        step = h * np.eye(a.shape[1])[j]
        quotient = (np.asarray(loss(y, a + step)) - np.asarray(loss(y, a - step))) / (2 * h)
        np.testing.assert_allclose(gradient[:, j], quotient, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_the_infimum_is_a_lower_bound_that_is_reached(name):
    loss = ALL[name]
    rng = np.random.default_rng(5)
    y, p = targets(loss, 5)[None], rng.dirichlet(np.ones(5), 1)
    k = loss.outputs(jnp.asarray(y[0]))
    found = float(loss.infimum(jnp.asarray(y), jnp.asarray(p))[0])

    def risk(a):
        return float(p[0] @ np.asarray(loss(y[0], np.broadcast_to(a, (5, k)))))

    starts = [rng.normal(size=k) for _ in range(6)]
    least = min(minimize(risk, a, tol=1e-10).fun for a in starts)
    assert found <= least + 1e-9
    assert found == pytest.approx(least, rel=1e-5, abs=1e-8)
    proven = loss.proven_infimum(y, p)
    assert proven is None or proven[0] <= found + 1e-12


@pytest.mark.parametrize("name", ALL)
def test_declared_constants_and_convexity_hold_along_segments(name):
    loss = ALL[name]
    y = targets(loss, 4000)
    a = predictions(loss, y, 1, 10.0) * 10.0 ** np.random.default_rng(3).uniform(-3, 0, (4000, 1))
    b = a + predictions(loss, y, 2, 1.0) * 10.0 ** np.random.default_rng(4).uniform(
        -3, 1, (4000, 1)
    )
    at_a, at_b = np.asarray(loss.gradient(y, a)), np.asarray(loss.gradient(y, b))
    assert np.abs(at_a).max() <= loss.gradient_bound * (1 + 1e-12)
    rise, step = np.linalg.norm(at_b - at_a, axis=1), np.linalg.norm(b - a, axis=1)
    assert np.all(rise <= loss.gradient_lipschitz * step * (1 + 1e-9) + 1e-13)
    if loss.convex:
        assert np.all(np.sum((at_b - at_a) * (b - a), axis=1) >= -1e-12)


@pytest.mark.parametrize("name", ALL)
def test_what_it_says_of_outputs_and_residuals_is_so(name):
    loss = ALL[name]
    y = targets(loss, 30)
    a = predictions(loss, y)
    if loss.sums_over_outputs:
        both = np.asarray(loss(np.hstack([y, y]), np.hstack([a, -a])))
        np.testing.assert_allclose(both, np.asarray(loss(y, a)) + np.asarray(loss(y, -a)))
    if loss.of_residual:
        np.testing.assert_allclose(loss(y + 1.7, a + 1.7), loss(y, a), atol=1e-12)
    if loss.zero_gradient_is_zero_loss:
        assert float(loss(y[:1], y[:1])[0]) == 0
        assert np.all(np.abs(np.asarray(loss.gradient(y, a))).sum(axis=1) > 0)
    closed = loss.normal_infimum(0.7)
    if closed is not None:
        zeta, p = nr.quadrature.gaussian("gauss-hermite", 64, 1, jax.random.key(0))
        assert closed == pytest.approx(float(loss.infimum(0.7 * zeta[None], p[None])[0]), rel=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_its_constants_are_proved_and_a_subclass_inherits_no_proof(name):
    loss = ALL[name]
    law = nr.distributions.Empirical(np.ones((2, 1)), np.array([0.0, 1.0]))
    bounded, lipschitz = regularity.loss_rows(loss, law, nr.activations.tanh)
    assert lipschitz.status == "proved"
    assert bounded.status == ("proved" if loss.gradient_bound < np.inf else bounded.status)
    assert bool(loss.convexity()) == loss.convex
    changed = type("Changed", (type(loss),), {"gradient": lambda self, y, a: jnp.sin(a) + 0 * y})()
    assert changed.interval_form() is None and not changed.convexity()
    y = targets(loss, 3)[None]
    assert changed.proven_infimum(y, np.full((1, 3), 1 / 3)) is None
    assert changed.normal_infimum(1.0) is None


@pytest.mark.parametrize("name", [n for n, loss in ALL.items() if loss.of_residual])
@given(r=NUMBERS, width=WIDTHS)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_forms_of_the_residual_contain_the_gradient(name, r, width):
    loss, form = ALL[name], ALL[name].interval_form()
    u = r / form.scale
    box = Interval(u - width, u + width / 3)
    with jax.enable_x64(True):

        def at(a):
            return loss.gradient(jnp.zeros((1, 1)), a[None, None])[0, 0]

        gradient, slope = map(np.asarray, jax.vmap(jax.value_and_grad(at))(jnp.asarray(r)))
    if form.gradient is None:
        assert form.is_residual
        np.testing.assert_array_equal(gradient, r)
    else:
        image, size = abs(form.gradient(box)), np.abs(gradient)
        assert np.all(image.low * form.scale <= size * (1 + 1e-12) + 1e-15)
        assert np.all(size <= image.high * form.scale * (1 + 1e-12))
    image = form.slope(box)
    assert np.all((image.low - 1e-12 <= slope) & (slope <= image.high + 1e-12))


@pytest.fixture
def listed(monkeypatch):
    """The registry with `Expectile` in it."""
    monkeypatch.setitem(L.LOSSES, "expectile", Expectile)


@pytest.mark.parametrize("name", ALL)
def test_a_name_is_enough_for_the_registry(name, listed):
    assert L.get(name) == ALL[name] and ALL[name].name == name


@pytest.mark.parametrize("name", L.LOSSES)
def test_a_name_is_enough_for_a_configuration_file(name):
    loss = ALL[name]
    problem = {"kind": "gaussian_mixture", "means": [[-1.0], [1.0]], "labels": [0.0, 1.0]}
    if not loss.takes_classes:
        problem = {"kind": "regression", "target": "sine"}
    content = {
        "name": "listed", "problem": problem, "loss": {"name": name},
        "systems": [{"label": "a", "embedding": "iid", "depth": 2}], "networks": {"widths": [2]},
        "run": {"until": 1.0},
    }  # fmt: skip
    built = build(config.parse(content))
    assert built.systems[0].problem.loss == loss


def test_a_loss_of_ones_own_serves_where_built_in_ones_do(listed):
    x = np.linspace(-1, 1, 16)[:, None]
    model = nr.MeanFieldRegressor(
        width=4, max_iter=1, rank=2, learning_rate=0.1, random_state=0, loss="expectile"
    )
    assert np.all(np.isfinite(model.fit(x, np.c_[x, -x]).predict(x)))
    law = nr.distributions.Regression(
        lambda x: x[:, 0], nr.distributions.Biased(nr.distributions.Uniform()), 0.5
    )
    problem = nr.Problem(law, Expectile())
    rows = nr.certify(problem, nr.embeddings.Bidirectional(2, 2), nodes=4, data_nodes=8)
    assert rows["2 case"].status == rows["1.1 d2L Lipschitz"].status == "proved"
    assert law.bayes_risk(Expectile()) > 0.5 * law.bayes_risk(L.Squared())

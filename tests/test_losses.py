"""Losses: values, gradients, stated constants, least conditional risks."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_reference import LOSSES
from scipy.optimize import minimize

import neuronal as nr

L = nr.losses
RESIDUAL = {
    "squared": L.Squared(),
    "pseudo_huber": L.PseudoHuber(1.0),
    "log_cosh": L.LogCosh(),
    "cauchy": L.Cauchy(1.0),
}
ALL = {**RESIDUAL, "logistic": L.Logistic(), "cross_entropy": L.CrossEntropy()}

pytestmark = pytest.mark.usefixtures("float64")


def samples(name, m=40):
    rng = np.random.default_rng(3)
    a = 3 * rng.normal(size=(m, 3))
    y = rng.normal(size=(m, 3))
    if name == "logistic":
        y = np.sign(y)
    return (rng.dirichlet(np.ones(3), size=m) if name == "cross_entropy" else y), a


@pytest.mark.parametrize("name", sorted(ALL))
def test_values_and_gradients_are_the_formulas(name):
    y, a = samples(name)
    loss, (value, slope) = ALL[name], LOSSES[name]
    np.testing.assert_allclose(loss(y, a), [value(*z) for z in zip(y, a, strict=True)], rtol=1e-12)
    gradient = loss.gradient(y, a)
    np.testing.assert_allclose(gradient, [slope(*z) for z in zip(y, a, strict=True)], atol=1e-14)
    automatic = jax.grad(lambda b: loss(jnp.asarray(y), b).sum())(jnp.asarray(a))
    np.testing.assert_allclose(gradient, automatic, atol=1e-13)


@pytest.mark.parametrize("name", [*sorted(ALL), "classes"])
@pytest.mark.parametrize("networks", [8, 9, 40])
def test_predictions_of_many_networks_have_the_loss_of_each(name, networks):
    """Compiled at once in single precision, at sizes at which XLA fuses otherwise than at few."""
    rng = np.random.default_rng(5)
    m = 4096
    y = rng.integers(0, 3, (m, 1)).astype(float) if name == "classes" else samples(name, m)[0]
    predictions = 3 * rng.normal(size=(networks, m, 3))
    loss = ALL.get(name, L.CrossEntropy())
    for f in (loss, loss.gradient, lambda y, a: jax.grad(lambda b: jnp.sum(loss(y, b)))(a)):
        expected = [f(jnp.asarray(y), jnp.asarray(a)) for a in predictions]
        y32, predictions32 = jnp.asarray(y, jnp.float32), jnp.asarray(predictions, jnp.float32)
        found = jax.jit(jax.vmap(f, (None, 0)))(y32, predictions32)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, jnp.stack(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(ALL))
def test_constants_stated_are_the_suprema(name):
    """Neither exceeded nor idle: one output for residuals, two logits for cross-entropy."""
    loss, line = ALL[name], np.linspace(-30, 30, 6001)[:, None]
    if name == "cross_entropy":
        a = np.concatenate([line, np.zeros_like(line)], axis=1)
        y = np.broadcast_to([1.0, 0.0], a.shape)
    else:
        a, y = line, np.ones_like(line) if name == "logistic" else np.zeros_like(line)
    gradient = np.asarray(loss.gradient(y, a))
    if name == "squared":
        assert loss.gradient_bound == np.inf
    else:
        assert 0.99 * loss.gradient_bound < np.abs(gradient).max() <= loss.gradient_bound
    hessian = jax.vmap(jax.jacfwd(lambda b, t: loss.gradient(t[None], b[None])[0]))(
        jnp.asarray(a), jnp.asarray(y)
    )
    curvatures = np.linalg.eigvalsh(hessian)
    top = np.abs(curvatures).max()
    assert 0.999 * loss.gradient_lipschitz < top <= loss.gradient_lipschitz * (1 + 1e-12)
    assert loss.convex == bool(curvatures.min() > -1e-12)


@pytest.mark.parametrize("delta", [0.3, 4.0])
@pytest.mark.parametrize("kind", [L.PseudoHuber, L.Huber, L.Cauchy])
def test_delta_is_the_scale_of_the_residual(kind, delta):
    """L_delta(r) = delta^2 L_1(r / delta), so it is r^2 / 2 near 0 whatever delta is."""
    r, zero = np.linspace(-9, 9, 41)[:, None], np.zeros((41, 1))
    scaled = delta**2 * np.asarray(kind(1.0)(zero, r / delta))
    np.testing.assert_allclose(kind(delta)(zero, r), scaled, rtol=1e-12)
    line = np.linspace(-99, 99, 99_001)[:, None]
    slopes = np.abs(kind(delta).gradient(0 * line, line))
    assert 0.99 * kind(delta).gradient_bound < slopes.max() <= kind(delta).gradient_bound


@pytest.mark.parametrize("name", sorted(ALL))
def test_losses_that_claim_it_have_zero_gradient_only_at_zero_loss(name):
    loss = ALL[name]
    assert loss.zero_gradient_is_zero_loss == (name in RESIDUAL)
    if name in RESIDUAL:
        r = np.concatenate([-np.logspace(-6, 4, 60), np.logspace(-6, 4, 60)])[:, None]
        assert np.all(np.sign(loss.gradient(0 * r, r)) == np.sign(r))
        assert loss(np.ones((1, 2)), np.ones((1, 2)))[0] == 0
    elif name == "cross_entropy":  # a soft target: stationary at the entropy, which is not 0
        y = np.array([[0.5, 0.5]])
        assert np.abs(loss.gradient(y, 0 * y)).max() == 0
        assert loss(y, 0 * y)[0] > 0.6


@pytest.mark.parametrize("name", sorted(RESIDUAL))
def test_small_and_large_residuals_survive_single_precision(name):
    loss, slope = RESIDUAL[name], LOSSES[name][1]
    for r in (1e-4, 1.0 - 1e-6, 1.0, 1e4):
        zero, value = np.zeros((1, 1), "f4"), np.full((1, 1), r, "f4")
        exact = {"squared": r * r / 2, "cauchy": np.log1p(r * r) / 2}.get(
            name,
            r * r / (np.sqrt(1 + r * r) + 1)
            if name == "pseudo_huber"
            else r + np.log1p(np.exp(-2 * r)) - np.log(2),
        )
        if name == "log_cosh" and r < 1e-3:
            exact = r * r / 2
        assert np.asarray(loss(zero, value)).dtype == np.dtype("f4")
        np.testing.assert_allclose(loss(zero, value)[0], exact, rtol=2e-6)
        np.testing.assert_allclose(loss.gradient(zero, value)[0, 0], slope(0.0, r), rtol=2e-6)


@pytest.mark.parametrize("name", sorted(RESIDUAL))
def test_the_least_conditional_risk_of_residuals_is_scipys_minimum(name):
    rng = np.random.default_rng(4)
    y, p = 3 * rng.normal(size=(5, 4, 2)), rng.dirichlet(np.ones(4), size=5)
    ours, value = RESIDUAL[name].infimum(y, p), LOSSES[name][0]
    for law, q, found in zip(y, p, ours, strict=True):

        def risk(a, law=law, q=q):
            return sum(w * value(target, a) for w, target in zip(q, law, strict=True))

        # Cauchy has several minima: start from every pair of targets' coordinates.
        starts = itertools.product(law[:, 0], law[:, 1])
        best = min(minimize(risk, s, tol=1e-12).fun for s in starts)
        np.testing.assert_allclose(found, best, rtol=1e-9)


@pytest.mark.parametrize("coding", [(-1.0, 1.0), (0.0, 1.0)])
def test_the_least_logistic_risk_is_scipys_minimum_in_either_coding(coding):
    low, high = coding
    y, p = np.array([[[high], [low], [high]]]), np.array([[0.2, 0.7, 0.1]])
    best = minimize(lambda a: 0.3 * np.log1p(np.exp(-a[0])) + 0.7 * np.log1p(np.exp(a[0])), [0.0])
    np.testing.assert_allclose(L.Logistic().infimum(y, p)[0], best.fun, rtol=1e-8)
    np.testing.assert_allclose(
        L.Logistic()(np.full((1, 1), low), np.full((1, 1), 2.0))[0], np.log1p(np.exp(2.0))
    )


@pytest.mark.parametrize("coding", ["class numbers", "probabilities"])
def test_the_least_cross_entropy_is_scipys_minimum(coding):
    p, classes = np.array([[0.5, 0.2, 0.3]]), np.array([2, 0, 2])
    y = (
        classes[None, :, None].astype(float)
        if coding == "class numbers"
        else np.eye(3)[classes][None]
    )
    mass = np.array([0.2, 0.0, 0.8])

    def risk(a):
        return np.log(np.exp(a).sum()) - mass @ a

    best = minimize(risk, np.zeros(3), tol=1e-12).fun
    np.testing.assert_allclose(L.CrossEntropy().infimum(y, p)[0], best, atol=1e-4)
    np.testing.assert_allclose(
        L.CrossEntropy().infimum(y, p)[0], -0.2 * np.log(0.2) - 0.8 * np.log(0.8), rtol=1e-12
    )


def test_names_and_outputs():
    for name, loss in ALL.items():
        assert L.get(name) == loss
        assert loss.name == name
    assert L.get("pseudo_huber", delta=2.0) == L.PseudoHuber(2.0)
    assert L.CrossEntropy().outputs(np.array([[0.0], [4.0]])) == 5
    assert L.CrossEntropy().outputs(np.ones((2, 3)) / 3) == 3
    assert L.Squared().outputs(np.ones((2, 3))) == 3


@pytest.mark.parametrize("delta", [0.3, 1.0, 4.0])
def test_huber_is_pytorch_s(delta):
    """Values and gradients, at the kinks too."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    y, a = rng.normal(size=(50, 2)), 3 * rng.normal(size=(50, 2))
    a[0] = y[0] + [delta, -delta]
    theirs = torch.tensor(a, requires_grad=True)
    values = torch.nn.HuberLoss(reduction="none", delta=delta)(theirs, torch.tensor(y)).sum(dim=1)
    values.sum().backward()
    loss = L.Huber(delta)
    np.testing.assert_allclose(loss(y, a), values.detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(loss.gradient(y, a), theirs.grad.numpy(), atol=1e-14)

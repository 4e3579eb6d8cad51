"""Each line of the table of scalings: one step of the package is the source's formula."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scaling_steps import RNG, gradients, one_step, problem, samples

import neuronal as nr
from neuronal.schedules import Frozen, constant

pytestmark = pytest.mark.usefixtures("float64")


def same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)
        assert np.abs(b).max() > 0 or np.all(a == 0)


def test_mmn18():
    """theta_i += 2 s_k (y - yhat) grad sigma_*(x; theta_i), s_k = eps xi(k eps)."""
    n, d, eps, k = 5, 3, 0.01, 7
    xi = lambda t: (1 + t) ** -0.25
    w, data = RNG.normal(size=(n, d)), samples(d)
    net = nr.Network([w, np.ones((n, 1))])
    ours = one_step(problem(d, schedules=[lambda t: 2 * xi(t), Frozen()]), net, eps, data, k)
    (x,), (y,) = data
    prediction = np.mean(np.tanh(w @ x))
    grad = (1 - np.tanh(w @ x) ** 2)[:, None] * x
    same(ours, [2 * eps * xi(k * eps) * (y - prediction) * grad, np.zeros((n, 1))])


def test_cb18():
    """u' = -m grad F_m(u), F_m = R(mean of w relu(theta.x)) + (1/m) sum V(u_i), V quadratic."""
    m, d, h, strength = 6, 2, 0.01, 0.3
    theta, w, data = RNG.normal(size=(m, d)), RNG.normal(size=(m, 1)), samples(d, 4)
    ours = one_step(problem(d, decay=strength), nr.Network([theta, w], "relu"), h, data)

    def objective(u, x, y):
        theta, w = u
        risk = (jnp.mean(w[:, 0] * jnp.maximum(theta @ x, 0)) - y) ** 2 / 2
        return risk + strength / (2 * m) * (jnp.sum(theta**2) + jnp.sum(w**2))

    same(ours, [-h * m * g for g in gradients(objective, [theta, w], data)])


def test_rve18():
    """c_i and z_i move by Delta t times the batch's mean of (f - f_n) and the unit's derivatives."""
    n, d, dt, batch = 4, 3, 0.02, 5
    z, c, (x, f) = RNG.normal(size=(n, d)), RNG.normal(size=n), samples(d, batch)
    ours = one_step(problem(d), nr.Network([z, c[:, None]]), dt, (x, f))
    phi = np.tanh(x @ z.T)
    residual = (f - phi @ c / n) / batch
    of_z = (residual[:, None] * c * (1 - phi**2)).T @ x
    same(ours, [dt * of_z, dt * (residual @ phi)[:, None]])


def test_ss18():
    """c_i += (alpha/N)(y - g) sigma(w_i.x),  w_i += (alpha/N)(y - g) c_i sigma'(w_i.x) x."""
    n, d, alpha = 8, 2, 0.7
    w, c, data = RNG.normal(size=(n, d)), RNG.normal(size=n), samples(d)
    ours = one_step(problem(d, schedules=constant(alpha)), nr.Network([w, c[:, None]]), 1 / n, data)
    (x,), (y,) = data
    sigma = np.tanh(w @ x)
    step = alpha / n * (y - np.mean(c * sigma))
    same(ours, [step * (c * (1 - sigma**2))[:, None] * x, step * sigma[:, None]])


def multilayer(weights, x):
    """(1/n) sums in every layer but the first, tanh."""
    h = weights[0] @ x
    for w in weights[1:]:
        h = w.T @ jnp.tanh(h) / w.shape[0]
    return h[0]


def layers(widths):
    return [RNG.normal(size=(widths[1], widths[0]))] + [
        RNG.normal(size=shape) for shape in zip(widths[1:], (*widths[2:], 1), strict=True)
    ]


def factors(widths):
    """n_{i-1} n_i, with 1 for the input and the output."""
    n = (1, *widths[1:], 1)
    return [a * b for a, b in itertools.pairwise(n)]


@pytest.mark.parametrize("xi", [(1.0, 1.0, 1.0, 1.0), (0.5, 2.0, 1.0, 0.3)])
def test_np20_as_the_paper_has_it(xi):
    """Equation (1): gradients times n_{i-1} n_i, rates eps xi_i."""
    widths, eps = (3, 4, 5, 6), 0.05
    weights, data = layers(widths), samples(3)
    ours = one_step(problem(3, schedules=list(map(constant, xi))), nr.Network(weights), eps, data)
    loss = lambda weights, x, y: (multilayer(weights, x) - y) ** 2 / 2
    found = gradients(loss, weights, data)
    same(ours, [-eps * r * c * g for r, c, g in zip(xi, factors(widths), found, strict=True)])


def test_ngu19():
    """beta n_{i-1} n_i times the gradient of the mean squared error, without 1/2."""
    widths, beta = (3, 4, 6), 0.05
    weights, data = layers(widths), samples(3, 4)
    ours = one_step(problem(3, schedules=constant(2.0)), nr.Network(weights), beta, data)
    loss = lambda weights, x, y: (multilayer(weights, x) - y) ** 2
    found = gradients(loss, weights, data)
    same(ours, [-beta * c * g for c, g in zip(factors(widths), found, strict=True)])


def test_aoy19():
    """eps N^2 times the gradient between hidden layers, the ends stay."""
    n, eps = 5, 0.03
    weights, data = layers((2, n, n, n)), samples(2)
    xi = [Frozen(), constant(1.0), constant(1.0), Frozen()]
    ours = one_step(problem(2, schedules=xi), nr.Network(weights), eps, data)
    loss = lambda weights, x, y: (multilayer(weights, x) - y) ** 2 / 2
    found = gradients(loss, weights, data)
    same(ours, [0 * found[0], -eps * n**2 * found[1], -eps * n**2 * found[2], 0 * found[3]])


def test_ss19():
    """Increments alpha_C/N_2, alpha_W1/N_1, alpha_W2/(N_1 N_2) with the rates of the source."""
    n_1, n_2, d = 7, 4, 2
    first, second, last = layers((d, n_1, n_2))
    data = samples(d)
    ours = one_step(problem(d), nr.Network([first, second, last]), 1 / n_1, data)
    (x,), (y,) = data
    h_1 = np.tanh(first @ x)
    h_2 = np.tanh(second.T @ h_1 / n_1)
    error = y - np.mean(last[:, 0] * h_2)
    alpha_c, alpha_w1, alpha_w2 = n_2 / n_1, 1.0, n_2
    back = last[:, 0] * (1 - h_2**2)
    of_first = (second @ back / n_2 * (1 - h_1**2))[:, None] * x
    expected = [
        alpha_w1 / n_1 * error * of_first,
        alpha_w2 / (n_1 * n_2) * error * np.outer(h_1, back),
        alpha_c / n_2 * error * h_2[:, None],
    ]
    same(ours, expected)


@pytest.mark.slow
def test_langevin():
    """theta <- theta - eta (grad dL/dq + 2 lambda' theta) + sqrt(2 lambda eta) noise."""
    n, d, eta, noise, strength = 100_000, 2, 0.01, 0.3, 0.2
    theta, data = RNG.normal(size=(n, d)), samples(d)
    net = nr.Network([theta, np.ones((n, 1))])
    posed = problem(
        d,
        schedules=[constant(1.0), Frozen()],
        decay=[2 * strength, 0.0],
        temperature=[noise, 0.0],
    )
    moved, rest = one_step(posed, net, eta, data)
    (x,), (y,) = data
    prediction = np.mean(np.tanh(theta @ x))
    drift = (prediction - y) * (1 - np.tanh(theta @ x) ** 2)[:, None] * x + 2 * strength * theta
    kicks = (moved + eta * drift) / np.sqrt(2 * noise * eta)
    assert np.all(rest == 0)
    # Four standard errors of mean, covariance and fourth moment of independent normal numbers.
    assert np.abs(kicks.mean(axis=0)).max() < 4 / np.sqrt(n)
    assert np.abs(np.cov(kicks.T) - np.eye(d)).max() < 4 * np.sqrt(2 / n)
    assert np.abs((kicks**4).mean(axis=0) - 3).max() < 4 * np.sqrt(96 / n)


def test_lazy():
    """F_a = R(a h)/a^2, gradients times n: phi_L = a h, xi = 1/a^2."""
    n, d, alpha, eps = 6, 3, 5.0, 0.02
    weights, data = layers((d, n)), samples(d)
    scaled = nr.activations.Activation(
        "a h", lambda h: (alpha * h, jnp.full_like(h, alpha)), np.inf, alpha, 0.0, True
    )
    net = nr.Network(weights, ["tanh", scaled])
    ours = one_step(problem(d, schedules=constant(alpha**-2)), net, eps, data)
    loss = lambda weights, x, y: (alpha * multilayer(weights, x) - y) ** 2 / 2 / alpha**2
    same(ours, [-eps * n * g for g in gradients(loss, weights, data)])


def test_every_work_has_its_line():
    lines = {name.removeprefix("test_").split("_as_")[0] for name in globals() if "test_" in name}
    assert {name.lower() for name in nr.works.names()} <= lines

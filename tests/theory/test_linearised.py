"""The tangent kernel and its flow, against closed forms, automatic differentiation and the lazy limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, linalg

import neuronal as nr

A, U = nr.activations, nr.units
pytestmark = pytest.mark.usefixtures("float64")
X = np.random.default_rng(0).normal(size=(5, 3))
OTHER = np.random.default_rng(1).normal(size=(4, 3))


def normal_nodes(activation, nodes=40):
    """w_1 ~ N(0, I_3) and w_2 of square mean 1, by a product rule; measures of its weights."""
    z, p = np.polynomial.hermite_e.hermegauss(nodes)
    grid = np.stack(np.meshgrid(z, z, z, indexing="ij"), axis=-1).reshape(-1, 3)
    weights = np.einsum("i,j,k->ijk", p, p, p).ravel() / p.sum() ** 3
    signs = np.tile([1.0, -1.0], len(grid))[:, None]
    return nr.Network([np.repeat(grid, 2, axis=0), signs], activation, [np.repeat(weights, 2) / 2])


def test_the_kernel_of_erf_is_the_arcsine_of_williams():
    found = np.asarray(nr.tangent_kernel(normal_nodes("erf"), X, x2=OTHER))[:, 0, :, 0]
    s = X @ OTHER.T
    d, e = (1 + 2 * np.sum(a**2, axis=1) for a in (X, OTHER))
    norms = np.outer(d, e)
    values = 2 / np.pi * np.arcsin(2 * s / np.sqrt(norms))
    slopes = 4 / np.pi / np.sqrt(norms - 4 * s**2)
    np.testing.assert_allclose(found, values + s * slopes, rtol=1e-4)


def test_the_kernel_of_relu_is_the_arc_cosine_of_cho_and_saul():
    """In the plane, where the kinks are two lines and equal angles are exact but for them."""
    count = 200_000
    angle = 2 * np.pi * (np.arange(count) + 0.5) / count
    circle = np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1)  # |w|^2 of mean 2
    network = nr.Network([circle, np.ones((count, 1))], "relu")
    x, y = X[:, :2], OTHER[:, :2]
    found = np.asarray(nr.tangent_kernel(network, x, x2=y))[:, 0, :, 0]
    norms = np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1))
    theta = np.arccos(x @ y.T / norms)
    values = norms * (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / (2 * np.pi)
    slopes = (np.pi - theta) / (2 * np.pi)
    # Half of the kinks' own error: a jump in angle steps of 2 pi / count.
    np.testing.assert_allclose(found, values + (x @ y.T) * slopes, atol=np.pi / count * norms.max())


NETWORKS = {
    "two layers": nr.embeddings.IID(3, 2, 2),
    "four layers": nr.embeddings.Bidirectional(3, 4, 2, rank=3, gain=1.0),
    "gaussian": nr.embeddings.IID(3, 3, 2, mean=[0.0, 1.0, 0.5], unit=U.Gaussian(1.5)),
    "cone": nr.embeddings.IID(
        3, 2, 2, unit=U.Homogeneous(U.Gaussian(1.5), rates=(0.5, 2.0), cone=True)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["dense", "factored"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_kernel_is_the_product_of_jacobians(name, kernel):
    """Of the prediction in each weight, times both measures' inverses and the unit's metric."""
    if kernel == "factored" and name != "four layers":
        return
    network = NETWORKS[name].sample(6, 0, kernel)
    rates = np.linspace(0.5, 2.0, network.depth)
    found = nr.tangent_kernel(network, X, rates, OTHER)
    network = network.with_weights(network.matrices)
    jacobians = [
        jax.jacobian(lambda w, x=x: network.with_weights(w).forward(x)[1][-1])(network.weights)
        for x in (jnp.asarray(X), jnp.asarray(OTHER))
    ]
    p = [None, *network.measures, np.ones(2)]
    expected = 0.0
    for i, (a, b) in enumerate(zip(*jacobians, strict=True)):
        inverse = 1 / p[1][:, None] if i == 0 else 1 / np.outer(p[i], p[i + 1])
        if name == "cone" and i == 0:
            r = network.weights[0][:, :1]
            inverse = inverse * np.column_stack([0.5 + 0 * r, *(2.0 / r**2,) * 3])
        expected += rates[i] * jnp.tensordot(a * inverse, b, axes=((2, 3), (2, 3)))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_the_kernel_of_one_set_of_inputs_is_symmetric_and_that_of_itself_twice():
    network = NETWORKS["four layers"].sample(6, 0)
    kernel = np.asarray(nr.tangent_kernel(network, X))
    np.testing.assert_allclose(kernel, nr.tangent_kernel(network, X, x2=X), rtol=1e-12)
    square = kernel.reshape(10, 10)
    np.testing.assert_allclose(square, square.T, rtol=1e-10, atol=1e-12)
    assert np.linalg.eigvalsh(square).min() > -1e-10


def data_problem(loss=None, schedules=None, **more):
    y = np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]], axis=1)
    law = nr.distributions.Empirical(X, y, [1, 2, 0, 1, 1])
    return nr.Problem(law, loss or nr.losses.Squared(), schedules, **more)


def test_the_flow_is_the_matrix_exponential():
    network, problem = NETWORKS["two layers"].sample(8, 0), data_problem()
    times = [0.0, 0.7, 3.0]
    flow = nr.kernel_flow(network, problem, 3.0, save_at=times)
    kernel = np.asarray(nr.tangent_kernel(network, X)).reshape(10, 10)
    q = np.repeat(np.array([1, 2, 0, 1, 1]) / 5, 2)
    y, f = np.asarray(problem.distribution.y).ravel(), np.asarray(network(X)).ravel()
    for t, found, loss in zip(times, flow.predictions, flow.loss, strict=True):
        gap = linalg.expm(-t * kernel * q) @ (f - y)
        np.testing.assert_allclose(found.ravel(), y + gap, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(loss, q @ gap**2 / 2, rtol=1e-9)
    assert flow.loss[-1] < flow.loss[0]


@pytest.mark.parametrize("loss", [nr.losses.Squared(), nr.losses.PseudoHuber(0.5)])
def test_the_flow_with_schedules_is_scipy_s(loss):
    network = NETWORKS["two layers"].sample(8, 0)
    schedules = [nr.schedules.cosine(4.0, 2.0, 0.5), nr.schedules.constant(0.3)]
    problem = data_problem(loss, schedules)
    flow = nr.kernel_flow(network, problem, 2.0, OTHER, save_at=[0.0, 2.0], rtol=1e-9, atol=1e-11)
    parts = [[1.0, 0.0], [0.0, 1.0]]
    kernels = [
        [np.asarray(nr.tangent_kernel(network, x, r, X)).reshape(-1, 10) for r in parts]
        for x in (X, OTHER)
    ]
    q, y = np.repeat(np.array([1, 2, 0, 1, 1]) / 5, 2), problem.distribution.y

    def velocity(t, f):
        push = q * np.asarray(loss.gradient(y, jnp.asarray(f[:10].reshape(5, 2)))).ravel()
        rates = [1.25 + 0.75 * np.cos(np.pi * t / 4), 0.3]
        return np.concatenate(
            [-sum(r * k for r, k in zip(rates, of, strict=True)) @ push for of in kernels]
        )

    start = np.concatenate([np.asarray(network(x)).ravel() for x in (X, OTHER)])
    expected = integrate.solve_ivp(velocity, (0, 2), start, rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(flow.predictions[-1].ravel(), expected[10:], atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3])
def test_networks_of_a_large_scale_follow_the_kernel_flow(depth):
    """Doubled, so that the odd order cancels, the distance falls as alpha^-2."""
    embedding = nr.embeddings.Bidirectional(3, depth, rank=3, gain=1.0)
    start, gaps = embedding.sample(8, 1), []
    for alpha in (8.0, 16.0):
        network = nr.Network(
            start.weights, [*start.activations[:-1], A.scaled(alpha)], start.measures
        ).doubled()
        rates = nr.schedules.constant(1 / alpha**2)
        law = nr.distributions.Empirical(X, np.sin(X[:, 0]))
        problem = nr.Problem(law, nr.losses.Squared(), rates)
        assert np.abs(network(X)).max() < 1e-13
        run = nr.solve(problem, network, 2.0, rtol=1e-10, atol=1e-12, save_at=1)
        flow = nr.kernel_flow(network, problem, 2.0, save_at=1)
        gaps.append(np.abs(run.network(X) - flow.predictions[-1]).max())
        assert np.abs(flow.predictions[-1]).max() > 0.05
    assert abs(gaps[0] / gaps[1] - 4) < 0.2


def test_doubling_keeps_the_last_two_layers_kernels_alone():
    network = NETWORKS["four layers"].sample(6, 0)
    for i in range(4):
        only = np.eye(4)[i]
        before, after = (nr.tangent_kernel(n, X, only) for n in (network, network.doubled()))
        if i >= 2:
            np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-12)
        else:
            assert np.abs(after).max() < 1e-12 < np.abs(before).max()

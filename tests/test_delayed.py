"""Rank-one updates held back are the same weights, whatever is asked of them meanwhile."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuronal as nr
from neuronal.kernels import Delayed, average_incoming, average_outgoing, outer


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    samples=st.integers(1, 3),
    held=st.integers(0, 4),
    seed=st.integers(0, 2**16),
)
def test_verbs_are_those_of_the_matrix_with_its_updates(shape, samples, held, seed):
    rng = np.random.default_rng(seed)
    n, n_out = shape
    base = rng.normal(size=shape)
    kernel, matrix = Delayed.empty(jnp.asarray(base), 4 * samples), base
    for step in range(held):
        f, g = rng.normal(size=(samples, n)), rng.normal(size=(samples, n_out))
        kernel = kernel.hold(jnp.asarray(f), jnp.asarray(g), jnp.int32(step * samples))
        matrix = matrix + f.T @ g
        np.testing.assert_allclose(outer(f, g), f.T @ g, atol=1e-13)
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n_out))
    f, g = rng.normal(size=(samples, n)), rng.normal(size=(samples, n_out))
    np.testing.assert_allclose(average_incoming(kernel, p, f), (f * p) @ matrix, atol=1e-12)
    np.testing.assert_allclose(average_outgoing(kernel, q, g), (g * q) @ matrix.T, atol=1e-12)
    np.testing.assert_allclose(kernel.apply(), matrix, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 3])
def test_wide_sgd_is_the_recursion_of_equation_1(batch):
    """Widths at which updates are held back, over windows that 37 steps do not fill."""
    widths, steps, eps = (230, 260), 37, 0.3
    rng = np.random.default_rng(0)
    shapes = [(widths[0], 3), widths, (widths[1], 1)]
    start = [rng.normal(size=shape) for shape in shapes]
    x, y = rng.normal(size=(steps, batch, 3)), rng.normal(size=(steps, batch))
    problem = nr.Problem(nr.distributions.Empirical(x[0], y[0]), nr.losses.PseudoHuber(1.0))
    run = nr.train(problem, nr.Network(start), eps, eps * steps, 0, data=(x, y), save_at=3)

    w1, w2, w3 = (w.copy() for w in start)
    for xs, ys in zip(x, y, strict=True):
        a1 = np.tanh(xs @ w1.T)
        a2 = np.tanh(a1 @ w2 / widths[0])
        r = a2 @ w3 / widths[1] - ys[:, None]
        d3 = r / np.sqrt(1 + r**2) / batch
        d2 = (d3 @ w3.T) * (1 - a2**2)
        d1 = (d2 @ w2.T / widths[1]) * (1 - a1**2)
        gradients = (d1.T @ xs, a1.T @ d2, a2.T @ d3)
        w1, w2, w3 = (w - eps * g for w, g in zip((w1, w2, w3), gradients, strict=True))
    for ours, reference in zip(run.network.weights, (w1, w2, w3), strict=True):
        np.testing.assert_allclose(ours, reference, rtol=1e-11, atol=1e-11)

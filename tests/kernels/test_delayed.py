"""Rank-one updates held back are the same weights, whatever is asked of them meanwhile."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from products import some

import neuronal as nr
from neuronal.kernels import (
    Delayed,
    added_in_place,
    average_incoming,
    average_outgoing,
    outer,
    updates,
)

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.slow
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
    np.testing.assert_allclose(kernel.matrix(), matrix, atol=1e-12)


@pytest.mark.parametrize("n", [3, 512, 1024, 1300])
def test_rows_written_some_at_a_time_are_the_sum(n):
    rng = np.random.default_rng(n)
    w, f, g = (jnp.asarray(rng.normal(size=shape)) for shape in ((n, 7), (5, n), (5, 7)))
    written = jax.jit(added_in_place)
    np.testing.assert_allclose(written(w, f, g, True), w + f.T @ g, atol=1e-13)
    np.testing.assert_array_equal(written(w, f, g, False), w)
    half = jnp.asarray(0.5)
    np.testing.assert_allclose(written(w, f, g, True, half), w / 2 + f.T @ g, atol=1e-13)


WIDTHS = (560, 540)


BATCHES = {1: 32, 3: 21, 5: 12, 8: 8, 40: 1}
"""Samples of a step, and the steps whose updates are held back."""


@pytest.mark.parametrize(
    ("batch", "in_place", "decay"),
    some(
        (BATCHES, [False, True], [0.0, 0.2]),
        [
            *itertools.product([40], [False, True], [0.0, 0.2]),
            (1, False, 0.2),
            (3, False, 0.0),
            (5, True, 0.2),
            (8, False, 0.2),
        ],
    ),
)
def test_wide_sgd_is_the_recursion_of_equation_1(batch, in_place, decay, monkeypatch):
    """Over full windows and one that 37 steps do not fill; the largest batch is too large to hold back.

    It alone may be written in place, whole pieces of rows and the rest.
    """
    monkeypatch.setattr(updates, "IN_PLACE_FROM", WIDTHS[0] * WIDTHS[1] if in_place else 10**9)
    jax.clear_caches()
    steps, eps, window = 37, 0.3, BATCHES[batch]
    assert updates.held_steps(batch) == window
    rng = np.random.default_rng(0)
    shapes = [(WIDTHS[0], 3), WIDTHS, (WIDTHS[1], 1)]
    start = [rng.normal(size=shape) for shape in shapes]
    assert updates.delays(jnp.asarray(start[1]), batch) == (window > 1)
    x, y = rng.normal(size=(steps, batch, 3)), rng.normal(size=(steps, batch))
    law = nr.distributions.Empirical(x[0], y[0])
    problem = nr.Problem(law, nr.losses.PseudoHuber(1.0), decay=decay)
    run = nr.train(problem, nr.Network(start), eps, eps * steps, 0, data=(x, y), save_at=1)

    w1, w2, w3 = (w.copy() for w in start)
    for xs, ys in zip(x, y, strict=True):
        a1 = np.tanh(xs @ w1.T)
        a2 = np.tanh(a1 @ w2 / WIDTHS[0])
        r = a2 @ w3 / WIDTHS[1] - ys[:, None]
        d3 = r / np.sqrt(1 + r**2) / batch
        d2 = (d3 @ w3.T) * (1 - a2**2)
        d1 = (d2 @ w2.T / WIDTHS[1]) * (1 - a1**2)
        gradients = (d1.T @ xs, a1.T @ d2, a2.T @ d3)
        w1, w2, w3 = (
            w - eps * (g + decay * w) for w, g in zip((w1, w2, w3), gradients, strict=True)
        )
    for ours, reference in zip(run.network.weights, (w1, w2, w3), strict=True):
        np.testing.assert_allclose(ours, reference, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("m", [1, 2, 6])
@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (7, 1)])
def test_dense_verbs_are_sums_over_neurons_and_samples(shape, m):
    """Whichever operand is written out transposed."""
    rng = np.random.default_rng(1)
    n, n_out = shape
    w, p, q = rng.normal(size=shape), rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n_out))
    f, g = rng.normal(size=(m, n)), rng.normal(size=(m, n_out))
    both = jax.jit(lambda w, f, g: (average_incoming(w, p, f), average_outgoing(w, q, g)))
    incoming, outgoing = both(w, f, g)
    np.testing.assert_allclose(incoming, np.einsum("ab,a,xa->xb", w, p, f), atol=1e-13)
    np.testing.assert_allclose(outgoing, np.einsum("ab,b,xb->xa", w, q, g), atol=1e-13)
    np.testing.assert_allclose(jax.jit(outer)(f, g), np.einsum("xa,xb->ab", f, g), atol=1e-13)

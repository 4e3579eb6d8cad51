"""What every kernel has to do: a new one passes by being listed in `KINDS`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronal import kernels
from neuronal.kernels import Delayed, factored, updates

pytestmark = pytest.mark.usefixtures("float64")


def dense(rng, n, n_out):
    return jnp.asarray(rng.normal(size=(n, n_out)))


def of_factors(rng, n, n_out):
    return factored(rng.normal(size=(n, 2)), rng.normal(size=(n_out, 2))).with_room(5)


def delayed(rng, n, n_out):
    kernel = Delayed.empty(dense(rng, n, n_out), 4, decays=True)
    f, g = rng.normal(size=(2, n)), rng.normal(size=(2, n_out))
    return kernel.hold(jnp.asarray(f), jnp.asarray(g), jnp.int32(1)).scaled(0.8)


class Shifted(kernels.Kernel):
    """A user's own, with the least that a kernel has to say: a matrix and a number added to it."""

    base: jax.Array
    shift: jax.Array

    shape = property(lambda self: self.base.shape)
    dtype = property(lambda self: self.base.dtype)

    def average_incoming(self, measure, f):
        return kernels.average_incoming(self.base, measure, f) + self.shift * (f @ measure)[:, None]

    def average_outgoing(self, measure, g):
        return kernels.average_outgoing(self.base, measure, g) + self.shift * (g @ measure)[:, None]

    def scaled(self, factor):
        return Shifted(factor * self.base, factor * self.shift)

    def matrix(self):
        return self.base + self.shift

    def outer_as(self, f, g):
        return Shifted(kernels.outer(f, g), jnp.zeros_like(self.shift))

    def added(self, f, g, scale):
        return Shifted(kernels.added(self.base, f, g, scale), self.shift)


def shifted(rng, n, n_out):
    return Shifted(dense(rng, n, n_out), jnp.asarray(0.7))


KINDS = {"dense": dense, "factored": of_factors, "delayed": delayed, "shifted": shifted}

kinds = pytest.mark.parametrize("kind", KINDS)
cases = given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    samples=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)


def case(kind, shape, seed):
    """A kernel, its matrix, and a generator of what it meets."""
    rng = np.random.default_rng(seed)
    w = KINDS[kind](rng, *shape)
    return w, np.asarray(kernels.matrix(w)), rng


@pytest.mark.slow
@kinds
@settings(max_examples=12, deadline=None)
@cases
def test_averages_are_those_of_its_matrix(kind, shape, samples, seed):
    w, matrix, rng = case(kind, shape, seed)
    p, q = (rng.dirichlet(np.ones(size)) for size in shape)
    f, g = (jnp.asarray(rng.normal(size=(samples, size))) for size in shape)
    incoming, outgoing = (f * p) @ matrix, (g * q) @ matrix.T
    np.testing.assert_allclose(kernels.average_incoming(w, p, f), incoming, atol=1e-12)
    np.testing.assert_allclose(kernels.average_outgoing(w, q, g), outgoing, atol=1e-12)
    np.testing.assert_allclose(kernels.mean_square(w, p, q), p @ matrix**2 @ q, atol=1e-12)


@kinds
@settings(max_examples=12, deadline=None)
@cases
def test_it_moves_as_its_matrix_does(kind, shape, samples, seed):
    w, matrix, rng = case(kind, shape, seed)
    f, g = (jnp.asarray(rng.normal(size=(samples, size))) for size in shape)
    product = np.asarray(f).T @ np.asarray(g)
    values = lambda kernel: np.asarray(kernels.matrix(kernel))
    np.testing.assert_allclose(
        values(kernels.added(w, f, g, 0.3)), matrix + 0.3 * product, atol=1e-12
    )
    np.testing.assert_allclose(values(kernels.scaled(w, 0.3)), 0.3 * matrix, atol=1e-12)
    np.testing.assert_allclose(values(kernels.outer_as(w, f, g)), product, atol=1e-12)


@kinds
@settings(max_examples=12, deadline=None)
@cases
def test_neurons_are_picked_and_mapped(kind, shape, samples, seed):
    w, matrix, rng = case(kind, shape, seed)
    rows, columns = (rng.integers(size, size=samples) for size in shape)
    picked = kernels.matrix(kernels.neurons(w, jnp.asarray(rows), jnp.asarray(columns)))
    np.testing.assert_allclose(picked, matrix[np.ix_(rows, columns)], atol=1e-12)
    mix = rng.normal(size=(samples, shape[0]))
    mapped = kernels.matrix(kernels.mapped(w, lambda outgoing: mix @ outgoing, columns))
    np.testing.assert_allclose(mapped, (mix @ matrix)[:, columns], atol=1e-12)


@kinds
def test_facts_about_it(kind):
    w, matrix, rng = case(kind, (5, 4), 0)
    assert w.shape == matrix.shape
    assert w.ndim == 2
    assert w.dtype == jnp.float64
    assert w.nbytes > 0
    assert w.astype(jnp.float32).dtype == jnp.float32
    assert kernels.is_finite(w)
    assert not kernels.is_finite(kernels.scaled(w, jnp.nan))
    rank = kernels.rank(w)
    assert rank is None or rank >= np.linalg.matrix_rank(matrix)
    whole = kernels.placed(w, lambda array, specification, neurons: array)
    np.testing.assert_allclose(kernels.matrix(whole), matrix, atol=1e-12)
    p, q = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(4))
    for other in (kernels.as_factors(w), kernels.with_room_to_grow(w, p, q)):
        np.testing.assert_allclose(kernels.matrix(other), matrix, atol=1e-12)
    np.testing.assert_allclose(
        kernels.matrix(kernels.with_room_for([w], [40])[0]), matrix, atol=1e-12
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "delayed"])
@pytest.mark.parametrize("decays", [False, True])
def test_it_takes_updates_in_a_window_as_its_matrix_does(kind, decays):
    """Three steps, each seeing the weight with all updates before it; a delayed one is a window's own."""
    w, matrix, rng = case(kind, (90, 80), 1)
    batch, rows = 2, 8
    now, place = updates.opened(w, rows, batch, decays), jnp.int32(0)
    kept = jnp.asarray(0.9) if decays else None
    for _ in range(3):
        written = updates.written(now, place - batch, rows)
        np.testing.assert_allclose(kernels.matrix(written), matrix, atol=1e-12)
        f, g = (jnp.asarray(rng.normal(size=(batch, size))) for size in w.shape)
        now, place = updates.taking(now, written, f, g, kept), place + batch
        matrix = (0.9 if decays else 1.0) * matrix + np.asarray(f).T @ np.asarray(g)
    done = updates.written(now, place - batch, rows)
    p, q = jnp.full(90, 1 / 90), jnp.full(80, 1 / 80)
    before = w.with_room(12) if kernels.grows(w) else w
    closed = updates.closed(done, before, p, q)
    assert bool(closed.fits)
    np.testing.assert_allclose(kernels.matrix(closed.weight), matrix, atol=1e-11)


@kinds
def test_it_is_traced(kind):
    """Inside a compiled function, as an argument and a result."""
    w, matrix, _ = case(kind, (4, 3), 2)
    twice = jax.jit(lambda kernel: kernels.scaled(kernel, 2.0))(w)
    np.testing.assert_allclose(kernels.matrix(twice), 2 * matrix, atol=1e-12)

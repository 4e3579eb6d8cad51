"""Factored kernels against matrices, and their integrator against the dense one."""

import functools

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuronal as nr
from neuronal.drivers.ode.factored import FactoredRungeKutta, factored_start
from neuronal.drivers.ode.stepper import Dense, RightHandSide
from neuronal.drivers.storage import choose_kernel
from neuronal.dynamics import layer_norms
from neuronal.kernels import (
    Factored,
    added,
    average_incoming,
    average_outgoing,
    compressed,
    factored,
    mean_square,
    thinned,
)
from neuronal.kernels.orthogonal import svd

pytestmark = pytest.mark.usefixtures("float64")


def decaying(rng, n, n_out, rank):
    """Factors of a kernel whose singular values fall by eight decades, some rows equal."""
    u = rng.normal(size=(n, rank)) * np.logspace(0, -8, rank)
    v = rng.normal(size=(n_out, rank))
    v[:, 1] = v[:, 0]
    return jnp.asarray(u), jnp.asarray(v)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    rank=st.integers(1, 9),
    samples=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_verbs_are_those_of_the_matrix(shape, rank, samples, seed):
    rng = np.random.default_rng(seed)
    n, n_out = shape
    kernel = Factored(*(jnp.asarray(rng.normal(size=s)) for s in ((rank, n), (rank, n_out), rank)))
    matrix = np.einsum("r,ri,rj->ij", kernel.s, kernel.f, kernel.g)
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n_out))
    f, g = rng.normal(size=(samples, n)), rng.normal(size=(samples, n_out))
    np.testing.assert_allclose(kernel.matrix(), matrix, atol=1e-12)
    np.testing.assert_allclose(average_incoming(kernel, p, f), (f * p) @ matrix, atol=1e-12)
    np.testing.assert_allclose(average_outgoing(kernel, q, g), (g * q) @ matrix.T, atol=1e-12)
    np.testing.assert_allclose(mean_square(kernel, p, q), p @ matrix**2 @ q, atol=1e-12)
    np.testing.assert_allclose(
        added(kernel, f, g, 0.3).matrix(), matrix + 0.3 * f.T @ g, atol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "n_out", "rank"), [(900, 500, 60), (40, 30, 60), (200, 100, 20), (1, 1, 3)]
)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
def test_compression_is_the_best_of_its_rank(n, n_out, rank, tolerance):
    """Against NumPy's singular value decomposition of the weighted matrix."""
    rng = np.random.default_rng(n)
    u, v = decaying(rng, n, n_out, rank)
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n_out))
    matrix = np.asarray(u @ v.T)
    scales = np.linalg.svd(np.sqrt(p)[:, None] * matrix * np.sqrt(q), compute_uv=False)
    tails = np.sqrt(np.cumsum(scales[::-1] ** 2)[::-1])
    scale = jnp.asarray(tolerance) * tails[0]
    found = compressed(factored(u, v), jnp.asarray(p), jnp.asarray(q), scale, rank)
    kept = int(np.sum(tails > scale))
    assert int(found.needed) == kept == int(found.kernel.rank)
    error = np.sqrt(p @ (np.asarray(found.kernel) - matrix) ** 2 @ q)
    assert error <= tolerance * tails[0] * (1 + 1e-6)
    np.testing.assert_allclose(found.discarded, error, rtol=1e-3, atol=1e-12 * tails[0])
    np.testing.assert_allclose(found.kernel.s[:kept], scales[:kept], rtol=1e-6)
    for rows, measure in ((found.kernel.f, p), (found.kernel.g, q)):
        gram = (np.asarray(rows) * measure) @ np.asarray(rows).T
        np.testing.assert_allclose(gram, np.diag(np.arange(rank) < kept), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("enabled", [True, False])
def test_compression_in_single_precision_costs_its_roundings_only(enabled):
    """Of many products that are alike, with rows of sizes far apart, against the matrix in double.

    A rounding of each product is to be expected, 2^-24 of its norm. Rows are as orthonormal as that
    leaves them: those of small scale less. Roundings of nodes are independent and average out: the
    error has no part along the kernel's own functions.
    """
    rng = np.random.default_rng(0)
    x, n = np.linspace(-1, 1, 64)[:, None], 3000
    f = np.tanh(x * rng.normal(size=n) + rng.normal(size=n)) * np.logspace(3, -3, 64)[:, None]
    g = np.cos(x * rng.normal(size=n)) * np.logspace(-3, 3, 64)[:, None]
    f[5], g[7] = 0, 0
    s = rng.normal(size=64) * np.logspace(0, -2, 64)
    spare, s[9] = s / 2, 0
    given = [a.astype(np.float32) for a in (f, g, s)]
    exact = np.einsum("r,ri,rj->ij", *(a.astype(np.float64) for a in (given[2], *given[:2])))
    norm = np.sqrt(np.mean(exact**2))
    other = np.sqrt(np.mean(np.einsum("r,ri,rj->ij", spare, f, g) ** 2))
    norms = np.abs(s) * np.linalg.norm(f, axis=1) * np.linalg.norm(g, axis=1) / n
    p = np.full(n, 1 / n, np.float32)
    with jax.enable_x64(enabled):
        kernel, tolerance = Factored(*map(jnp.asarray, given)), jnp.asarray(1e-8 * norm, "float32")
        cut = jax.jit(compressed, static_argnums=4)
        found = cut(kernel, p, p, tolerance, 64, second_scales=jnp.asarray(spare, "float32"))
        nothing = cut(kernel, p, p, tolerance, 64, second_scales=0 * kernel.s)
        zero = cut(Factored(kernel.f, kernel.g, 0 * kernel.s), p, p, tolerance, 64)
    assert {a.dtype.name for a in jax.tree.leaves(found)} == {"float32", "int32"}
    parts = [np.asarray(a, np.float64) for a in (found.kernel.f, found.kernel.g, found.kernel.s)]
    error = np.einsum("r,ri,rj->ij", parts[2], *parts[:2]) - exact
    rounding = 2**-24 * np.sum(norms)
    size = np.sqrt(np.mean(error**2))
    assert size < rounding
    along = parts[0] @ error @ parts[1].T / n**2
    assert np.max(np.abs(along)) < 4 * size / np.sqrt(n)
    kept = np.arange(64) < int(found.needed)
    for rows in parts[:2]:
        away = np.abs(rows @ rows.T / n - np.diag(kept)) * np.minimum.outer(parts[2], parts[2])
        assert np.max(away) < rounding
    np.testing.assert_allclose(found.second_norm, other, rtol=1e-6)
    assert float(nothing.second_norm) == 0
    assert int(zero.needed) == 0
    assert not np.any(zero.kernel.f)


def test_compression_without_room_says_so():
    rng = np.random.default_rng(0)
    kernel = factored(rng.normal(size=(50, 10)), rng.normal(size=(50, 10)))
    p = jnp.full(50, 1 / 50)
    found = compressed(kernel, p, p, jnp.asarray(1e-9), 4)
    assert int(found.needed) == 10
    assert found.kernel.f.shape == (4, 50)
    error = np.sqrt(np.mean((np.asarray(found.kernel) - np.asarray(kernel)) ** 2))
    np.testing.assert_allclose(found.discarded, error, rtol=1e-9)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-9])
def test_thinning_keeps_the_product_to_its_bound(tolerance):
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 1, 40)[:, None]
    f = jnp.asarray(np.tanh(x * rng.normal(size=300) + rng.normal(size=300)))
    g = jnp.asarray(np.cos(x * rng.normal(size=200)))
    p, q = jnp.full(300, 1 / 300), jnp.full(200, 1 / 200)
    thin = thinned(f, g, p, q, jnp.asarray(tolerance), 30)
    error = np.sqrt(np.mean((np.asarray(thin.f.T @ thin.g) - np.asarray(f.T @ g)) ** 2))
    assert error <= 1.5 * float(thin.lost) <= 1.5 * tolerance
    assert 1 < int(thin.needed) < 30
    assert float(thinned(f, g, p, q, jnp.asarray(tolerance), 40).lost) == 0


@functools.cache  # one object, so that its compiled code is found again
def problem():
    inputs = nr.distributions.Biased(nr.distributions.Uniform(-1, 1))
    law = nr.distributions.Regression(lambda x: jnp.sin(4 * x[:, 0]), inputs)
    return nr.Problem(law, nr.losses.PseudoHuber(), nr.schedules.depth_balanced(4))


@functools.cache
def embedding(depth=4):
    x = problem().quadrature(16)[0]
    return nr.embeddings.Bidirectional(2, depth, rank=4, input_scale=2.0, spread=0.5, inputs=x)


@pytest.mark.slow
@pytest.mark.parametrize("decay", [None, [0.3, 0.7, 0.2, 1.1]])
def test_one_step_is_that_of_the_dense_solver(decay):
    """With nothing to cut, the factored step is the Runge-Kutta step, error estimate included."""
    decaying = nr.Problem(problem().distribution, problem().loss, problem().schedules, decay)
    start = embedding().quadrature(60, kernel="factored")
    law = problem().quadrature(12)
    fine = jnp.asarray(1e-13)
    wide, wide_start = factored_start(start, diffrax.Dopri5(), fine, fine, law)
    wide = FactoredRungeKutta(wide.solver, fine, fine, (12, 12))
    wide_start = wide_start.with_weights(
        tuple(w.with_room(120) if isinstance(w, Factored) else w for w in wide_start.weights)
    )
    tried = []
    for stepper, network in (
        (Dense(diffrax.Dopri5()), start.with_weights(start.matrices)),
        (wide, wide_start),
    ):

        @jax.jit
        def step(weights, stepper=stepper, network=network):
            since, t, t_next = jnp.asarray(0.0), jnp.asarray(0.2), jnp.asarray(0.9)
            right_hand_side = RightHandSide(decaying.motion(network), law, since)
            state = stepper.start(right_hand_side, t, t_next, weights)
            return stepper.step(right_hand_side, network.measures, t, t_next, weights, state)

        found = step(network.weights)
        assert bool(found.fits)
        tried.append((network.with_weights(found.weights).matrices, found.error))
    (weights, error), (wide_weights, wide_error) = tried
    for a, b in zip(weights, wide_weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    np.testing.assert_allclose(wide_error, layer_norms(error, start.measures), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("data_nodes", [12, 40])
def test_limits_agree_to_the_tolerance(data_nodes):
    how = {"nodes": 100, "rtol": 1e-8, "atol": 1e-10, "data_nodes": data_nodes, "save_at": 2}
    runs = [nr.solve(problem(), embedding(), 1.0, kernel=k, **how) for k in ("dense", "factored")]
    np.testing.assert_allclose(runs[0].loss, runs[1].loss, rtol=1e-7)
    report = runs[1].report
    assert len(report.ranks) == 2
    assert max(report.ranks) < 50
    assert 0 < np.max(report.discarded) < 1e-6
    x = problem().quadrature(32)[0]
    np.testing.assert_allclose(runs[0].network(x), runs[1].network(x), atol=1e-7)
    again = runs[1].at(0.5).matrices  # recorded, and by running on from the start
    np.testing.assert_allclose(again[1], runs[0].at(0.5).matrices[1], atol=1e-7)
    for a, b in zip(
        nr.flow(runs[0], 2, own(runs[0], 5), rtol=1e-6),
        nr.flow(runs[1], 2, own(runs[1], 5), rtol=1e-6),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)


def own(trajectory, index):
    w = trajectory.at(0.0).matrices
    return w[1][:, index], w[2][index]


@pytest.mark.slow
def test_the_rank_and_the_error_follow_the_tolerance():
    reference = nr.solve(
        problem(), embedding(), 3.0, nodes=100, kernel="dense", rtol=1e-11, atol=1e-12,
        data_nodes=12, save_at=1,
    )  # fmt: skip
    x = problem().quadrature(32)[0]
    errors, ranks = [], []
    for rtol in (1e-3, 1e-5, 1e-7):
        run = nr.solve(
            problem(), embedding(), 3.0, nodes=100, kernel="factored", rtol=rtol, atol=rtol / 100,
            data_nodes=12, save_at=1,
        )  # fmt: skip
        errors.append(float(jnp.max(jnp.abs(run.network(x) - reference.network(x)))))
        ranks.append(max(run.report.ranks))
    assert ranks[0] < ranks[1] < ranks[2]
    assert errors[2] < 1e-6
    assert errors[1] < 0.1 * errors[0]
    assert errors[2] < 0.1 * errors[1]


@pytest.mark.slow
def test_a_start_given_dense_is_decomposed():
    network = embedding().sample(40, jax.random.key(0))
    how = {"rtol": 1e-8, "atol": 1e-10, "data_nodes": 12, "save_at": 1}
    runs = [nr.solve(problem(), network, 1.0, kernel=k, **how) for k in ("dense", "factored")]
    x = problem().quadrature(32)[0]
    np.testing.assert_allclose(runs[0].network(x), runs[1].network(x), atol=1e-8)
    wide = embedding().sample(40, jax.random.key(0), kernel="factored")
    for a, b in zip(wide.matrices, network.matrices, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-13)
    assert nr.solve(problem(), wide, 0.1, data_nodes=8, save_at=1).report.kernel.startswith("fact")


def choice_on(x, nodes=2048):
    embedding = nr.embeddings.Bidirectional(x.shape[1], 4, inputs=x)
    law = nr.distributions.Empirical(x, x[:, 0])
    return choose_kernel(embedding, nodes, "auto", nr.Problem(law, nr.losses.Squared()), 1)[0]


@pytest.mark.slow
def test_what_is_chosen_and_why():
    def kernel_of(start, **how):
        return nr.solve(problem(), start, 1e-3, data_nodes=4, save_at=1, **how).report.kernel

    assert kernel_of(embedding(), nodes=64) == "dense: fewer than 2048 neurons a layer"
    assert kernel_of(embedding(), nodes=2048).startswith("factored: 2048 neurons")
    alike = np.linspace(-1, 1, 300)[:, None]
    assert choice_on(np.hstack([alike, np.ones_like(alike)])) == "factored"
    apart = np.random.default_rng(0).standard_normal((300, 20))
    assert choice_on(apart) == "dense"
    assert choice_on(apart, 4096) == choice_on(apart[:50]) == "factored"
    iid = nr.embeddings.IID(2, 4)
    assert "no known factors" in kernel_of(iid, nodes=64)


@pytest.mark.parametrize(
    ("start", "how", "says"),
    [
        (lambda: nr.embeddings.IID(2, 4), {"kernel": "factored"}, "kernel: the initial weights"),
        (lambda: embedding(2), {"kernel": "factored"}, "kernel: at L = 2"),
        (lambda: embedding(), {"kernel": "sparse"}, "kernel: 'sparse' is none of"),
        (
            lambda: embedding(),
            {"kernel": "factored", "solver": diffrax.Kvaerno3()},
            "solver: takes .* or an explicit",
        ),
        (
            lambda: embedding().sample(8, 0, kernel="factored"),
            {"kernel": "dense"},
            "kernel: the network's are factored",
        ),
    ],
)
def test_bad_input(start, how, says):
    law = problem().distribution
    with pytest.raises(nr.InvalidInput, match=says):
        nr.solve(nr.Problem(law, nr.losses.PseudoHuber()), start(), 1.0, nodes=8, **how)


@pytest.mark.slow
def test_a_run_that_diverges_says_so():
    steep = nr.Problem(problem().distribution, nr.losses.Squared())
    with pytest.raises(nr.DivergenceError):
        nr.solve(
            steep, embedding(), 4e5, nodes=32, kernel="factored", step=1e3, data_nodes=8,
            solver=diffrax.Euler(), save_at=2,
        )  # fmt: skip


def test_the_svd_stands_a_lapack_that_does_not_converge(monkeypatch):
    """Divide and conquer gives NaN on some graded matrices; the decomposition is had all the same."""
    a = np.random.default_rng(0).normal(size=(7, 7)) * 10.0 ** -np.arange(7)
    failed = tuple(jnp.full(shape, jnp.nan) for shape in ((7, 7), 7, (7, 7)))
    monkeypatch.setattr(jnp.linalg, "svd", lambda _: failed)
    u, s, v = jax.jit(svd)(a)
    np.testing.assert_allclose((u * s) @ v, a, atol=1e-13)
    np.testing.assert_allclose(s, np.linalg.svd(a, compute_uv=False), atol=1e-13)

"""Embeddings: neurons that stay themselves, critical gains, the collapsed i.i.d. limit."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import neuronal as nr

E = nr.embeddings
LAWS = nr.distributions
BUILT = {
    "bidirectional": lambda: E.Bidirectional(2, 4, output_dim=2, rank=5, gain=1.2),
    "iid": lambda: E.IID(2, 4, output_dim=2, mean=0.3, std=[1.0, 0.5, 2.0, 1.5]),
    "own": lambda: E.Embedding(
        [2, lambda key: {"sign": jax.random.rademacher(key, (1,), float)}, 1],
        [
            lambda c: c,
            lambda c, d: c[0] * d["sign"][0],
            lambda c, d: c["sign"][0] * d[0] + 1,
            lambda c: jnp.stack([c[0], c[0] ** 2]),
        ],
        "sin",
        "tanh",
    ),
}

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("name", sorted(BUILT))
def test_the_first_neurons_of_a_wider_network_are_the_same_neurons(name):
    embedding = BUILT[name]()
    narrow, wide = embedding.sample((3, 5, 4), 7), embedding.sample(6, 7)
    n = [None, 3, 5, 4]
    np.testing.assert_array_equal(narrow.weights[0], wide.weights[0][:3])
    for i in (1, 2):
        np.testing.assert_allclose(
            narrow.weights[i], wide.weights[i][: n[i], : n[i + 1]], rtol=1e-12, atol=1e-14
        )
    np.testing.assert_array_equal(narrow.weights[3], wide.weights[3][:4])
    other = embedding.sample((3, 5, 4), 8)
    assert np.abs(other.weights[0] - narrow.weights[0]).max() > 0.1
    assert (narrow.depth, narrow.input_dim, narrow.output_dim) == (4, 2, 2)
    for p, width in zip(narrow.measures, (3, 5, 4), strict=True):
        np.testing.assert_allclose(p, 1 / width)


@pytest.mark.parametrize("name", ["bidirectional", "iid"])
def test_carried_neurons_are_in_the_limit_what_they_are_in_a_network(name):
    """Their weights among themselves are the network's, and the limit does not feel them."""
    embedding = BUILT[name]()
    carry = [embedding.latents(i, n, 7) for i, n in ((1, 3), (2, 5), (3, 4))]
    plain, joint = embedding.quadrature(8, key=1), embedding.quadrature(8, key=1, carry=carry)
    for p, q, n in zip(joint.measures, plain.measures, (3, 5, 4), strict=True):
        np.testing.assert_allclose(p, np.append(q, np.zeros(n)))
    own = embedding.sample((3, 5, 4), 7).weights[1:-1]
    for w, expected in zip(joint.weights[1:-1], own, strict=True):
        a, b = expected.shape
        np.testing.assert_allclose(w[-a:, -b:], expected, rtol=1e-12, atol=1e-14)
    x = np.array([[0.4, -1.0], [1.0, 0.2]])
    np.testing.assert_allclose(joint(x), plain(x), rtol=1e-12)


def test_own_functions_are_called_on_all_pairs_of_own_latents():
    embedding = BUILT["own"]()
    c = [embedding.latents(i, n, 7) for i, n in ((1, 3), (2, 5), (3, 4))]
    network = embedding.sample((3, 5, 4), 7)
    np.testing.assert_allclose(network.weights[0], c[0])
    for j in range(3):
        for k in range(5):
            assert np.isclose(network.weights[1][j, k], c[0][j, 0] * c[1]["sign"][k, 0])
    for j in range(5):
        for k in range(4):
            assert np.isclose(network.weights[2][j, k], c[1]["sign"][j, 0] * c[2][k, 0] + 1)
    np.testing.assert_allclose(network.weights[3], np.hstack([c[2], c[2] ** 2]))
    assert [a.name for a in network.activations] == ["sin", "sin", "sin", "tanh"]


@pytest.mark.parametrize(
    ("rule", "error"), [("gauss-hermite", 1e-12), ("sobol", 3e-3), ("monte-carlo", 0.08)]
)
def test_the_limit_of_own_gaussian_latents_has_its_closed_form(rule, error):
    """With g(x) = E[C sin(C x)] = x exp(-x^2 / 2), three layers of these functions give g(g(x))."""
    embedding = E.Embedding(
        [1, 1], [lambda c: c, lambda c, d: c[0] * d[0], lambda c: c[0]], nr.activations.sin
    )
    x = np.linspace(-2, 2, 9)
    g = x * np.exp(-(x**2) / 2)
    limit = embedding.quadrature(1024, rule, 2)(x[:, None])[:, 0]
    assert np.abs(limit - g * np.exp(-(g**2) / 2)).max() < error


def spreads(network, x):
    """Root mean square over neurons of the deviation of H_i over inputs, middle layers."""
    return [
        float(np.sqrt(p @ np.var(h, axis=0)))
        for h, p in zip(network.preactivations(x)[1:-1], network.measures[1:], strict=True)
    ]


@pytest.mark.parametrize("activation", ["tanh", "erf"])
def test_the_critical_gain_keeps_the_spread_through_all_layers(activation):
    depth, x = 12, np.random.default_rng(0).normal(size=(200, 2))
    embedding = E.Bidirectional(2, depth, rank=4, activation=activation, inputs=x, spread=0.4)
    # Fewer nodes than the gain was computed on, and others.
    found = spreads(embedding.quadrature(1024, key=5), x)
    assert len(found) == depth - 2
    np.testing.assert_allclose(found, 0.4, rtol=0.06)
    below = E.Bidirectional(
        2, depth, rank=4, activation=activation, gain=[0.7 * g for g in embedding.gains]
    )
    fading = spreads(below.quadrature(1024, key=5), x)
    assert fading[-1] < 0.05


def test_a_network_of_bidirectional_neurons_approaches_the_limit():
    embedding = E.Bidirectional(2, 4, rank=3, gain=1.5)
    x = np.random.default_rng(0).normal(size=(20, 2))
    limit = np.asarray(embedding.quadrature(2048, key=0)(x))
    errors = [
        np.sqrt(np.mean([(embedding.sample(n, key)(x) - limit) ** 2 for key in range(8)]))
        for n in (16, 256)
    ]
    assert 0.35 < np.log(errors[0] / errors[1]) / np.log(16) < 0.65


def test_bidirectional_weights_have_rank_2k_and_the_law_stated():
    embedding = E.Bidirectional(3, 4, rank=2, gain=[1.5, 0.5], input_scale=0.7)
    network = embedding.sample(600, 0)
    w1, w2, _, w4 = map(np.asarray, network.weights)
    assert stats.kstest(w1.ravel() / 0.7, "norm").pvalue > 1e-3
    assert stats.kstest(w4.ravel(), "norm").pvalue > 1e-3
    assert np.linalg.matrix_rank(w2, tol=1e-8) == 4
    # psi_k = tanh(u_k) / 0.6057 reads the coordinates of u: c = (u, beta), c' = (alpha, beta').
    c, d = embedding.latents(1, 600, 0), embedding.latents(2, 600, 0)
    carried = 1.5 * np.tanh(c[:, :2]) / 0.605706 @ d[:, :2].T
    backward = np.asarray(w2) - carried
    # What is left is beta' chi: of rank 2 and, as beta is centred and independent, of mean 0.
    assert np.linalg.matrix_rank(backward, tol=1e-3) == 2
    beta = np.asarray(c[:, 3:])
    assert np.linalg.lstsq(beta, backward)[1].max() < 1e-6
    bound = 1.5 * np.sqrt(2) * 2  # |psi|, |chi| < 2 bound the tails of Assumption 1.1
    assert np.all(np.abs(w2) <= bound * (np.abs(d[:, :2]).sum(1) + np.abs(beta).sum(1)[:, None]))


def test_the_limit_of_a_bidirectional_layer_ignores_the_backward_latents():
    """H_2 = sum_k alpha_k f_k at t = 0: linear in alpha', and free of beta and beta'."""
    embedding = E.Bidirectional(2, 4, rank=3, gain=1.0)
    network = embedding.quadrature(4096, key=3)
    key = jax.random.fold_in(jax.random.key(3), 2)
    alpha = np.asarray(embedding.nodes(2, 4096, "sobol", key)[0])[:, :3]
    h = np.asarray(network.preactivations(np.array([[0.5, 1.0], [-1.0, 0.3], [0.2, 0.1]]))[1])
    fit = np.linalg.lstsq(alpha, h.T)[0]
    assert np.sqrt(np.mean((h.T - alpha @ fit) ** 2)) < 0.01 * np.std(h)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_layer_passes_the_mth_signal_to_the_mth_signal(direction):
    """f_{i+1,m} = g E[phi'(H_i)] f_{i,m} + O(f^3) forward, e_{i,m} = g E[phi'] e_{i+1,m} backward."""
    depth, rank, nodes, outputs = 7, 10, 4096, 8
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6))
    embedding = E.Bidirectional(6, depth, outputs, rank=rank, spread=0.1, input_scale=0.1, inputs=x)
    network = embedding.quadrature(nodes, key=1)
    h = [np.asarray(layer, float) for layer in network.preactivations(x)]
    y = rng.normal(size=(40, outputs))
    sensitivities = network.sensitivities(x, y, nr.losses.Squared())
    signals = []
    for i in range(2, depth):  # of the middle layers
        key = jax.random.fold_in(jax.random.key(1), i)
        latents = np.asarray(embedding.nodes(i, nodes, "sobol", key)[0], float)
        alpha, beta = latents[:, :rank], latents[:, rank:]
        if direction == "forward":
            signals.append(h[i - 1] @ alpha / nodes)
        elif i < depth - 1:
            slopes = 1 - np.tanh(h[i - 1]) ** 2
            signals.append((np.asarray(sensitivities[i - 1], float) / slopes) @ beta / nodes)
    if direction == "backward":
        signals = signals[::-1]
    carried = [m for m in range(rank) if (m + 1) % 4]
    for near, far in itertools.pairwise(signals):
        factors = np.sum(near * far, axis=0) / np.sum(near**2, axis=0)
        alike = np.sum(near * far, axis=0) ** 2 / np.sum(near**2, axis=0) / np.sum(far**2, axis=0)
        assert np.all(alike[carried] > 0.98)
        np.testing.assert_allclose(factors[carried], np.mean(factors[carried]), rtol=0.1)


def test_iid_weights_are_independent_normals_of_the_moments_asked_for():
    embedding = E.IID(3, 4, mean=[0.0, 1.0, -2.0, 0.5], std=[1.0, 0.5, 2.0, 3.0])
    network = embedding.sample(120, 1)
    moments = zip(network.weights, embedding.means, embedding.stds, strict=True)
    for w, mean, std in moments:
        assert stats.kstest((np.ravel(w) - mean) / std, "norm").pvalue > 1e-3
    middle = (np.asarray(network.weights[1]) - 1.0) / 0.5
    # The largest singular value of independent entries; any shared part of them exceeds it.
    assert np.linalg.norm(middle, 2) < 1.1 * 2 * np.sqrt(120)
    # Layers share no stream: the same positions of two layers are uncorrelated.
    pair = np.corrcoef(np.ravel(network.weights[1]), np.ravel(network.weights[2]))
    assert abs(pair[0, 1]) < 5 / 120


@pytest.fixture(scope="module")
def regression():
    with jax.enable_x64(True):
        x = np.array([[1.0, -0.8], [1.0, -0.2], [1.0, 0.3], [1.0, 0.9]])
        return x, nr.Problem(LAWS.Empirical(x, np.sin(3 * x[:, 1]) + 1), nr.losses.PseudoHuber())


@pytest.mark.slow
def test_the_collapsed_limit_is_the_limit_of_iid_networks(regression):
    x, problem = regression
    embedding = E.IID(2, 4, mean=1.0)
    options = {"rtol": 1e-5, "atol": 1e-7, "save_at": 1}
    start = embedding.quadrature(1024)
    assert start.widths == (1024, 1, 1024)
    assert np.abs(start.weights[1] - 1.0).max() == 0
    limit = nr.solve(problem, start, 1.0, **options).network(x)
    assert np.abs(limit - start(x)).max() > 0.3
    errors = []
    for n in (32, 256):
        ends = [
            nr.solve(problem, embedding.sample(n, key), 1.0, **options).network(x)
            for key in range(16)
        ]
        errors.append(float(np.sqrt(np.mean([(e - limit) ** 2 for e in ends]))))
    assert 0.35 < np.log(errors[0] / errors[1]) / np.log(8) < 0.65, errors


@pytest.mark.parametrize("embedding", [E.IID(2, 4, mean=0.5), E.Bidirectional(2, 4, rank=2)])
def test_with_all_layers_sampled_a_limit_is_a_network(embedding):
    found = embedding.quadrature((5, 6, 7), "sample", key=3)
    same = embedding.quadrature((5, 6, 7), ("sample",) * 3, key=3)
    network = embedding.sample((5, 6, 7), 3)
    for a, b, c in zip(found.matrices, same.matrices, network.matrices, strict=True):
        assert jnp.all(a == c)
        assert jnp.all(b == c)
    for p in found.measures:
        np.testing.assert_allclose(p, 1 / len(p))


def test_limits_beside_finite_layers_have_the_weights_to_and_from_them():
    embedding = E.IID(2, 5, mean=[0.0, 1.0, -2.0, 0.5, 0.0], std=[1.0, 0.5, 2.0, 3.0, 1.0])
    rules = ("sobol", "sample", "sobol", "sobol")
    network = embedding.quadrature((4096, 3, 4096, 64), rules, key=1)
    assert network.widths == (4096, 3, 4096, 64)
    inner, outer, middle = network.matrices[1], network.matrices[2], network.matrices[3]
    assert jnp.all(middle == 0.5)  # between two limits
    joint = jnp.concatenate([network.matrices[0], inner], axis=1)
    np.testing.assert_allclose(joint.mean(0), [0, 0, 1, 1, 1], atol=0.01)
    np.testing.assert_allclose(jnp.cov(joint.T), np.diag([1, 1, 0.25, 0.25, 0.25]), atol=0.02)
    np.testing.assert_allclose(outer.mean(1), -2.0, atol=0.02)
    np.testing.assert_allclose(jnp.cov(outer), 4 * np.eye(3), atol=0.1)
    assert embedding.sizes((8, 3, 8, 8), ("sobol", "sample", "sample", "sobol")) == (8, 3, 8, 8)
    assert embedding.sizes((8, 3, 8, 8), ("sample", "sobol", "sobol", "sobol")) == (8, 3, 1, 8)


def test_the_first_limit_of_three_layers_starts_from_means_alone(regression):
    """$H_2(j) = E[w_2] E[\\varphi(w_1 x)]$ for every neuron j of a finite second layer [SS19]."""
    x, _ = regression
    network = E.IID(2, 3, mean=(0, 1.5, 0.7)).quadrature((2**14, 6), ("sobol", "sample"))
    inner = network.forward(x)[0][1]
    assert inner.shape == (4, 6)
    np.testing.assert_allclose(inner, np.zeros((4, 6)), atol=0.02)  # odd activation, centred w_1


@pytest.mark.long
def test_finite_layers_leave_the_limit_by_their_own_variances(regression):
    """Of widths (n, 20) the distance from (inf, 20) is that of layer 1; of (inf, n) that of layer 2."""
    x, problem = regression
    embedding = E.IID(2, 3, mean=(0, 1, 1))
    until, options = 2.0, {"rtol": 1e-4, "atol": 1e-6, "save_at": 1}
    law = nr.fluctuations(problem, embedding, until, 2048, save_at=1, directions=24)
    variance = law.data.prediction_variance.isel(time=-1, output=0)
    of_layer = lambda i: float(variance.sel(source=f"layer {i}").mean())
    after = lambda widths, rules, key: np.asarray(
        nr.solve(problem, embedding, until, widths, rules, key=key, **options).network(x)
    )
    half = lambda n, key: after((512, n), ("sobol", "sample"), key)
    gaps = [half(20, key) - after((400, 20), "sample", key) for key in range(96)]
    seeds = np.sqrt(2 / len(gaps))
    np.testing.assert_allclose(400 * np.mean(np.square(gaps)), of_layer(1), rtol=3 * seeds)
    limit = after(4096, "sobol", 0)
    gaps = [half(64, key) - limit for key in range(256)]
    np.testing.assert_allclose(64 * np.mean(np.square(gaps)), of_layer(2), rtol=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3, 4, 6])
def test_the_centred_iid_limit_never_moves_from_four_layers_on(regression, depth):
    x, problem = regression
    run = nr.solve(problem, E.IID(2, depth), 5.0, nodes=64, save_at=1)
    moved = np.abs(run.network(x) - E.IID(2, depth).quadrature(64)(x)).max()
    if depth >= 4:
        assert moved == 0
        assert run.loss[0] == run.loss[-1]
    else:
        assert moved > 0.1


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", sorted(BUILT))
def test_every_embedding_works_in_both_precisions(name, wide):
    dtype = np.dtype("f8" if wide else "f4")
    with jax.enable_x64(wide):
        embedding = BUILT[name]()
        for network in (embedding.sample(6, 0), embedding.quadrature(8, "monte-carlo", 0)):
            assert {w.dtype for w in (*network.weights, *network.measures)} == {dtype}
            y = network(np.ones((3, 2)))
            assert y.dtype == dtype
            assert np.isfinite(y).all()


def test_own_samplers_take_only_the_rule_that_they_can():
    with pytest.raises(nr.InvalidInput, match=r"rule.*monte-carlo"):
        BUILT["own"]().quadrature(8, "sobol")

"""Moments of the initial weights, the argument of diversity, and its reach in finite networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import neuronal as nr
from neuronal.embeddings.moments import gaussian
from neuronal.theory.certificate import diversity, moments

EMB = nr.embeddings


def by_name(rows, name):
    (found,) = [row for row in rows if name in row.names]
    return found


@pytest.mark.parametrize("dim", [1, 2, 7, 40])
def test_the_gaussian_constant_is_the_largest_over_all_moments(dim):
    law = stats.chi(dim)

    def scaled(m):
        mean = integrate.quad(lambda r: r**m * law.pdf(r), 0, law.ppf(1 - 1e-15) * 2, limit=400)[0]
        return mean ** (1 / m) / np.sqrt(m)

    assert gaussian(dim) == pytest.approx(max(scaled(m) for m in range(1, 31)), rel=1e-8)


@pytest.mark.parametrize(
    "embedding",
    [
        EMB.Bidirectional(3, 4, rank=8, gain=[0.7, 1.9]),
        EMB.Bidirectional(2, 3, 2, rank=40, gain=1.0),
        EMB.IID(3, 4, mean=[0.0, 1.0, -2.0, 0.5], std=[1.0, 0.5, 2.0, 3.0]),
    ],
)
def test_proved_moments_bound_those_of_a_wide_network_and_not_by_much(embedding):
    rows = moments.moment_rows(embedding)
    network = embedding.sample(400, jax.random.key(3))
    for i, w in enumerate(network.weights):
        row = by_name(rows, f"1.1 w_{i + 1} moments")
        assert row.status == "proved"
        w = np.asarray(w)
        size = np.linalg.norm(w, axis=1) if i in (0, embedding.depth - 1) else np.abs(w).ravel()
        seen = max(np.mean(size**m) ** (1 / m) / np.sqrt(m) for m in range(1, 7))
        assert seen * 0.97 <= row.figure <= 4.5 * seen


def custom(tail):
    return EMB.Embedding(
        [2, 2],
        [lambda c: c, lambda c, d: tail(c[0]) * d[1], lambda c: c[0]],
    )


def test_a_users_moments_are_measured_and_a_heavy_tail_is_not_passed():
    light = by_name(moments.moment_rows(custom(jnp.tanh)), "1.1 w_2 moments")
    assert light.status == "measured"
    heavy = by_name(moments.moment_rows(custom(lambda z: jnp.exp(2 * z * z))), "1.1 w_2 moments")
    assert heavy.status == "unknown" and "grows" in heavy.how


@pytest.mark.parametrize(
    ("embedding", "status"),
    [
        (EMB.Bidirectional(2, 2), "proved"), (EMB.Bidirectional(2, 4, rank=4, gain=1.0), "proved"),
        (EMB.IID(2, 2), "proved"), (EMB.IID(2, 2, std=0.0), "violated"),
        (EMB.IID(2, 3), "violated"), (EMB.IID(2, 6, mean=1.0), "violated"),
        (custom(jnp.tanh), "unknown"),
    ],
)  # fmt: skip
def test_the_argument(embedding, status):
    network = embedding.quadrature(8, "monte-carlo")
    rows = diversity.diversity_rows(embedding, {0.0: network}, np.eye(2))
    assert rows[0].status == status
    assert len(rows) == (1 if status == "violated" else 3)


def test_the_spread_of_iid_averages_falls_as_stated():
    embedding = EMB.IID(1, 3, std=[1.0, 2.0, 1.0])
    w = embedding.sample(120, jax.random.key(0)).weights[1]
    assert float(np.std(np.mean(w, axis=0))) == pytest.approx(2 / np.sqrt(120), rel=0.2)
    row = diversity.diversity_rows(embedding, {}, np.eye(1))[0]
    assert row.figure == "2 n^-1/2"


@pytest.fixture(scope="module")
def weighted():
    """Four layers with unequal measures, of random weights."""
    rng = np.random.default_rng(0)
    sizes = (2, 12, 9, 14)
    weights = [rng.normal(size=(12, 2)), rng.normal(size=(12, 9)), rng.normal(size=(9, 14))]
    weights += [rng.normal(size=(14, 1))]
    measures = [rng.dirichlet(np.ones(n)) for n in sizes[1:]]
    return nr.Network(weights, measures=measures)


def test_distances_are_those_of_weighted_least_squares(weighted):
    rng = np.random.default_rng(1)
    f, h = rng.normal(size=(5, 12)), rng.normal(size=(5, 14))
    found = diversity.reach(weighted, 2, (f, h))
    a, b = np.asarray(weighted.weights[1], float).T, np.asarray(weighted.weights[2], float)
    p, q = (np.sqrt(np.asarray(weighted.measures[i], float)) for i in (0, 2))
    rows, goals = np.hstack([a * p, b * q]), np.hstack([f * p, h * q])
    for neurons, targets, values in (
        (a * p, f * p, found.forward), (b * q, h * q, found.backward), (rows, goals, found.joint),
    ):  # fmt: skip
        for target, value in zip(targets, values, strict=True):
            best = neurons.T @ np.linalg.lstsq(neurons.T, target, rcond=None)[0]
            expected = np.linalg.norm(target - best) / np.linalg.norm(target)
            assert value == pytest.approx(expected, abs=1e-5)
    nearest = [min(np.linalg.norm(g - r) for r in rows) / np.linalg.norm(g) for g in goals]
    np.testing.assert_allclose(found.nearest, nearest, rtol=1e-6)
    assert found.rank == 9


def test_a_neuron_and_a_combination_of_neurons_are_within_reach(weighted):
    a, b = np.asarray(weighted.weights[1], float).T, np.asarray(weighted.weights[2], float)
    mix = np.random.default_rng(2).normal(size=(3, 9))
    neuron = diversity.reach(weighted, 2, (a[4:5], b[4:5]))
    assert neuron.nearest[0] < 1e-6 and neuron.joint[0] < 1e-5
    combined = diversity.reach(weighted, 2, (mix @ a, mix @ b))
    assert combined.joint.max() < 1e-5 and combined.nearest.min() > 0.1
    crossed = diversity.reach(weighted, 2, (mix @ a, np.roll(mix, 1, axis=0) @ b))
    assert crossed.forward.max() < 1e-5 and crossed.joint.min() > 0.1


def test_carried_neurons_without_mass_do_not_count(weighted):
    measures = list(weighted.measures)
    measures[1] = jnp.asarray(measures[1]).at[4].set(0.0)
    measures[1] /= measures[1].sum()
    less = nr.Network(weighted.weights, measures=measures)
    a, b = np.asarray(weighted.weights[1], float).T, np.asarray(weighted.weights[2], float)
    assert diversity.reach(less, 2, (a[4:5], b[4:5])).nearest[0] > 0.1


def test_a_higher_rank_reaches_further():
    x = np.linspace(-1, 1, 21)[:, None]
    left = []
    for rank in (1, 4, 16):
        network = EMB.Bidirectional(1, 4, rank=rank, gain=1.0).quadrature(128)
        targets = diversity.random_targets(network, 2, x)
        left.append(diversity.reach(network, 2, targets).forward.mean())
    assert left[0] > 1.2 * left[1] > 1.2 * left[2]


def test_targets_of_another_shape_are_refused(weighted):
    with pytest.raises(nr.InvalidInput, match=r"targets: layer 2 takes incoming \(t, 12\)"):
        diversity.reach(weighted, 2, (np.ones(11), np.ones(14)))
    with pytest.raises(nr.InvalidInput, match=r"layer: takes 1\.\.3"):
        diversity.reach(weighted, 4, (np.ones(11), np.ones(14)))

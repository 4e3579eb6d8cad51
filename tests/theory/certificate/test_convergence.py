"""Assumption 1.3: weighted distances against plain sums over neurons, and their fall on runs."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.theory.certificate import convergence


def random_network(rng, sizes):
    weights = [rng.normal(size=(sizes[1], sizes[0]))]
    weights += [rng.normal(size=pair) for pair in itertools.pairwise(sizes[1:])]
    return weights, [rng.dirichlet(np.ones(n)) for n in sizes[1:-1]]


def test_distances_are_the_expectations_of_the_paper():
    rng = np.random.default_rng(0)
    sizes = (2, 3, 4, 2, 1)
    weights, measures = random_network(rng, sizes)
    limits, _ = random_network(rng, sizes)
    found = convergence.weighted_distances(
        nr.Network(weights, measures=measures), nr.Network(limits, measures=measures)
    )
    expected = np.zeros(4)
    for c in itertools.product(range(3), range(4), range(2)):
        p = np.prod([measures[i][c[i]] for i in range(3)])
        chain = (*c, 0)
        ends = [abs(limits[i][chain[i - 1], chain[i]]) for i in range(1, 4)]
        expected[0] += p * np.linalg.norm(weights[0][c[0]] - limits[0][c[0]]) * np.prod(ends)
        for i in range(1, 4):
            change = abs(weights[i][chain[i - 1], chain[i]] - limits[i][chain[i - 1], chain[i]])
            expected[i] += p * change * np.prod(ends[i:])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.fixture(scope="module")
def run():
    law = nr.distributions.Regression(
        lambda x: jnp.sin(2 * x[:, 0]), nr.distributions.Biased(nr.distributions.Uniform())
    )
    problem = nr.Problem(law, nr.losses.PseudoHuber(1.0), nr.schedules.cosine(50.0, 1.0, 0.5))
    embedding = nr.embeddings.Bidirectional(2, 3, rank=4)
    return problem, nr.solve(problem, embedding, 30.0, nodes=32, data_nodes=16, save_at=8)


def test_the_speed_is_the_difference_quotient_of_the_last_weights(run):
    problem, trajectory = run
    t, h = 10.0, 0.05
    before, after = (np.asarray(trajectory.at(s).weights[-1]) for s in (t - h, t + h))
    quotient = np.abs(after - before).max() / (2 * h)
    found = convergence.last_speed(trajectory.at(t), problem, trajectory.law, t)
    assert found == pytest.approx(quotient, rel=2e-2)


def test_rows_along_a_run_and_without_one(run):
    problem, trajectory = run
    networks = {float(t): trajectory.at(t) for t in trajectory.times}
    rows = convergence.convergence_rows(networks, problem, trajectory.law, 3)
    assert [row.status for row in rows] == ["measured"] * 3
    assert all(0 < row.figure < 1 for row in rows)
    first = rows[1].detail["w_2"]
    assert first[0] > first[4] > 0 and first[-1] == 0
    few = {0.0: networks[0.0]}
    rows = convergence.convergence_rows(few, problem, trajectory.law, 3)
    assert [row.status for row in rows] == ["unknown"] * 3


def test_what_moves_away_is_not_called_convergent(run):
    problem, trajectory = run
    times = [float(t) for t in trajectory.times]
    backwards = {t: trajectory.at(s) for t, s in zip(times, times[::-1], strict=True)}
    rows = convergence.convergence_rows(backwards, problem, trajectory.law, 3)
    assert rows[-1].status == "unknown" and "does not fall" in rows[-1].how

"""Independent weights, L = 3: what the theorem asks, against closed forms, and each condition broken."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import neuronal as nr
from neuronal.theory.certificate import independent

LAWS, LOSS, XI = nr.distributions, nr.losses, nr.schedules
X = np.stack([np.linspace(-1, 1, 8), np.ones(8)], axis=1)
Y = np.sin(3 * X[:, 0]) + 0.5
MEANS, STDS = (0.0, 1.0, 0.5), (2.0, 1.0, 0.0)


def embedding(means=MEANS, stds=STDS, **more):
    return nr.embeddings.IID(2, 3, mean=means, std=stds, **more)


def problem(loss=None, last=None, y=Y):
    rates = last and [XI.constant(), XI.constant(), last]
    return nr.Problem(LAWS.Empirical(X, y), loss or LOSS.Huber(1.0), schedules=rates)


def rows(given, of, trajectory=None):
    found = nr.certify(given, of, trajectory, nodes=8)
    return {r.condition.split(" ", 1)[1]: r for r in found.rows if r.condition[:4] == "NP20"}


@pytest.fixture(scope="module")
def run():
    given, of = problem(), embedding()
    return given, of, nr.solve(given, of, 40.0, nodes=16, save_at=8, solver="tsit5")


def test_all_conditions_are_met_by_a_setting_of_the_theorem(run):
    found = rows(*run)
    assert {r.status for r in found.values()} == {"proved", "measured"}
    assert found["all conditions"].status == "measured"
    assert "NP20 speed of w_2" in found["all conditions"].how
    without = rows(*run[:2])
    assert without["all conditions"].status == "unknown"
    assert [c for c, r in without.items() if r.status == "unknown"] == [
        "distance of w_1-3", "speed of w_2", "all conditions",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "condition", "status"),
    [
        ({"of": embedding(stds=(0.0, 1.0, 0.0))}, "w_1 support", "violated"),
        ({"of": embedding(stds=(2.0, 1.0, 1.0))}, "w_2,3 bounded", "violated"),
        ({"of": embedding(activation="sin")}, "phi'_2 nonzero", "violated"),
        ({"of": embedding(means=(0.0, 1.0, 0.0))}, "start", "violated"),
        ({"of": embedding(means=(0.0, 1.0, -0.5))}, "start", "violated"),
        ({"of": embedding(means=(0.0, 0.0, 0.5))}, "start", "violated"),
        ({"last": XI.Frozen(), "of": embedding(means=(0.0, 1.0, 0.0))}, "w_3 nonzero", "violated"),
        ({"last": XI.Frozen()}, "w_3 nonzero", "proved"),
        ({"last": XI.constant(2.0)}, "xi", "unknown"),
        ({"last": XI.cosine(20.0, 1.0, 0.5)}, "xi", "unknown"),
        ({"last": lambda t: jnp.ones_like(t)}, "xi", "unknown"),
    ],
)
def test_a_condition_is_told_where_it_fails(changes, condition, status):
    of = changes.pop("of", embedding())
    found = rows(problem(**changes), of)
    assert found[condition].status == status
    if status != "proved":
        assert condition in found["all conditions"].how or status == "unknown"


@pytest.mark.parametrize(
    ("given", "of"),
    [
        (problem(), nr.embeddings.IID(2, 4)),
        (problem(), nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.0)),
        (problem(), embedding(biases=0.1)),
        (problem(y=np.stack([Y, Y], axis=1)), nr.embeddings.IID(2, 3, 2)),
    ],
)
def test_others_have_no_such_rows(given, of):
    assert rows(given, of) == {}


def test_the_start_is_that_of_closed_forms():
    """H_2 is E tanh of a normal, by SciPy's quadrature; nodes of w_3 do not enter."""
    means, stds = (0.6, 1.3, 0.5), (0.7, 1.0, 2.0)
    found = nr.certify(problem(), embedding(means, stds), nodes=1024)["NP20 start"]

    def risk(predictions):
        r = np.abs(predictions - Y)
        return float(np.mean(np.where(r < 1, r**2 / 2, r - 0.5)))

    def average(x):
        of = stats.norm(means[0] * x.sum(), stds[0] * np.linalg.norm(x))
        return integrate.quad(lambda h: np.tanh(h) * of.pdf(h), -15, 15)[0]

    h_2 = means[1] * np.array([average(x) for x in X])
    expected = risk(means[2] * np.tanh(h_2)) - risk(np.zeros(8))
    assert expected < -0.05 and found.status == "measured"
    assert found.figure == pytest.approx(expected, abs=2e-3)


def test_distances_are_the_expectations_of_the_paper():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(3))
    shapes = ((4, 2), (4, 3), (3, 1))
    now, end = ([rng.normal(size=shape) for shape in shapes] for _ in "ab")
    found = independent.weighted_distances(
        nr.Network(now, measures=(p, q)), nr.Network(end, measures=(p, q))
    )
    expected = np.zeros(3)
    for i, j in itertools.product(range(4), range(3)):
        share, size = p[i] * q[j], abs(end[2][j, 0])
        expected += share * (1 + size) * np.array([
            size * abs(end[1][i, j]) * np.linalg.norm(now[0][i] - end[0][i]),
            size * abs(now[1][i, j] - end[1][i, j]),
            abs(now[2][j, 0] - end[2][j, 0]),
        ])  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_speed_is_the_difference_quotient_of_the_middle_weights(run):
    given, _, trajectory = run
    t, h = 10.0, 0.1
    before, after = (np.asarray(trajectory.at(s).matrices[1], float) for s in (t - h, t + h))
    q = np.asarray(trajectory.network.measures[1])
    quotient = np.max(np.abs(after - before) @ q) / (2 * h)
    found = independent.middle_speed(trajectory.at(t), given, trajectory.law, t)
    assert found == pytest.approx(quotient, rel=2e-2)


def test_a_schedule_is_constant_by_proof_alone():
    assert independent.constant_value(XI.constant(0.3)) == pytest.approx(0.3)
    assert independent.constant_value(XI.Frozen()) == 0
    assert independent.constant_value(XI.cosine(3.0)) is None
    assert independent.constant_value(lambda t: t) is None

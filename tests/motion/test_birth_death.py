"""Measures that move: their potentials, conservation, dissipation, and an independent integration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_reference import random_case
from scipy.integrate import solve_ivp

import neuronal as nr
from neuronal.kernels import affine
from neuronal.motion.birth_death import logs_of, measures_of, parents_after
from neuronal.problem import mean_loss

pytestmark = pytest.mark.usefixtures("float64")
X = np.random.default_rng(5).normal(size=(7, 2))
Y = np.stack([np.sin(2 * X[:, 0]), X[:, 0] * X[:, 1]], axis=1)
Q = np.random.default_rng(6).dirichlet(np.ones(7))
ALPHA = [0.7, 1.3, 0.4]


def problem_of(depth, loss=None, birth_death=ALPHA, **more):
    law = nr.distributions.Empirical(X, Y, Q)
    rates = birth_death if np.ndim(birth_death) == 0 else birth_death[: depth - 1]
    return nr.Problem(law, loss or nr.losses.Squared(), birth_death=rates, **more)


def network_of(depth, biased=False, unit=None):
    weights, measures = random_case(1, (6, 4, 5)[: depth - 1], d=2, k=2)
    if biased:
        weights[1] = affine(weights[1], np.random.default_rng(0).normal(size=4))
    more = {} if unit is None else {"unit": unit}
    return nr.Network(weights, "tanh", measures, **more)


def risk(network, measures, problem):
    """R as a function of the measures, whatever their sum."""
    there = network.with_state(network.weights, measures)
    return mean_loss(there, problem.loss, jnp.asarray(X), jnp.asarray(Y), jnp.asarray(Q))


NETWORKS = {
    "two layers": network_of(2), "four layers": network_of(4), "biases": network_of(3, True),
    "gaussian": network_of(3, unit=nr.units.Gaussian(1.0)),
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _networks():
    with jax.enable_x64(True):
        NETWORKS.update(
            {
                "two layers": network_of(2), "four layers": network_of(4),
                "biases": network_of(3, True), "gaussian": network_of(3, unit=nr.units.Gaussian()),
            }
        )  # fmt: skip


@pytest.mark.parametrize("loss", [nr.losses.Squared(), nr.losses.PseudoHuber(0.5)])
@pytest.mark.parametrize("name", NETWORKS)
def test_potentials_are_the_risks_derivatives_in_the_measures(name, loss):
    network = NETWORKS[name]
    problem = problem_of(network.depth, loss)
    expected = jax.grad(lambda p: risk(network, p, problem))(network.measures)
    motion, data = problem.motion(network), problem.quadrature(7)
    ours = motion.potentials(jnp.zeros(()), network.weights, data)
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_potentials_know_of_decay():
    network = NETWORKS["four layers"]
    problem = problem_of(4, decay=[0.1, 0.2, 0.3, 0.4])

    def objective(p):
        squares = [jnp.sum(network.weights[0] ** 2, axis=1) @ p[0]]
        squares += [p[i] @ network.weights[i + 1] ** 2 @ p[i + 1] for i in (0, 1)]
        squares += [p[2] @ jnp.sum(network.weights[3] ** 2, axis=1)]
        decay = sum(rate * s / 2 for rate, s in zip((0.1, 0.2, 0.3, 0.4), squares, strict=True))
        return risk(network, p, problem) + decay

    ours = problem.motion(network).potentials(jnp.zeros(()), network.weights, problem.quadrature(7))
    for a, b in zip(ours, jax.grad(objective)(network.measures), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def speeds(network, problem, t=0.0):
    """The phase, its time derivative, and the dissipation that it has by formula."""
    motion, data = problem.motion(network), problem.quadrature(7)
    phase, t = motion.at_rest(network.weights), jnp.asarray(t)
    moved, depth = motion.flow(t, phase, data), network.depth
    p = [np.ones(2), *network.measures, np.ones(2)]
    lost = 0.0
    for i, (v, rate) in enumerate(zip(moved[:depth], motion.rates(t), strict=True)):
        rows, columns = (p[1], p[0]) if i == 0 else (p[i], p[i + 1])
        lost += float(rows @ np.asarray(v) ** 2 @ columns) / float(rate)
    potentials = motion.potentials(t, network.weights, data)
    for alpha, v, q in zip(motion.birth_death.layers, potentials, network.measures, strict=True):
        lost += float(alpha(t)) * float(q @ (v - q @ v) ** 2)
    return phase, moved, lost


@pytest.mark.parametrize("name", ["two layers", "four layers", "gaussian"])
def test_the_risk_falls_by_what_both_motions_dissipate(name):
    network = NETWORKS[name]
    rates = [nr.schedules.constant(r) for r in (0.5, 2.0, 1.0, 1.5)]
    problem = problem_of(network.depth, schedules=rates[: network.depth])
    phase, moved, lost = speeds(network, problem)
    depth = network.depth

    def after(h):
        later = jax.tree.map(lambda a, b: a + h * b, phase, moved)
        there = network.with_state(later[:depth], measures_of(later[depth:]))
        return risk(there, there.measures, problem)

    slope = jax.jvp(after, (0.0,), (1.0,))[1]
    np.testing.assert_allclose(slope, -lost, rtol=1e-11)
    assert lost > 0.01


@pytest.mark.slow
def test_measures_keep_their_sum_and_the_risk_its_balance_along_a_run():
    """Gauss's rule of the dissipation is the fall of the risk, to the integrator's tolerance."""
    network = NETWORKS["four layers"]
    problem = problem_of(4)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    times = 1.5 * (nodes + 1)
    run = nr.solve(problem, network, 3.0, rtol=1e-9, atol=1e-11, save_at=times)
    lost = [speeds(run.at(t), problem, t)[2] for t in times]
    np.testing.assert_allclose(run.loss[0] - run.loss[-1], 1.5 * weights @ lost, rtol=1e-6)
    for before, after in zip(network.measures, run.network.measures, strict=True):
        assert abs(float(after.sum()) - 1) < 1e-14 and float(after.min()) > 0
        assert np.abs(after - before).max() > 1e-2
    assert np.all(np.diff(run.loss) < 0)


def test_with_weights_at_rest_it_is_the_replicator_equation():
    """SciPy, on p itself and plain sums."""
    network = NETWORKS["two layers"]
    problem = problem_of(2, schedules=nr.schedules.constant(0.0), birth_death=2.0)
    run = nr.solve(problem, network, 4.0, rtol=1e-9, atol=1e-11, save_at=2)
    features = np.tanh(X @ np.asarray(network.weights[0]).T)[:, :, None] * network.weights[1]

    def velocity(t, p):
        gap = np.einsum("mnk,n->mk", features, p) - Y
        v = np.einsum("m,mk,mnk->n", Q, gap, features)
        return -2 * p * (v - p @ v)

    expected = solve_ivp(
        velocity, (0, 4), np.asarray(network.measures[0]), rtol=1e-11, atol=1e-13
    ).y[:, -1]
    np.testing.assert_allclose(run.network.measures[0], expected, atol=1e-8)
    np.testing.assert_array_equal(run.network.weights[0], network.weights[0])


def test_mass_finds_the_one_neuron_that_fits_and_none_that_is_dead():
    good = np.array([[1.0, -0.5]])
    rng = np.random.default_rng(0)
    w = np.concatenate([good, rng.normal(size=(7, 2)), good])
    y = np.tanh(X @ good.T)
    law = nr.distributions.Empirical(X, y)
    still = nr.schedules.constant(0.0)
    problem = nr.Problem(law, nr.losses.Squared(), still, birth_death=50.0)
    network = nr.Network([w, np.ones((9, 1))], "tanh", [[1 / 8] * 8 + [0.0]])
    run = nr.solve(problem, network, 200.0, save_at=4)
    p = np.asarray(run.network.measures[0])
    assert p[0] > 0.98 and p[-1] == 0.0 and run.loss[-1] < 1e-3 * run.loss[0]
    assert np.isfinite(run.loss).all()


def test_a_layer_of_rate_zero_keeps_its_measure_and_without_rates_it_is_the_paper_s_system():
    network = NETWORKS["four layers"]
    run = nr.solve(problem_of(4, birth_death=[0.0, 1.0, 0.0]), network, 1.0, save_at=1)
    for i, (before, after) in enumerate(zip(network.measures, run.network.measures, strict=True)):
        assert (np.abs(after - before).max() > 1e-3) == (i == 1)
        if i != 1:
            np.testing.assert_allclose(after, before, rtol=1e-13)
    plain = nr.Problem(problem_of(4).distribution, nr.losses.Squared())
    none = problem_of(4, birth_death=[0.0, 0.0, 0.0])
    assert none.birth_death is None
    one, other = (nr.solve(p, network, 1.0, save_at=1).network for p in (plain, none))
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_records_between_steps_and_states_kept_have_their_measures():
    network, problem = NETWORKS["two layers"], problem_of(2, birth_death=lambda t: 0.5 + t)
    seen = {}
    times = [0.0, 0.37, 0.9, 1.0]
    run = nr.solve(
        problem, network, 1.0, rtol=1e-9, atol=1e-11, save_at=times,
        progress=lambda t, loss, at: seen.update({t: at.measures[0]}),
    )  # fmt: skip
    for t in times:
        np.testing.assert_allclose(run.at(t).measures[0], seen[t], atol=1e-8)
        risk_there = problem.risk(run.at(t))
        np.testing.assert_allclose(run.loss[times.index(t)], risk_there, rtol=1e-8)
    again = nr.solve(problem, run.at(0.37), 1.0, since=0.37, rtol=1e-9, atol=1e-11, save_at=1)
    np.testing.assert_allclose(again.network.measures[0], run.network.measures[0], atol=1e-8)


def test_logarithms_of_measures_and_back():
    p = jnp.asarray([0.25, 0.0, 0.75])
    logs = logs_of((p,))
    assert np.isfinite(logs[0]).all()
    np.testing.assert_allclose(measures_of((logs[0] + 3.0,))[0], p, rtol=1e-15)


def test_what_does_not_know_of_it_refuses_it():
    network, problem = NETWORKS["four layers"], problem_of(4)
    embedding = nr.embeddings.Bidirectional(2, 4, 2, rank=2, gain=1.0)
    flat, law = nr.embeddings.IID(2, 2, 2), problem.distribution
    run = nr.solve(problem, network, 0.1, save_at=1)
    for words, call in (
        ("measures", lambda: nr.train(problem, network, 0.1, 1.0, 0)),
        ("solver", lambda: nr.solve(problem, network, 1.0, solver="rkc")),
        ("kernel: birth", lambda: nr.solve(problem, embedding, 1.0, nodes=8, kernel="factored")),
        (
            "network: its weights",
            lambda: nr.solve(problem, embedding.sample(8, 0, "factored"), 1.0),
        ),
        ("trajectory: its measures", lambda: nr.fields(run, 1)),
        ("problem: birth_death", lambda: nr.fluctuations(problem, network, 1.0)),
        ("problem: the kernel flow", lambda: nr.kernel_flow(network, problem, 1.0)),
        ("birth_death: does not go", lambda: problem_of(4, momentum=1.0)),
        ("birth_death", lambda: problem_of(4, birth_death=-1.0)),
        ("reinject: takes an embedding,", lambda: problem_of(4, reinject=network)),
        ("reinject: says", lambda: nr.Problem(law, nr.losses.Squared(), reinject=embedding)),
        (
            "reinject: takes an embedding of two",
            lambda: nr.train(
                problem_of(4, reinject=embedding), embedding.sample(4, 0), 0.1, 1.0, 0
            ),
        ),
        (
            "reinject: newborn",
            lambda: nr.solve(problem_of(2, reinject=flat), flat.sample(4, 0), 1.0),
        ),
        ("birth_death", lambda: nr.solve(problem_of(3), network, 1.0)),
    ):
        with pytest.raises(nr.InvalidInput, match=f"^{words}"):
            call()
    rows = nr.certify(problem, embedding, nodes=8)
    assert rows["2 motion"].status == "unknown" and "measures move" in rows["2 motion"].how


# SGD: neurons that die and are copied


@pytest.mark.parametrize("size", [0.02, 0.5, 3.0])
def test_the_number_of_a_neurons_copies_is_that_expected_to_first_order(size):
    """Over many draws, and to second order in the change."""
    change = size * jnp.asarray(np.random.default_rng(0).normal(size=40))
    change = change - change.mean()
    draws = 4000
    parents = np.asarray(
        jax.vmap(lambda key: parents_after(key, change))(jax.random.split(jax.random.key(0), draws))
    )
    assert parents.shape == (draws, 40) and parents.min() >= 0 and parents.max() < 40
    counts = np.stack([np.bincount(row, minlength=40) for row in parents])
    assert counts.max() <= (3 if size < 1 else 40)
    if size == 0.02:
        assert np.mean(parents == np.arange(40)) > 0.95  # most keep their places
        error = counts.std(axis=0) / np.sqrt(draws) + 1e-3
        assert np.all(np.abs(counts.mean(axis=0) - 1 - change) < 4 * error + 2 * size**2)
        assert np.abs(np.corrcoef(counts.mean(axis=0), change)[0, 1]) > 0.95


@pytest.mark.slow
def test_neurons_that_die_and_are_copied_follow_the_measures_that_move():
    """Many copies of few neurons at rest: their shares follow the replicator equation."""
    rng = np.random.default_rng(2)
    kinds, copies = 5, 800
    w, v = 1.5 * rng.normal(size=(kinds, 2)), 2 * rng.normal(size=(kinds, 1))
    law = nr.distributions.Empirical(X, np.tanh(X @ w[:1].T) * v[0])
    still = nr.schedules.constant(0.0)
    problem = nr.Problem(law, nr.losses.Squared(), still, birth_death=1.0)
    limit = nr.solve(problem, nr.Network([w, v]), 2.0, rtol=1e-8, save_at=1).network.measures[0]
    wide = nr.Network([np.repeat(w, copies, axis=0), np.repeat(v, copies, axis=0)])
    stream = (np.broadcast_to(X, (200, 7, 2)), np.broadcast_to(law.y, (200, 7, 1)))
    run = nr.train(problem, wide, 0.01, 2.0, key=3, data=stream, save_at=1)
    found = np.asarray(run.network.weights[1])[:, 0]
    shares = np.array([np.mean(found == kind) for kind in v[:, 0]])
    assert abs(shares.sum() - 1) < 1e-12
    np.testing.assert_allclose(shares, limit, atol=0.035)
    assert np.abs(np.asarray(limit) - 1 / kinds).max() > 0.1


@pytest.mark.slow
def test_copies_have_both_sides_of_their_neuron_and_a_run_taken_up_is_the_same():
    embedding = nr.embeddings.Bidirectional(2, 3, 2, rank=2, gain=1.0)
    start, problem = embedding.sample(12, 0), problem_of(3, birth_death=[20.0, 20.0])
    run = nr.train(problem, start, 0.05, 1.0, key=1, batch_size=2, save_at=4)
    half = nr.train(problem, start, 0.05, 0.5, key=1, batch_size=2, save_at=2).network
    again = nr.train(problem, half, 0.05, 1.0, key=1, batch_size=2, since=0.5, save_at=2)
    for a, b in zip(run.network.weights, again.network.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    calm = problem_of(3, birth_death=[1e-9, 1e-9])
    plain = nr.Problem(calm.distribution, calm.loss)
    one, other = (nr.train(p, start, 0.05, 1.0, key=1, batch_size=2).network for p in (calm, plain))
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    still = nr.Problem(
        calm.distribution, calm.loss, nr.schedules.constant(0.0), birth_death=[20.0, 20.0]
    )
    w = nr.train(still, start, 0.05, 0.4, key=1, batch_size=2, save_at=1).network.weights
    rows = [[int(np.flatnonzero((start.weights[0] == row).all(axis=1))[0]) for row in w[0]]]
    rows += [[int(np.flatnonzero((start.weights[2] == row).all(axis=1))[0]) for row in w[2]]]
    assert len(set(rows[0])) < 12 and len(set(rows[1])) < 12
    np.testing.assert_array_equal(w[1], np.asarray(start.weights[1])[np.ix_(*rows)])


@pytest.mark.slow
def test_newborn_neurons_replace_those_that_die_and_change_no_prediction():
    embedding = nr.embeddings.IID(2, 2, 2, std=3.0)
    start = nr.embeddings.IID(2, 2, 2, mean=[5.0, 0.0], std=[0.1, 1.0]).sample(400, 0)
    still = nr.schedules.constant(0.0)
    problem = problem_of(2, schedules=still, birth_death=1.0, reinject=embedding)
    run = nr.train(problem, start, 0.05, 0.05, key=1, batch_size=7, save_at=1)
    w, v = (np.asarray(a) for a in run.network.weights)
    new = np.any(w != np.asarray(start.weights[0]), axis=1)
    assert 0 < new.sum() < 60
    assert not v[new].any() and np.array_equal(v[~new], np.asarray(start.weights[1])[~new])
    assert np.abs(w[new] - 5.0).max() > 3.0
    # Every neuron above the mean dies at its own rate: the expected number, of one step.
    data = nr.distributions.Samples(*map(jnp.asarray, drawn(problem, 1)), jnp.full(7, 1 / 7))
    (potential,) = problem.motion(start).potentials(jnp.zeros(()), start.weights, data)
    chance = -np.expm1(-0.05 * np.maximum(potential - potential.mean(), 0))
    deviation = np.sqrt(np.sum(chance * (1 - chance)))
    assert abs(new.sum() - chance.sum()) < 4 * deviation


def drawn(problem, key):
    """The samples of the first step with that key."""
    return problem.distribution.sample(jax.random.fold_in(jax.random.key(key), 0), 7)


@pytest.mark.slow
def test_from_a_start_without_support_newborn_neurons_reach_what_copies_do_not():
    """Narrow units at one of two bumps: gradients and copies stay there, newborn ones come to the other."""
    x = np.linspace(-2, 2, 33)[:, None]
    y = np.exp(-((x - 1) ** 2) / 0.18) - np.exp(-((x + 1) ** 2) / 0.18)
    law, unit = nr.distributions.Empirical(x, y), nr.units.Gaussian(0.3)
    common = {"activation": "identity", "unit": unit}
    start = nr.embeddings.IID(1, 2, mean=[-1.0, 0.0], std=[0.1, 1.0], **common)
    source = nr.embeddings.IID(1, 2, std=1.5, **common)
    stream = (np.broadcast_to(x, (600, 33, 1)), np.broadcast_to(y, (600, 33, 1)))
    losses, shares = [], []
    for more in ({}, {"reinject": source}):
        problem = nr.Problem(law, nr.losses.Squared(), birth_death=10.0, **more)
        run = nr.train(problem, start.sample(200, 0), 0.1, 60.0, key=2, data=stream, save_at=1)
        losses.append(run.loss[-1])
        shares.append(float(np.mean(np.asarray(run.network.weights[0]) > 0)))
    least = float(np.mean(y[17:] ** 2) * 16 / 33 / 2)  # of the bump out of reach
    assert losses[0] > 0.95 * least and losses[1] < 0.5 * least
    assert shares[0] == 0 and shares[1] > 0.1

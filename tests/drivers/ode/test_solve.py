"""The MF ODE against SciPy's integrator on the reference velocity, and its records."""

import functools
import itertools

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_reference import Reference, flatten, random_case, unflatten
from scipy.integrate import solve_ivp

import neuronal as nr

LAWS = nr.distributions
UNTIL = 4.0
WIDTHS = {2: (6,), 3: (4, 6), 5: (4, 3, 5, 4)}
NAMES = {
    2: ("tanh", "identity"),
    3: ("erf", "sin", "tanh"),
    5: ("tanh", "sin", "sigmoid", "softsign", "identity"),
}
RNG = np.random.default_rng(11)
X, Y, Q = RNG.normal(size=(4, 2)), RNG.normal(size=(4, 1)), RNG.dirichlet(np.full(4, 2.0))

pytestmark = pytest.mark.usefixtures("float64")


def schedules(depth, library):
    return [lambda t, i=i: 1 + 0.5 * library.sin(0.7 * t + i) for i in range(depth)]


@functools.cache  # one object, so that its compiled code is found again
def problem(depth):
    return nr.Problem(LAWS.Empirical(X, Y, Q), nr.losses.LogCosh(), schedules(depth, jnp))


def start(depth):
    weights, measures = random_case(20 + depth, WIDTHS[depth], scale=2.0)
    return nr.Network(weights, NAMES[depth], measures)


@pytest.fixture(scope="module")
def exact():
    """Weights at UNTIL and half of it from SciPy, to near rounding."""
    found = {}
    for depth, widths in WIDTHS.items():
        weights, measures = random_case(20 + depth, widths, scale=2.0)
        reference = Reference(measures, NAMES[depth], "log_cosh")
        xi = schedules(depth, np)

        def field(t, flat, weights=weights, reference=reference, xi=xi):
            rates = [s(t) for s in xi]
            return flatten(reference.velocity(unflatten(flat, weights), rates, X, Y, Q))

        times = [UNTIL / 2, UNTIL]
        run = solve_ivp(
            field, (0, UNTIL), flatten(weights), "DOP853", times, rtol=1e-12, atol=1e-13
        )
        found[depth] = [unflatten(flat, weights) for flat in run.y.T]
    return found


def distance(network, weights):
    """The largest distance of a layer, in L^2 of the measures, relative to the layer's norm."""
    p = [*network.measures, np.ones(network.output_dim)]
    q = [np.ones(network.input_dim), *network.measures]
    norms = []
    for i, (a, b) in enumerate(zip(network.weights, weights, strict=True)):
        rows, columns = (p[0], q[0]) if i == 0 else (q[i], p[i])
        norms.append(np.sqrt(rows @ (a - b) ** 2 @ columns / (rows @ b**2 @ columns)))
    return max(norms)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_error_falls_with_the_tolerance_to_scipys_solution(depth, exact):
    network, given = start(depth), problem(depth)
    assert distance(network, exact[depth][-1]) > 0.1  # it moves
    errors, steps = [], []
    for rtol in (1e-3, 1e-5, 1e-7, 1e-9):
        run = nr.solve(given, network, UNTIL, rtol=rtol, atol=1e-2 * rtol, save_at=2)
        errors.append(distance(run.network, exact[depth][-1]))
        steps.append(run.report.steps)
        assert distance(run.at(UNTIL / 2), exact[depth][0]) < rtol
        assert errors[-1] < rtol
    # The loosest run may do better than asked, its steps being bound by how fast they may grow.
    assert all(a > b for a, b in itertools.pairwise(errors)), errors
    assert errors[1] > 1e3 * errors[3]
    # A fifth-order method: the number of steps is the tolerance's power -1/5.
    assert steps == sorted(steps)
    assert steps[-1] < 1.5 * 10 ** (2 / 5) * steps[-2]


def test_the_recorded_loss_is_the_risk_and_falls(exact):
    run = nr.solve(problem(3), start(3), UNTIL, rtol=1e-9, atol=1e-11, save_at=2)
    weights, measures = random_case(23, WIDTHS[3], scale=2.0)
    reference = Reference(measures, NAMES[3], "log_cosh")
    for loss, w in zip(run.loss, [weights, *exact[3]], strict=True):
        np.testing.assert_allclose(loss, reference.risk(w, X, Y, Q), rtol=1e-7)
    assert np.all(np.diff(run.loss) < 0)
    assert "ODE" in str(run.report)
    assert run.report.steps > 0
    assert "reached t = 4" in run.report.stopped


def test_euler_with_a_constant_step_is_full_batch_gradient_descent():
    """Constant schedules, so that no question of rounding in t arises at a step's start."""
    weights, measures = random_case(23, WIDTHS[3], scale=2.0)
    uniform = nr.Problem(LAWS.Empirical(X, Y), nr.losses.LogCosh())
    network = nr.Network(weights, NAMES[3], measures)
    run = nr.solve(uniform, network, 2.0, solver=diffrax.Euler(), step=0.1, save_at=1)
    reference = Reference(measures, NAMES[3], "log_cosh")
    expected = reference.sgd(weights, [lambda t: 1.0] * 3, 0.1, [X] * 20, [Y] * 20)
    assert run.report.steps == 20
    assert distance(run.network, expected) < 1e-11


def test_a_network_of_equal_measures_is_its_own_gradient_flow():
    """Weights from a sampled embedding: 1 / n_i each, and w_i moves by n_{i-1} n_i dL/dw_i."""
    network = nr.embeddings.IID(2, 3, mean=0.5).sample((4, 6), 3)
    run = nr.solve(problem(3), network, 1e-4, rtol=1e-10, atol=1e-14, save_at=1)

    def risk(weights):
        h = [X @ weights[0].T]
        for w in weights[1:]:
            h.append(jnp.tanh(h[-1]) @ w / len(w))
        return Q @ jnp.log(jnp.cosh(h[-1] - Y))[:, 0]

    gradients = jax.grad(risk)(list(network.weights))
    xi = [s(0.5e-4) for s in schedules(3, np)]
    for i, factor in enumerate((4, 24, 6)):
        moved = (run.network.weights[i] - network.weights[i]) / 1e-4
        np.testing.assert_allclose(moved, -xi[i] * factor * gradients[i], rtol=2e-3, atol=1e-7)


def test_times_asked_for_are_recorded_and_others_are_solved_to():
    network, given = start(3), problem(3)

    def run(**times):
        return nr.solve(given, network, UNTIL, rtol=1e-8, atol=1e-10, **times)

    few, four, many = run(save_at=[1.0, 2.5]), run(save_at=4), run()
    np.testing.assert_array_equal(few.times, [0, 1, 2.5, 4])
    np.testing.assert_array_equal(four.times, [0, 1, 2, 3, 4])
    np.testing.assert_allclose(many.times, np.linspace(0, UNTIL, 65))
    assert len(few.loss) == 4
    np.testing.assert_allclose(few.loss[[1, 3]], four.loss[[1, 4]], rtol=1e-7)
    for t in (0.0, 0.4, 2.0, 3.3):
        assert distance(four.at(t), run(save_at=[t]).at(t).weights) < 1e-7
    assert few.predict(X).shape == (4, 4, 1)
    np.testing.assert_allclose(few.predict(X)[-1], few.network(X), rtol=1e-12)


def test_a_flow_taken_up_again_sees_the_schedule_where_it_stopped(exact):
    given = problem(3)
    half = nr.solve(given, start(3), UNTIL / 2, rtol=1e-9, atol=1e-11, save_at=1)
    rest = nr.solve(given, half.network, UNTIL, rtol=1e-9, atol=1e-11, since=UNTIL / 2, save_at=1)
    assert distance(rest.network, exact[3][-1]) < 1e-7
    assert rest.times[0] == UNTIL / 2


def test_an_embedding_is_solved_on_its_quadrature():
    embedding = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.5)
    run = nr.solve(problem(3), embedding, 1.0, nodes=8, rule="sobol", key=3, save_at=1)
    same = nr.solve(problem(3), embedding.quadrature(8, "sobol", 3), 1.0, save_at=1)
    for a, b in zip(run.network.weights, same.network.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert "sobol" in run.report.ensemble


@pytest.mark.parametrize("wide", [False, True])
def test_either_precision_is_kept_and_the_default_is_single(wide, exact):
    with jax.enable_x64(wide):
        run = nr.solve(problem(3), start(3), UNTIL, rtol=1e-5, atol=1e-7, save_at=1)
        assert {w.dtype for w in run.network.weights} == {np.dtype("f8" if wide else "f4")}
        assert distance(run.network, exact[3][-1]) < 1e-4


def test_a_constant_step_that_diverges_keeps_what_was_finite():
    weights, _ = random_case(1, (3, 4))
    linear = nr.Network(weights, "identity")
    given = nr.Problem(LAWS.Empirical(X, 10 * Y), nr.losses.Squared())
    with pytest.raises(nr.DivergenceError, match="t = ") as caught:
        nr.solve(given, linear, 100.0, solver=diffrax.Euler(), step=1.0, save_at=100)
    kept = caught.value.trajectory
    assert kept.times[-1] < caught.value.time <= 100
    assert f"{caught.value.time:g}" in str(caught.value)
    assert all(np.isfinite(w).all() for w in kept.network.weights)
    assert np.isfinite(kept.loss).all()
    assert kept.loss[-1] > kept.loss[0]


def test_tolerances_out_of_reach_are_named():
    with pytest.raises(nr.InvalidInput, match="rtol"):
        nr.solve(problem(3), start(3), UNTIL, rtol=1e-9, atol=1e-11, save_at=1, max_steps=5)

"""Records within steps: as accurate as the steps, which they do not change."""

import functools

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from products import some

import neuronal as nr
from neuronal.drivers.ode import path
from neuronal.drivers.ode.runge_kutta import between, tableau
from neuronal.drivers.recording import Calls, record
from neuronal.drivers.trajectory import Trajectory
from neuronal.dynamics import layer_norms

pytestmark = pytest.mark.usefixtures("float64")

UNTIL = 10.0
SOLVERS = {
    "Tsit5": (diffrax.Tsit5(), 4),
    "Dopri5": (diffrax.Dopri5(), 4),
    "Dopri8": (diffrax.Dopri8(), 5),
    "Bosh3": (diffrax.Bosh3(), 3),
    "Heun": (diffrax.Heun(), 2),
    "Midpoint": (diffrax.Midpoint(), 1),
    "Ralston": (diffrax.Ralston(), 1),
    "Euler": (diffrax.Euler(), 1),
}
"""Solvers and the orders of their dense output."""


@functools.cache  # one object, so that its compiled code is found again
def problem(decay=0.05):
    inputs = nr.distributions.Biased(nr.distributions.Uniform())
    law = nr.distributions.Regression(lambda x: jnp.sin(4 * x[:, 0]), inputs)
    return nr.Problem(law, nr.losses.PseudoHuber(), decay=decay)


def solved(kernel="dense", rtol=1e-4, **how):
    """A run and its networks at the records."""
    x = problem().quadrature(16)[0]
    embedding = nr.embeddings.Bidirectional(2, 4, rank=3, input_scale=2.0, spread=0.5, inputs=x)
    seen = []
    how = {"nodes": 24, "data_nodes": 8, "until": UNTIL, "atol": rtol / 100} | how
    watch = lambda t, loss, network: seen.append(network)
    return nr.solve(problem(), embedding, rtol=rtol, kernel=kernel, progress=watch, **how), seen


@pytest.fixture(scope="module")
def reference():
    """The same to a tolerance of 1e-11, whose steps are shorter than the time between records."""
    with jax.enable_x64(True):
        return solved(rtol=1e-11)


def distance(a, b):
    """The worst layer's, in the norms of the measures, relative to the layer."""
    gap = tuple(x - y for x, y in zip(a.matrices, b.matrices, strict=True))
    return float(jnp.max(layer_norms(gap, b.measures) / layer_norms(b.matrices, b.measures)))


@pytest.mark.parametrize("name", SOLVERS)
def test_dense_output_satisfies_the_order_conditions_of_quadrature(name):
    r"""$\sum_i b_i(\theta) c_i^q = \theta^{q+1} / (q+1)$ for q below the order, and the step at 1."""
    solver, order = SOLVERS[name]
    method = tableau(solver)
    for share in (0.0, 0.3, 0.8, 1.0):
        b = np.asarray(between(solver, jnp.asarray(share)))
        for q in range(order):
            np.testing.assert_allclose(b @ method.nodes**q, share ** (q + 1) / (q + 1), atol=1e-11)
    np.testing.assert_allclose(b, method.solution, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "most"), [("dense", 0.5), ("factored", 4.0)])
@pytest.mark.parametrize("rtol", [1e-3, 1e-5, 1e-7])
def test_records_within_steps_are_as_accurate_as_the_ends_of_steps(kernel, most, rtol, reference):
    run, networks = solved(kernel, rtol)
    exact, at_records = reference
    assert run.report.steps < 40  # most records lie within a step
    within = max(distance(a, b) for a, b in zip(networks, at_records, strict=True))
    ends = [(run.network.with_weights(k.state.weights), k.time) for k in run._states]
    at_ends = max(distance(network, exact.at(t)) for network, t in ends)
    assert within < min(most * rtol, 1.5 * at_ends + 0.1 * rtol)
    np.testing.assert_allclose(run.loss, exact.loss, rtol=0, atol=0.5 * rtol)
    for loss, network in zip(run.loss, networks, strict=True):
        assert abs(loss - problem().risk(network, 8)) < 0.01 * rtol


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_steps_are_those_of_a_run_with_one_record(kernel):
    runs = [solved(kernel, save_at=records)[0] for records in (1, 7, 64, 500)]
    steps = [(run.report.steps, run.report.rejected) for run in runs]
    assert len(set(steps)) == 1
    for run in runs[1:]:
        assert distance(run.network, runs[0].network) < 1e-9


def test_many_records_in_a_step_are_those_each_computed_alone(monkeypatch):
    many = solved(rtol=1e-3, save_at=300)[0]
    monkeypatch.setattr(path, "POINTS", 1000)
    alone = solved(rtol=1e-3, save_at=300)[0]
    np.testing.assert_allclose(many.loss, alone.loss, rtol=1e-6)
    assert np.any(many.loss != alone.loss)  # not computed in the same way


def test_too_coarse_points_are_not_used(monkeypatch):
    alone = solved(rtol=1e-3, save_at=300)[0]
    monkeypatch.setattr(path, "POINTS", 3)
    few = solved(rtol=1e-3, save_at=300)[0]
    np.testing.assert_allclose(few.loss, alone.loss, atol=1e-4)


def test_a_constant_step_is_not_cut_at_records():
    """Gradient descent, and straight lines between its iterates."""
    how = {"solver": diffrax.Euler(), "step": 0.25, "until": 1.0}
    run, networks = solved(save_at=[0.3, 0.4, 0.6], **how)
    iterates, exact = solved(save_at=4, **how)
    assert run.report.steps == iterates.report.steps == 4
    line = [0.8 * a + 0.2 * b for a, b in zip(exact[1].matrices, exact[2].matrices, strict=True)]
    for w, expected in zip(networks[1].matrices, line, strict=True):
        np.testing.assert_allclose(w, expected, atol=1e-12)
    assert distance(run.network, iterates.network) < 1e-12


def test_solvers_without_dense_output_end_steps_at_records():
    class Wrapped(diffrax.AbstractWrappedSolver, diffrax.AbstractAdaptiveSolver):
        """Of no tableau that could be seen."""

        solver: diffrax.AbstractSolver = diffrax.Tsit5()
        term_structure = diffrax.Tsit5.term_structure
        interpolation_cls = diffrax.Tsit5.interpolation_cls

        def order(self, terms):
            return 5

        def init(self, *at):
            return self.solver.init(*at)

        def step(self, *at, **how):
            return self.solver.step(*at, **how)

        def func(self, *at):
            return self.solver.func(*at)

    run, networks = solved(solver=Wrapped(), save_at=20)
    _, at_records = solved(rtol=1e-9, save_at=20)
    assert run.report.steps >= 20
    for network, expected in zip(networks, at_records, strict=True):
        assert distance(network, expected) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_a_run_taken_up_behind_any_of_its_steps_gives_the_same_bits(kernel):
    """From the state, its time and the pace alone; also where records lie within the step after it."""
    whole, _ = solved(kernel)
    driver, times = whole._driver, list(whole.times)
    states = []
    on_state = lambda state, pace, t: states.append((state, pace, t))
    start = whole.at(0.0)

    def run(**at) -> Trajectory:
        return record(driver, start, times, nr.Report("", ""), Calls(on_state=on_state), **at)

    first = run()
    ends = states.copy()
    assert any(t not in times for _, _, t in ends)
    for state, pace, t in ends[1:-1:3]:
        rest = run(state=state, pace=pace, since=t)
        left = len(rest.times) - 1
        np.testing.assert_array_equal(rest.loss[1:], first.loss[-left:])
        for a, b in zip(jax.tree.leaves(rest.state), jax.tree.leaves(first.state), strict=True):
            np.testing.assert_array_equal(a, b)


def test_networks_between_records_are_solved_to():
    run, networks = solved(rtol=1e-6)
    _, expected = solved(rtol=1e-9)
    for i in (5, 23, 64):
        assert distance(run.at(run.times[i]), expected[i]) < 1e-6
    x = problem().quadrature(8)[0]
    predictions = np.stack([network(x) for network in expected])
    np.testing.assert_allclose(run.predict(x), predictions, atol=1e-6)
    again = list(run.networks())
    np.testing.assert_allclose(np.stack([at(x) for at in again]), predictions, atol=1e-6)
    assert distance(networks[64], run.network) == distance(again[64], run.network) == 0


@pytest.mark.parametrize("budget", [1, 2**31])
def test_records_are_looked_at_in_the_steps_of_the_run(budget, monkeypatch):
    """However few of its states are kept: every record is in a step made once, the same to the bit."""
    whole, networks = solved(rtol=1e-3)
    steps, advance = [], whole._driver.advance

    def counted(*arguments):
        segment = advance(*arguments)
        steps.append(segment.steps)
        return segment

    monkeypatch.setattr(whole._driver, "advance", counted)
    start, times, report = whole.at(0.0), list(whole.times), nr.Report("", "")
    run = record(whole._driver, start, times, report, budget=budget)
    assert report.steps < len(times) / 2
    x = problem().quadrature(8)[0]
    for look in (lambda: run.predict(x), lambda: list(run.networks())):
        steps.clear()
        look()
        # The last step may hold the last record alone, which is a state kept.
        assert report.steps - 1 <= sum(steps) <= report.steps
    for network, expected in zip(run.networks(), networks, strict=True):
        assert distance(network, expected) == 0
    # More records than points of the interpolation lie in some step.
    steps_with_records = [held for _, held in run._replayed() if isinstance(held, path.StepPath)]
    assert len(times) > (path.POINTS + 1) * len(steps_with_records)
    expected = np.stack([network(x) for network in networks])
    np.testing.assert_allclose(run.predict(x), expected, atol=1e-4 * abs(expected).max())


@pytest.mark.slow
def test_velocities_of_a_step_are_let_go_of_before_the_next():
    """Where records are told, what is alive of matrices is the states kept, of 64 records in 8 steps."""
    whole, _ = solved(rtol=1e-3, nodes=(23, 29, 31))
    assert len(whole._states) > 5
    start, found = whole.at(0.0), []

    def count(state, pace, t):
        found.append(sum(a.shape == (23, 29) for a in jax.live_arrays()))

    before = sum(a.shape == (23, 29) for a in jax.live_arrays())
    calls = Calls(on_record=lambda t, loss, network: None, on_state=count)
    record(whole._driver, start, list(whole.times), nr.Report("", ""), calls)
    assert max(np.diff([before, *found])) <= 2


@pytest.mark.parametrize(
    ("kernel", "solver"),
    some(
        (["dense", "factored"], ["Tsit5", "Dopri5", "Dopri8"]),
        [("factored", "Tsit5"), ("dense", "Dopri5"), ("dense", "Dopri8")],
    ),
)
def test_either_precision_has_records_within_steps_after_the_other(kernel, solver):
    """In one process, as numbers of a tableau are kept by the precision first asked for."""
    losses = []
    for double in (False, True, False):
        with jax.enable_x64(double):
            run, networks = solved(kernel, 1e-3, solver=SOLVERS[solver][0], save_at=20)
            assert networks[7].weights[0].dtype == run.network.weights[0].dtype
            losses.append(run.loss)
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-5)
    np.testing.assert_array_equal(losses[0], losses[2])

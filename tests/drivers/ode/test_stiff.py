"""Stiff gradient flows: the stabilised stepper on matrices and factors, and the switch to it."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_reference import Reference, flatten, random_case, unflatten
from scipy.integrate import solve_ivp

import neuronal as nr
from neuronal.drivers.driver import State
from neuronal.drivers.ode import switching
from neuronal.drivers.ode.choice import stepper_for
from neuronal.drivers.ode.solve import ODESettings, prepare
from neuronal.drivers.ode.stepper import RightHandSide
from neuronal.drivers.ode.stiffness import spectral_radius
from neuronal.drivers.storage import network_as_factors

pytestmark = pytest.mark.usefixtures("float64")

UNTIL = 8.0
WIDTHS, NAMES = (5, 4, 3), ("tanh", "tanh", "tanh", "identity")
RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(6, 2)), RNG.normal(size=(6, 1))
RATE = 40.0


def rate(t):
    return RATE + 0 * t


PROBLEM = nr.Problem(nr.distributions.Empirical(X, Y), nr.losses.PseudoHuber(), rate, decay=0.05)
PLAIN = nr.Problem(nr.distributions.Empirical(X, Y), nr.losses.PseudoHuber(), rate)
"""A schedule of 40 makes the flow 40 times as stiff."""


def start():
    weights, measures = random_case(4, WIDTHS, scale=2.0)
    return nr.Network(weights, NAMES, measures)


def velocity(flat, decay=0.0):
    weights, measures = random_case(4, WIDTHS, scale=2.0)
    reference = Reference(measures, NAMES, "pseudo_huber")
    q = np.full(len(X), 1 / len(X))
    own = flatten(reference.velocity(unflatten(flat, weights), [RATE] * 4, X, Y, q))
    return own - RATE * decay * flat


@pytest.fixture(scope="module")
def exact():
    """Weights at UNTIL by SciPy's implicit methods, which agree."""
    weights, _ = random_case(4, WIDTHS, scale=2.0)
    ends = [
        solve_ivp(
            lambda t, y: velocity(y), (0, UNTIL), flatten(weights), method, rtol=1e-8, atol=1e-10
        ).y[:, -1]
        for method in ("Radau", "BDF")
    ]  # fmt: skip
    np.testing.assert_allclose(*ends, rtol=1e-4, atol=1e-5)
    return ends[0]


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_the_error_of_a_stiff_flow_follows_the_tolerance_to_radaus_solution(kernel, exact):
    errors, steps = [], []
    for rtol in (1e-2, 1e-4, 1e-6):
        run = nr.solve(
            PLAIN, start(), UNTIL, rtol=rtol, atol=rtol / 10, solver="rkc", kernel=kernel, save_at=1
        )
        found = flatten([np.asarray(w) for w in run.network.matrices])
        errors.append(np.linalg.norm(found - exact) / np.linalg.norm(exact))
        steps.append(run.report.steps)
        assert errors[-1] < 50 * rtol
        assert run.report.work.velocities > run.report.steps
    assert errors == sorted(errors, reverse=True)
    assert steps == sorted(steps)


@pytest.mark.slow
@pytest.mark.parametrize("problem", [PLAIN, PROBLEM])
@pytest.mark.parametrize("rows", [None, 8])
@pytest.mark.parametrize("factored", [False, True])
def test_the_spectral_radius_is_that_of_the_jacobian(problem, rows, factored):
    weights, _ = random_case(4, WIDTHS, scale=2.0)
    flat, decay = flatten(weights), 0.05 if problem is PROBLEM else 0.0
    steps = 1e-6 * np.eye(len(flat))
    jacobian = np.stack([(velocity(flat + e) - velocity(flat - e)) / 2e-6 for e in steps], axis=1)
    radius = np.max(np.abs(np.linalg.eigvals(jacobian))) + RATE * decay
    network = start()
    if factored:
        network = network_as_factors(network)
    right_hand_side = RightHandSide(
        problem.motion(network), problem.quadrature(8), jnp.asarray(0.0)
    )
    zero = jnp.asarray(0.0)
    found = spectral_radius(
        right_hand_side, zero, network.weights, network.measures,
        right_hand_side(zero, network.weights), rows=rows, enough=1e-3,
    )  # fmt: skip
    assert 0.97 * radius < float(found.radius) < 1.001 * radius


def switched(until=UNTIL, **how):
    return nr.solve(PROBLEM, start(), until, rtol=1e-3, atol=1e-5, save_at=1, **how)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_the_method_changes_where_stability_holds_steps_back_and_the_report_says_so(kernel):
    auto = switched(3 * UNTIL, kernel=kernel)
    tsit5 = switched(3 * UNTIL, solver="tsit5", kernel=kernel)
    assert auto.report.steps < tsit5.report.steps / 2
    assert len(auto.report.solver) == 1
    assert "RKC, as stability held steps back, spectral radius" in str(auto.report)
    assert not tsit5.report.solver
    np.testing.assert_allclose(auto.network(X), tsit5.network(X), atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_a_run_that_is_not_stiff_is_that_of_tsit5_up_to_roundings(kernel):
    tight = {"kernel": kernel, "rtol": 1e-7, "atol": 1e-9, "save_at": [0.0, 0.1, 0.4]}
    runs = [nr.solve(PROBLEM, start(), 0.4, solver=s, **tight) for s in ("auto", "tsit5")]
    assert runs[0].report.steps > switching.FIRST_CHECK
    assert runs[0].report.steps == runs[1].report.steps
    for a, b in zip(*(jax.tree.leaves(run.network.weights) for run in runs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    assert not runs[0].report.solver


def test_what_measures_the_radius_is_compiled_only_where_there_are_steps_to_save(monkeypatch):
    jax.clear_caches()
    traced = []

    def spied(*arguments, **how):
        traced.append(arguments)
        return spectral_radius(*arguments, **how)

    monkeypatch.setattr(switching, "spectral_radius", spied)
    easy = nr.solve(PROBLEM, start(), 0.4, rtol=1e-6, atol=1e-8, save_at=1)
    assert easy.report.steps > switching.FIRST_CHECK and not traced
    assert switched(3 * UNTIL).report.solver and len(traced) == 1
    jax.clear_caches()


@pytest.mark.slow
def test_the_method_changes_back_where_few_stages_would_do():
    """From t = 4 on the rate oscillates, so that accuracy asks for steps far shorter than stability."""
    waves = lambda t: jnp.where(t < 4, RATE, 1 + 0.9 * jnp.sin(60 * t))
    problem = nr.Problem(PLAIN.distribution, nr.losses.PseudoHuber(), waves)
    auto, tsit5 = (
        nr.solve(problem, start(), 7.0, rtol=1e-4, atol=1e-6, save_at=1, solver=s)
        for s in ("auto", "tsit5")
    )
    there, back = auto.report.solver
    assert "RKC" in there and float(there.split()[-1]) < 4
    assert "Tsit5" in back and 4 < float(back.split()[-1]) < 6
    np.testing.assert_allclose(auto.network(X), tsit5.network(X), atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["dense", "factored"])
@pytest.mark.parametrize("solver", ["rkc", "auto"])
def test_a_run_taken_up_from_any_record_with_its_pace_gives_the_same_bits(solver, kernel):
    settings = ODESettings(1e-3, 1e-5, kernel, solver, None, 8)

    def prepared(times):
        return prepare(PROBLEM, start(), (8, "sobol", 0), settings, (times, times[0], times[-1]))

    times, kept = np.linspace(0, UNTIL, 9), []
    whole = prepared(times).record(on_state=lambda *state: kept.append(state))
    for state, pace, t in (kept[1], kept[len(kept) // 2]):
        saved = {name: np.asarray(value) for name, value in pace.items()}
        arrays = State(jax.tree.map(jnp.asarray, state.weights))
        rest = prepared(times).record(state=arrays, pace=saved, since=t)
        for a, b in zip(
            jax.tree.leaves(whole.network.weights),
            jax.tree.leaves(rest.network.weights),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
    assert "radius" in kept[-1][1]


def test_names_of_solvers_are_words_or_solvers_of_diffrax():
    by_name, by_class = (switched(1.0, solver=s) for s in ("rkc", nr.RKC()))
    np.testing.assert_array_equal(by_name.network.weights[0], by_class.network.weights[0])
    with pytest.raises(nr.InvalidInput, match="solver: 'stiff' is none of auto, rkc"):
        switched(solver="stiff")
    constant = nr.solve(PROBLEM, start(), 1.0, step=0.01, save_at=1)
    same = nr.solve(PROBLEM, start(), 1.0, step=0.01, save_at=1, solver=diffrax.Tsit5())
    np.testing.assert_array_equal(constant.network.weights[0], same.network.weights[0])


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_weights_within_a_step_are_those_of_a_run_that_ends_there(kernel):
    """To the local error of third order; the ends are those of the step."""
    fine = jnp.asarray(1e-10)
    stepper, network = stepper_for(nr.RKC(), kernel, start(), (fine, fine), PROBLEM.quadrature(8))
    right_hand_side = RightHandSide(
        PROBLEM.motion(network), PROBLEM.quadrature(8), jnp.asarray(0.0)
    )
    t, h = jnp.asarray(0.0), jnp.asarray(2e-4)

    @jax.jit
    def step(weights, h):
        state = stepper.start(right_hand_side, t, h, weights)
        return stepper.step(right_hand_side, network.measures, t, h, weights, state)

    tried = step(network.weights, h)
    assert bool(tried.fits)
    matrices = lambda weights: network.with_weights(weights).matrices
    for share in (0.0, 0.3, 1.0):
        there = matrices(stepper.between(tried.weights, tried.state, jnp.asarray(share)))
        expected = matrices(step(network.weights, share * h).weights if share else network.weights)
        for a, b, w in zip(there, expected, matrices(network.weights), strict=True):
            assert np.max(np.abs(a - b)) < 5e-8
            assert share == 0 or np.max(np.abs(b - w)) > 1e-5


@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_refused_steps_are_counted_across_records_and_not_where_room_was_short(kernel):
    method = ODESettings(1e-3, 1e-5, kernel, "auto", None, 8).method
    tolerances = jnp.asarray(1e-3), jnp.asarray(1e-5)
    data = PROBLEM.quadrature(8)
    stepper, network = stepper_for(method, kernel, start(), tolerances, data)
    assert isinstance(stepper, switching.Switching)
    zero = jnp.zeros(())
    right_hand_side = RightHandSide(PROBLEM.motion(network), data, zero)
    state = stepper.start(right_hand_side, zero, zero + 0.1, network.weights)
    state = state._replace(tried=state.tried + 7, refused=state.refused + 3)
    for keep, expected in ((True, 3), (False, 4)):
        after = stepper.carry_over(state, state, jnp.asarray(keep))
        assert int(stepper.with_pace(stepper.pace(after)).counts.refused) == expected
    assert int(stepper.with_pace(stepper.pace(state)).counts.tried) == 7
    assert int(stepper.with_more_room(network, after)[0].counts.refused) == 3

"""What every stepper of the MF ODE has to do: a new one passes by being listed in `STEPPERS`."""

import functools
import itertools

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.drivers.ode.choice import solver_named, stepper_for
from neuronal.drivers.ode.factored import factored_start
from neuronal.drivers.ode.matrices import DenseRungeKutta
from neuronal.drivers.ode.stepper import AbstractStepper, Dense, RightHandSide, Step
from neuronal.dynamics import layer_norms

pytestmark = pytest.mark.usefixtures("float64")

TOLERANCE = 1e-12


def dense(network, data):
    return DenseRungeKutta(diffrax.Tsit5()), network.with_weights(network.matrices)


def of_diffrax(network, data):
    return Dense(diffrax.Tsit5()), network.with_weights(network.matrices)


def of_factors(network, data):
    fine = jnp.asarray(TOLERANCE)
    return factored_start(network, diffrax.Tsit5(), fine, fine, data)


class Midpoint(AbstractStepper):
    """A user's own: a step at the velocity half a step ahead, its error against Euler's method."""

    solver: diffrax.AbstractSolver = diffrax.Midpoint()

    def start(self, right_hand_side, t, t_next, weights):
        return None

    def error_scale(self, weights, measures):
        return weights

    def step(self, right_hand_side, measures, t, t_next, weights, state):
        def moved(at, time, h):
            speeds = [c.velocity(w) for c, w in zip(right_hand_side(time, at), at, strict=True)]
            return tuple(w + h * v for w, v in zip(weights, speeds, strict=True))

        h = t_next - t
        after = moved(moved(weights, t, h / 2), t + h / 2, h)
        error = jax.tree.map(jnp.subtract, after, moved(weights, t, h))
        return Step(after, error, state, jnp.asarray(True))

    def carry_over(self, new, old, keep):
        return new

    def first_step(self, right_hand_side, weights, measures, controller):
        return jnp.asarray(0.01)


def own(network, data):
    return Midpoint(), network.with_weights(network.matrices)


def stabilised(network, data):
    fine = jnp.asarray(TOLERANCE)
    return stepper_for(
        nr.RKC(), "dense", network.with_weights(network.matrices), (fine, fine), data
    )


def stabilised_factors(network, data):
    fine = jnp.asarray(1e-6)  # far below the errors of a method of second order
    return stepper_for(nr.RKC(), "factored", network, (fine, fine), data)


def switching(network, data):
    fine = jnp.asarray(TOLERANCE)
    dense = network.with_weights(network.matrices)
    return stepper_for(solver_named("auto"), "dense", dense, (fine, fine), data)


STEPPERS = {
    "dense": (dense, 5),
    "diffrax": (of_diffrax, 5),
    "factored": (of_factors, 5),
    "own": (own, 2),
    "stabilised": (stabilised, 2),
    "stabilised factors": (stabilised_factors, 2),
    "switching": (switching, 5),
}
"""What makes each of a network with factored weights and samples, and its order."""


@functools.cache  # one problem, so that its compiled code is found again
def setting(name):
    inputs = nr.distributions.Biased(nr.distributions.Uniform())
    law = nr.distributions.Regression(lambda x: jnp.sin(3 * x[:, 0]), inputs)
    problem = nr.Problem(law, nr.losses.PseudoHuber(), decay=0.3)
    embedding = nr.embeddings.Bidirectional(2, 4, rank=3, inputs=problem.quadrature(16)[0])
    data = problem.quadrature(10)
    network = embedding.quadrature(40, kernel="factored")
    stepper, network = STEPPERS[name][0](network, data)
    return problem, data, stepper, network


@eqx.filter_jit
def one_step(stepper, right_hand_side, measures, t, t_next, weights, state):
    return stepper.step(right_hand_side, measures, t, t_next, weights, state)


@functools.cache
def step(name, h, divisions=1):
    """The weights after a time h in equal steps, and the last step; with more room while there is none."""
    problem, data, stepper, network = setting(name)
    start = network
    while True:
        right_hand_side = RightHandSide(problem.motion(network), data, jnp.asarray(0.0))
        weights, t = network.weights, jnp.asarray(0.0)
        state = stepper.start(right_hand_side, t, t + h / divisions, weights)
        for _ in range(divisions):
            tried = one_step(
                stepper, right_hand_side, network.measures, t, t + h / divisions, weights, state
            )
            if not bool(tried.fits):
                break
            weights, state, t = tried.weights, tried.state, t + h / divisions
        else:
            return start, network.with_weights(weights), tried, stepper
        stepper, network = stepper.with_more_room(network, tried.state)


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPPERS)
def test_halving_a_step_divides_its_error_as_the_order_says(name):
    fine = step(name, 0.8, 32)[1].matrices
    errors = [
        max(
            float(np.max(np.abs(a - b)))
            for a, b in zip(step(name, 0.8, n)[1].matrices, fine, strict=True)
        )
        for n in (1, 2, 4)
    ]
    for coarse, finer in itertools.pairwise(errors):
        assert np.log2(coarse / finer) > STEPPERS[name][1] - 0.7


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPPERS)
def test_within_a_step_the_weights_are_as_accurate_as_its_end(name):
    if not setting(name)[2].interpolates:  # its steps end at records
        return

    def error(h, share):
        """Of the weights at a share of a step of length h."""
        start, after, tried, stepper = step(name, h)
        there = stepper.between(tried.weights, tried.state, jnp.asarray(share))
        exact = step(name, share * h, 16)[1] if share else start
        pairs = zip(after.with_weights(there).matrices, exact.matrices, strict=True)
        return max(float(np.max(np.abs(a - b))) for a, b in pairs)

    assert error(0.4, 0.0) < 1e-11
    assert np.log2(error(0.8, 0.6) / error(0.4, 0.6)) > STEPPERS[name][1] - 0.7


@pytest.mark.parametrize("name", STEPPERS)
def test_errors_are_told_in_the_form_of_their_scale(name):
    """The estimate is of the size of the error of the method of lower order: positive, and small."""
    start, after, tried, stepper = step(name, 0.4)
    scale = stepper.error_scale(after.weights, after.measures)
    assert jax.tree.structure(scale) == jax.tree.structure(tried.error)
    norms = lambda a: layer_norms(a, start.measures) if isinstance(a, tuple) else a
    shares = np.asarray(norms(tried.error)) / np.asarray(norms(scale))
    assert np.all(shares > 0)
    assert np.all(shares < 0.4 ** STEPPERS[name][1])  # of the size of a power of the step


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPPERS)
def test_a_first_step_is_positive_and_a_refused_step_changes_no_state(name):
    problem, data, stepper, network = setting(name)
    right_hand_side = RightHandSide(problem.motion(network), data, jnp.asarray(0.0))
    control = diffrax.PIDController(
        rtol=1e-6, atol=1e-8, norm=lambda e: jnp.max(layer_norms(e, network.measures))
    )
    first = eqx.filter_jit(stepper.first_step)(
        right_hand_side, network.weights, network.measures, control
    )
    assert 0 < float(first) < 10
    t = jnp.asarray(0.0)
    state = stepper.start(right_hand_side, t, t + first, network.weights)
    tried = one_step(
        stepper, right_hand_side, network.measures, t, t + first, network.weights, state
    )
    kept = stepper.carry_over(tried.state, state, jnp.asarray(False))
    assert jax.tree.structure(kept) == jax.tree.structure(state)
    assert np.all(np.asarray(stepper.discarded(kept)) == np.asarray(stepper.discarded(state)))

"""The loop that runs a driver: states kept whole, whatever the motion carries."""

import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.drivers.driver import Driver, Segment, State
from neuronal.drivers.recording import record

pytestmark = pytest.mark.usefixtures("float64")


def oscillator():
    """dw = v dt, dv = -w dt of every weight, exactly: its state is weights and velocities."""

    def advance(state, pace, t0, t1, end=None):
        angle = t1 - t0
        c, s = np.cos(angle), np.sin(angle)
        v = [state.memory[f"velocity_{i}"] for i in range(len(state.weights))]
        weights = tuple(c * w + s * u for w, u in zip(state.weights, v, strict=True))
        memory = {
            f"velocity_{i}": c * u - s * w
            for i, (w, u) in enumerate(zip(state.weights, v, strict=True))
        }
        return Segment(State(weights, memory), None, t1, True, steps=1)

    return Driver(advance, lambda state: float(jnp.sum(state.weights[0] ** 2)))


def test_a_state_asked_for_between_records_has_its_memory():
    rng = np.random.default_rng(0)
    network = nr.Network([rng.normal(size=(4, 2)), rng.normal(size=(4, 1))])
    memory = {
        f"velocity_{i}": jnp.asarray(rng.normal(size=w.shape))
        for i, w in enumerate(network.weights)
    }
    report = nr.Report("an oscillator", "four neurons")
    run = record(
        oscillator(), network, [0.0, 1.0, 2.5, 4.0], report, state=State(network.weights, memory)
    )
    for t in (0.0, 0.7, 1.0, 2.0, 3.9, 4.0):
        for i, w in enumerate(run.at(t).weights):
            expected = np.cos(t) * network.weights[i] + np.sin(t) * memory[f"velocity_{i}"]
            np.testing.assert_allclose(w, expected, atol=1e-12)
    for i, w in enumerate(network.weights):
        velocity = np.cos(4.0) * memory[f"velocity_{i}"] - np.sin(4.0) * w
        np.testing.assert_allclose(run.state.memory[f"velocity_{i}"], velocity, atol=1e-12)

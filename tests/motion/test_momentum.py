"""The heavy ball against closed forms, conserved energy, PyTorch step by step, and itself run again."""

import copy

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg

import neuronal as nr
from neuronal.drivers.ode import solve as ode
from neuronal.drivers.sgd import train as sgd

pytestmark = pytest.mark.usefixtures("float64")

TIMES = np.linspace(0, 2, 5)
X = np.array([[1.0, 0.2], [-0.5, 1.0], [0.3, -0.8], [-1.1, -0.4]])
Y = np.array([0.5, -1.0, 0.8, 0.1])
SECOND, CROSS = X.T @ X / len(X), X.T @ Y / len(X)
LAW = nr.distributions.Empirical(X, Y)
FRICTION, DECAY = 0.6, 0.3
FINE = {"rtol": 1e-11, "atol": 1e-13}


def linear(friction=FRICTION, decay=DECAY):
    """One hidden layer, of which w_1 moves alone, with w_2 = 1: its mean is the predictor."""
    first = np.random.default_rng(0).normal([0.5, -1.0], size=(30, 2))
    network = nr.Network([first, np.ones((30, 1))], "identity")
    rates = [nr.schedules.constant(), nr.schedules.Frozen()]
    return nr.Problem(LAW, nr.losses.Squared(), rates, decay, momentum=friction), network


def exact_mean(start, t):
    """m'' = -gamma m' + CROSS - (SECOND + lambda) m, by an exponential with a constant coordinate."""
    matrix = np.zeros((5, 5))
    matrix[:2, 2:4] = np.eye(2)
    matrix[2:4, :2] = -(SECOND + DECAY * np.eye(2))
    matrix[2:4, 2:4] = -FRICTION * np.eye(2)
    matrix[2:4, 4] = CROSS
    return (linalg.expm(t * matrix) @ [*start, 0, 0, 1])[:4]


def mean(network):
    return np.asarray(network.weights[0]).mean(axis=0)


def test_a_linear_neuron_moves_as_its_closed_form():
    problem, network = linear()
    run = nr.solve(problem, network, TIMES[-1], save_at=TIMES[1:], **FINE)
    for t in [*TIMES, 1.27]:
        state = run.state_at(t)
        expected = exact_mean(mean(network), t)
        np.testing.assert_allclose(mean(run.at(t)), expected[:2], atol=1e-9)
        if t > 0:
            speed = np.asarray(state.memory["velocity_1"]).mean(axis=0)
            np.testing.assert_allclose(speed, expected[2:], atol=1e-9)
    seen = []
    nr.solve(problem, network, 2.0, save_at=40, rtol=1e-8, atol=1e-10,
             progress=lambda t, loss, at: seen.append((t, mean(at))))  # fmt: skip
    for t, found in seen:  # most of them within steps
        np.testing.assert_allclose(found, exact_mean(mean(network), t)[:2], atol=1e-7)


@pytest.mark.parametrize(
    ("run", "order"),
    [
        (lambda p, n, h: nr.solve(p, n, 2.0, solver=diffrax.Heun(), step=h, save_at=1), 2),
        (lambda p, n, h: nr.solve(p, n, 2.0, solver="euler", step=h, save_at=1), 1),
        (lambda p, n, h: nr.train(p, n, h, 2.0, 0, data=stream(round(2 / h)), save_at=1), 1),
    ],
    ids=["heun", "euler", "sgd"],
)
def test_fixed_steps_tend_to_the_ode_at_their_order(run, order):
    problem, network = linear()
    expected = exact_mean(mean(network), 2.0)[:2]
    errors = [np.abs(mean(run(problem, network, h).network) - expected).max() for h in (0.04, 0.02)]
    assert errors[0] < 0.05
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.1)


def stream(steps):
    return np.tile(X, (steps, 1, 1)), np.tile(Y, (steps, 1))


def nonlinear(friction, decay=None, depth=3, last="identity"):
    embedding = nr.embeddings.Bidirectional(2, depth, rank=2, gain=1.5, last_activation=last)
    law = nr.distributions.Empirical(X, np.sin(3 * Y))
    rates = None if depth == 3 else [nr.schedules.warmup(1.0), *[nr.schedules.constant(0.7)] * 3]
    return nr.Problem(law, nr.losses.PseudoHuber(), rates, decay, momentum=friction), embedding


def energies(run):
    """The objective and half the square of the velocities in L^2(P), at all records."""
    p, q = (np.asarray(measure) for measure in run.network.measures)
    found = []
    for t, objective in zip(run.times, run.objective, strict=True):
        memory = run.state_at(t).memory
        square = 0.0
        if memory is not None:
            v_1, v_2, v_3 = (np.asarray(memory[f"velocity_{i}"]) ** 2 for i in (1, 2, 3))
            square = p @ v_1.sum(axis=1) + p @ v_2 @ q + q @ v_3.sum(axis=1)
        found.append(objective + square / 2)
    return found


def test_without_friction_energy_is_conserved_and_with_it_lost():
    kept = []
    for friction in (0.0, 0.5):
        problem, embedding = nonlinear(friction, 0.2)
        run = nr.solve(problem, embedding, 4.0, nodes=32, save_at=4, **FINE)
        kept.append(energies(run))
        assert np.ptp(run.objective) > 0.01
    np.testing.assert_allclose(kept[0], kept[0][0], rtol=1e-8)
    assert np.all(np.diff(kept[1]) < 0)


@pytest.mark.parametrize("batch", [1, 4])
def test_steps_are_those_of_torch(batch):
    """eps and gamma are PyTorch's rate eps^2, times the factors of width, and momentum 1 - eps gamma."""
    torch = pytest.importorskip("torch")
    from neuronal.interop.torch import from_torch, parameter_groups, to_torch

    eps, friction, decay = 0.1, 0.7, [0.3, 0.1, 0.2]
    rates = [nr.schedules.constant(0.5), nr.schedules.constant(2.0), nr.schedules.constant()]
    rng = np.random.default_rng(batch)
    x, y = rng.normal(size=(60, batch, 2)), rng.normal(size=(60, batch, 1))
    network = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.5).sample((7, 9), 0)
    problem = nr.Problem(LAW, nr.losses.Squared(), rates, decay, momentum=friction)
    run = nr.train(problem, network, eps, 60 * eps, 0, data=(x, y), save_at=60)
    model = to_torch(network)
    groups = parameter_groups(model, eps**2, rates, decay)
    optimiser = torch.optim.SGD(groups, momentum=1 - eps * friction)
    for k in range(60):
        optimiser.zero_grad()
        gap = model(torch.tensor(x[k])) - torch.tensor(y[k])
        (gap**2 / 2).sum(dim=1).mean().backward()
        optimiser.step()
        if k % 20 == 19:
            for ours, theirs in zip(
                run.at((k + 1) * eps).weights, from_torch(model).weights, strict=True
            ):
                np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("width", [40, 700])
def test_a_wide_layer_s_steps_are_the_same_sums(width):
    """At width 700 plain SGD would hold updates back."""
    problem, embedding = nonlinear(0.5, 0.2)
    network = embedding.sample(width, 0)
    x, y = (np.tile(np.asarray(a)[:1], (9, 1, 1)) for a in (X, np.sin(3 * Y)[:, None]))
    run = nr.train(problem, network, 0.1, 0.9, 0, data=(x, y), save_at=1)
    samples = nr.distributions.Samples(*map(jnp.asarray, (X[:1], np.sin(3 * Y)[:1, None], [1.0])))
    weights, speeds = network.weights, [0 * w for w in network.weights]
    for k in range(9):
        force = problem.motion(network).velocity(jnp.asarray(0.1 * k), weights, samples)
        speeds = [(1 - 0.05) * v + 0.1 * f for v, f in zip(speeds, force, strict=True)]
        weights = tuple(w + 0.1 * v for w, v in zip(weights, speeds, strict=True))
    for ours, theirs in zip(run.network.weights, weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [1, 3])
def test_neurons_are_carried_to_their_own_weights_and_back(layer):
    problem, embedding = nonlinear([0.4, 0.0, lambda t: 0.3 + 0.2 * t, 1.0], 0.2, depth=4)
    run = nr.solve(problem, embedding, 1.0, nodes=24, save_at=2, rtol=1e-9, atol=1e-11)
    pair = lambda weights: (
        weights[0][5] if layer == 1 else weights[layer - 1][:, 5],
        weights[layer][5],
    )
    memory = run.state.memory
    speeds = pair([memory[f"velocity_{i}"] for i in range(1, 5)])
    start, end = (pair(run.at(t).weights) for t in (0.0, 1.0))
    seen = nr.fields(run, layer, rtol=1e-8)
    how = {"rtol": 1e-9, "atol": 1e-11}
    forward = nr.flow(seen, layer, start, **how)
    at_rest = [0 * part for part in start]
    whole = nr.flow(seen, layer, (*start, *at_rest), **how)
    assert len(forward) == 2 and len(whole) == 4
    for ours, theirs in zip((*forward, *whole), (*end, *end, *speeds), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)
    back = nr.reverse_flow(seen, layer, whole, **how)
    for ours, theirs in zip(back, (*start, *at_rest), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)
    with pytest.raises(nr.InvalidInput, match="neuron: takes incoming and outgoing weights, and"):
        nr.flow(seen, layer, start[:1], **how)


@pytest.mark.slow
def test_the_integrated_equation_is_solved_and_picard_s_iterates_reach_it():
    problem, embedding = nonlinear(0.5, 0.2)
    run = nr.solve(problem, embedding, 1.0, nodes=24, save_at=2, rtol=1e-9, atol=1e-11)
    found = nr.residual(run)
    assert found.shape == (6,) and float(np.max(found)) < 1e-7
    iterates = nr.picard(problem, embedding, 1.0, 12, nodes=24)
    assert iterates.distances[-1] < 1e-8 < 1e-3 < iterates.distances[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ode", "sgd"])
def test_a_run_taken_up_again_goes_on_to_the_same_bits(kind):
    problem, embedding = nonlinear(0.5, 0.2)
    network = embedding.sample(12, 0)
    times = np.array([0.4, 0.8, 1.2])

    def prepared():
        if kind == "sgd":
            return sgd.prepare(problem, network, 0.1, (times, 0.0, 1.2), 0, data_nodes=4)
        settings = ode.ODESettings(1e-5, 1e-7, "auto", "auto", None, 4)
        return ode.prepare(problem, network, (8, "sobol", 0), settings, (times, 0.0, 1.2))

    states = []
    whole = prepared().record(on_state=lambda *given: states.append(given))
    middle = next(given for given in states if 0 < given[2] < 1.2)
    state, pace, t = jax.tree.map(lambda a: np.asarray(a), middle)
    again = prepared().record(
        state=jax.tree.map(jnp.asarray, state), pace=jax.tree.map(jnp.asarray, pace), since=float(t)
    )
    for one, other in zip(jax.tree.leaves(again.state), jax.tree.leaves(whole.state), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(jax.tree.leaves(whole.state)) == 6
    copied = copy.deepcopy(whole)
    for one, other in zip(copied.at(0.7).weights, whole.at(0.7).weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_momentum_cannot_have_is_named():
    problem, embedding = nonlinear(0.5)
    wide = embedding.sample(8, 0, kernel="factored")
    refused = {
        "kernel: momentum takes 'dense'": lambda: nr.solve(
            problem, embedding, 1.0, kernel="factored"
        ),
        "network: its weights are factored": lambda: nr.train(problem, wide, 0.1, 1.0, 0),
        "solver: with momentum": lambda: nr.solve(problem, embedding, 1.0, nodes=8, solver="rkc"),
        "problem: momentum is not expanded": lambda: nr.fluctuations(problem, embedding, 1.0, 8),
        "trajectory: has states at the ends": lambda: nr.fields(
            nr.solve(problem, embedding, 1.0, nodes=8, solver="euler", step=0.1, save_at=1), 1
        ),
        "momentum: takes one callable": lambda: nonlinear([0.1, 0.2])[0].check(embedding),
    }
    for says, call in refused.items():
        with pytest.raises(nr.InvalidInput, match=says):
            call()


@pytest.mark.slow
def test_a_certificate_tells_the_momentum_and_the_velocity_that_it_carries():
    problem, embedding = nonlinear(0.5)
    run = nr.solve(problem, embedding, 3.0, nodes=16, save_at=4)
    found = nr.certify(problem, embedding, run, nodes=16)
    speed = np.abs(run.state.memory["velocity_3"]).max()
    assert found["1.3 speed of w_3"].figure == pytest.approx(float(speed), rel=1e-6)
    row = found["2 motion"]
    assert row.status == "unknown" and "momentum" in row.how

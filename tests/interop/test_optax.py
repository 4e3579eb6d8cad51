"""Optax and Equinox: a loop of one's own takes the steps of `nr.train`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from streams import EPS, STEPS, far, network, schedules, stream, trained

import neuronal as nr
import neuronal.interop.optax as optax_module
from neuronal.interop.equinox import to_equinox
from neuronal.interop.optax import mean_field, scale_by_mean_field, trainable

LOSS = nr.losses.Squared()


def looped(start, optimiser, x, y, spec=True):
    """The loop: gradients of the batch's loss by autodiff, updates by the optimiser."""
    free, fixed = eqx.partition(start, spec)

    def loss(free, inputs, targets):
        return jnp.mean(LOSS(targets, eqx.combine(free, fixed)(inputs)))

    @eqx.filter_jit
    def step(free, state, inputs, targets):
        updates, state = optimiser.update(eqx.filter_grad(loss)(free, inputs, targets), state, free)
        return eqx.apply_updates(free, updates), state

    state = optimiser.init(free)
    for inputs, targets in zip(jnp.asarray(x), jnp.asarray(y), strict=True):
        free, state = step(free, state, inputs, targets)
    return eqx.combine(free, fixed)


@pytest.mark.parametrize(
    ("depth", "kind", "measures", "part"),
    [
        (2, "one", "weighted", "all"),
        (3, "constant", "uniform", "all"),
        (3, "in time", "weighted", "trainable"),
        (5, "in time", "weighted", "all"),
    ],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [("f4", 1e-5), ("f8", 1e-12)])
def test_a_loop_of_ones_own_takes_the_steps_of_train(dtype, tolerance, depth, kind, measures, part):
    x, y = stream(4, dtype)
    with jax.enable_x64(dtype == "f8"):
        start, xi = network(depth, dtype, measures), schedules(depth, kind)
        spec = trainable(start) if part == "trainable" else True
        own = looped(start, mean_field(start, EPS, xi), x, y, spec)
        ours = trained(start, xi, x, y)
        assert far(own, ours) < tolerance
        assert far(start, ours) > 1e-2  # it went somewhere
        assert all(map(np.array_equal, own.measures, start.measures))


@pytest.mark.parametrize("decay", [0.3, [0.2, lambda t: 0.5 * t, 0.1]])
def test_a_loop_decays_weights_as_train_does(decay):
    x, y = stream(4, "f8")
    with jax.enable_x64(True):
        start, xi = network(3, "f8", "weighted"), schedules(3, "in time")
        own = looped(start, mean_field(start, EPS, xi, decay), x, y)
        ours = trained(start, xi, x, y, decay)
        assert far(own, ours) < 1e-12
        assert far(trained(start, xi, x, y), ours) > 1e-2
        with pytest.raises(nr.InvalidInput, match="params: takes the network"):
            mean_field(start, EPS, xi, decay).update(
                start, optax_module.optax.ScaleByScheduleState(0)
            )


def test_scaled_gradients_are_sensitivities_times_values():
    """Delta^w_i averaged over the batch, from `Network`'s own passes."""
    with jax.enable_x64(True):
        start = network(5, "f8", "weighted")
        x, y = (a[0] for a in stream(4, "f8"))
        gradient = eqx.filter_jit(eqx.filter_grad(lambda n: jnp.mean(LOSS(y, n(x)))))(start)
        scaled, _ = scale_by_mean_field(start).update(gradient, optax.EmptyState())
        hidden = start.preactivations(x)[:-1]
        below = [phi(h) for phi, h in zip(start.activations[:-1], hidden, strict=True)]
        first, *others = start.sensitivities(x, y, LOSS)
        expected = [first.T @ x / 4]
        expected += [f.T @ g / 4 for f, g in zip(below, others, strict=True)]
        for ours, theirs in zip(scaled.weights, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)
        assert not any(p.any() for p in scaled.measures)


def test_a_layer_may_stay_as_it_is():
    x, y = stream(4, "f4")
    start = network(3, "f4")
    spec = eqx.tree_at(lambda n: n.weights[1], trainable(start), False)
    own = looped(start, mean_field(start, EPS), x, y, spec)
    xi = [nr.schedules.constant(v) for v in (1.0, 0.0, 1.0)]
    assert far(own, trained(start, xi, x, y)) < 1e-5
    assert np.array_equal(own.weights[1], start.weights[1])


def test_other_optimisers_leave_measures_alone():
    x, y = stream(4, "f4")
    start = network(3, "f4", "weighted")
    chain = optax.chain(scale_by_mean_field(start), optax.adam(0.01))
    own = looped(start, chain, x[:3], y[:3])
    assert all(map(np.array_equal, own.measures, start.measures))
    by_spec = looped(start, chain, x[:3], y[:3], trainable(start))
    assert far(own, by_spec) == 0 and far(start, own) > 0


def test_a_run_taken_up_again_goes_on_in_its_own_time():
    """The number of steps is in the state, as `since` is in `nr.train`."""
    x, y = stream(4, "f4")
    start, xi = network(3, "f4"), schedules(3, "in time")
    optimiser = mean_field(start, EPS, xi)
    resumed = optimiser._replace(init=lambda _: optax.ScaleByScheduleState(jnp.asarray(60)))
    problem = nr.Problem(nr.distributions.Empirical(x[0], y[0]), LOSS, xi)
    times = {"since": 60 * EPS, "until": STEPS * EPS}
    ours = nr.train(problem, start, EPS, key=0, data=(x, y), save_at=1, **times).network
    assert far(looped(start, resumed, x[60:], y[60:]), ours) < 1e-5
    assert far(looped(start, optimiser, x[60:], y[60:]), ours) > 1e-2


@pytest.mark.parametrize(
    ("depth", "measures", "bias"), [(2, "uniform", True), (5, "weighted", False)]
)
@pytest.mark.parametrize(("dtype", "tolerance"), [("f4", 1e-6), ("f8", 1e-12)])
def test_equinox_layers_predict_the_same(dtype, tolerance, depth, measures, bias):
    x = stream(8, dtype)[0][0]
    with jax.enable_x64(dtype == "f8"):
        there = network(depth, dtype, measures)
        model = to_equinox(there, bias=bias)
        predict = jax.jit(lambda rows: jax.vmap(model)(rows))
        prediction = predict(jnp.asarray(x[:, :-1] if bias else x))
        assert prediction.dtype == dtype
        np.testing.assert_allclose(prediction, there(x), rtol=tolerance, atol=tolerance)
        assert sum(isinstance(layer, eqx.nn.Linear) for layer in model.layers) == depth


EMBEDDING = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.0)
CARRIED = EMBEDDING.quadrature(4, carry=[EMBEDDING.latents(i, 1, 0) for i in (1, 2)])
START = network(3, "f4")
BAD = [
    (r"measures\[0\]: has neurons of measure zero", lambda: mean_field(CARRIED, 0.1)),
    (
        r"weights\[1\]: factored; take network\.with_weights",
        lambda: mean_field(EMBEDDING.sample(8, 0, kernel="factored"), 0.1),
    ),
    ("learning_rate: takes a positive", lambda: mean_field(START, np.nan)),
    (
        r"schedules: takes one callable, or one a layer \(3\)",
        lambda: mean_field(START, 0.1, nr.schedules.depth_balanced(4)),
    ),
    (
        "updates: takes a Network",
        lambda: mean_field(START, 0.1).update(START.weights, mean_field(START, 0.1).init(START)),
    ),
]


@pytest.mark.parametrize(("message", "call"), BAD)
def test_bad_input_is_one_message_that_names_it(message, call):
    with pytest.raises(nr.InvalidInput, match=f"^{message}"):
        call()


@pytest.mark.parametrize("rate", ["a", None, lambda k: 0.1, 0.0, -1.0, float("nan"), 10**400, 1j])
def test_rates_that_cannot_be_are_refused(rate):
    network = nr.embeddings.Bidirectional(2, 3, rank=4).sample(8, 0)
    with pytest.raises(nr.InvalidInput, match="^learning_rate: "):
        mean_field(network, rate)
    with pytest.raises(nr.InvalidInput, match="^schedules: "):
        mean_field(network, 0.1, 0.5)

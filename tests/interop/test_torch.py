"""PyTorch: the same predictions, the same steps, the same start, and what is refused."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import EPS, OUTPUTS, far, network, schedules, stream, trained

import neuronal as nr

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import prune  # noqa: E402

from neuronal.interop.sequential import MODULES, Erf, Weighted  # noqa: E402
from neuronal.interop.torch import (  # noqa: E402
    bidirectional_,
    from_torch,
    parameter_groups,
    to_torch,
)

PRECISION = {"f4": 1e-6, "f8": 1e-12}


def predict(model, x):
    with torch.no_grad():
        return model(torch.tensor(np.asarray(x))).numpy()


@st.composite
def networks(draw):
    """Any depth, widths, activations, outputs, measures and precision."""
    dtype = draw(st.sampled_from(["f4", "f8"]))
    widths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    sizes = [*widths, draw(st.integers(1, 3))]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    weights = [rng.normal(size=(widths[0], draw(st.integers(2, 4))))]
    weights += [2 * rng.normal(size=shape) for shape in pairwise(sizes)]
    names = [draw(st.sampled_from(sorted(nr.activations.ACTIVATIONS))) for _ in sizes]
    measures = [rng.dirichlet(np.full(n, 3.0)) for n in widths] if draw(st.booleans()) else None
    return dtype, [w.astype(dtype) for w in weights], names, measures


@settings(max_examples=25, deadline=None)
@given(networks(), st.booleans())
def test_there_and_back_is_the_same_function(case, bias):
    dtype, weights, names, measures = case
    with jax.enable_x64(dtype == "f8"):
        there = nr.Network(weights, names, measures)
        x = np.random.default_rng(0).normal(size=(6, there.input_dim)).astype(dtype)
        if bias:
            x[:, -1] = 1
        model = to_torch(there, bias=bias)
        expected = np.asarray(there(x))
        close = {"rtol": PRECISION[dtype], "atol": PRECISION[dtype]}
        prediction = predict(model, x[:, :-1] if bias else x)
        assert prediction.dtype == dtype
        np.testing.assert_allclose(prediction, expected, **close)
        back = from_torch(model)
        np.testing.assert_allclose(back(x), expected, **close)
        assert back.activations == there.activations
        ordinary = all(np.allclose(p, 1 / len(p)) for p in there.measures)
        assert isinstance(model, Weighted) != ordinary
        if ordinary:
            assert far(back, there) < PRECISION[dtype]


def steps(model, groups, x, y, scheduled=False, momentum=0.0):
    """PyTorch's own: autograd of the squared loss, summed over outputs, averaged over the batch."""
    optimiser = torch.optim.SGD(groups, lr=float("nan"), momentum=momentum)
    scheduler = scheduled and torch.optim.lr_scheduler.LambdaLR(optimiser, groups.lr_lambdas)
    for inputs, targets in zip(torch.tensor(x), torch.tensor(y), strict=True):
        optimiser.zero_grad()
        loss = 0.5 * ((model(inputs) - targets) ** 2).sum(dim=1).mean()
        loss.backward()
        optimiser.step()
        if scheduler:
            scheduler.step()


@pytest.mark.parametrize(
    ("depth", "kind", "batch", "bias"),
    [
        (2, "one", 1, False),
        (2, "in time", 4, True),
        (3, "constant", 4, True),
        (3, "in time", 1, False),
        (5, "constant", 1, False),
        (5, "in time", 4, True),
    ],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [("f4", 1e-5), ("f8", 1e-12)])
def test_a_hundred_steps_of_sgd_are_those_of_train(dtype, tolerance, depth, kind, batch, bias):
    x, y = stream(batch, dtype)
    inputs = x[..., :-1] if bias else x
    with jax.enable_x64(dtype == "f8"):
        start, xi = network(depth, dtype), schedules(depth, kind)
        model = to_torch(start, bias=bias)
        steps(model, parameter_groups(model, EPS, xi), inputs, y, scheduled=kind == "in time")
        ours = trained(start, xi, x, y)
        assert far(from_torch(model), ours) < tolerance
        np.testing.assert_allclose(predict(model, inputs[0]), ours(x[0]), atol=tolerance)
        assert far(start, ours) > 1e-2  # it went somewhere
        if kind == "in time":  # and the schedules were followed
            constant = to_torch(start, bias=bias)
            steps(constant, parameter_groups(constant, EPS), inputs, y)
            assert far(from_torch(constant), ours) > 1e-2


@pytest.mark.parametrize(
    ("depth", "kind", "bias"), [(2, "one", False), (3, "constant", True), (5, "in time", True)]
)
def test_weight_decay_is_that_of_the_problem(depth, kind, bias):
    """200 steps: the rate of decay of each group is lambda_i over its factor of width."""
    x, y = (np.concatenate([a, a[::-1]]) for a in stream(4, "f8"))
    inputs = x[..., :-1] if bias else x
    decay = [0.3, 0.1, 0.5, 0.2, 0.4][:depth] if depth > 2 else 0.3
    with jax.enable_x64(True):
        start, xi = network(depth, "f8"), schedules(depth, kind)
        model = to_torch(start, bias=bias)
        steps(
            model, parameter_groups(model, EPS, xi, decay), inputs, y, scheduled=kind == "in time"
        )
        law = nr.distributions.Empirical(x[0], y[0])
        problem = nr.Problem(law, nr.losses.Squared(), xi, decay)
        ours = nr.train(problem, start, EPS, len(x) * EPS, key=0, data=(x, y), save_at=1).network
        assert far(from_torch(model), ours) < 1e-9
        without = nr.train(
            nr.Problem(law, nr.losses.Squared(), xi),
            start,
            EPS,
            len(x) * EPS,
            0,
            data=(x, y),
            save_at=1,
        ).network
        assert far(without, ours) > 1e-2  # it did something


def test_constants_are_in_the_groups_and_once():
    """Under any scheduler: `LambdaLR` of ours, where others change, or one of PyTorch's."""
    model = to_torch(network(3, "f4"))
    n1, n2 = 5, 8
    factors = np.array([n1, n2 / n1, 1 / n2])
    constant = parameter_groups(model, 0.5, nr.schedules.depth_balanced(4)[:3])
    halved = torch.optim.SGD(constant)
    torch.optim.lr_scheduler.ConstantLR(halved, factor=0.5)
    rates = [group["lr"] for group in halved.param_groups]
    np.testing.assert_allclose(rates, 0.25 * factors * [1, 0.5, 0.5])
    mixed = parameter_groups(
        model, 0.5, [nr.schedules.constant(3.0), nr.schedules.warmup(2.0), lambda t: 1 + t]
    )
    np.testing.assert_allclose([g["lr"] for g in mixed], 0.5 * factors * [3, 0, 1])
    optimiser = torch.optim.SGD(mixed)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, mixed.lr_lambdas)
    np.testing.assert_allclose(scheduler.get_last_lr(), 0.5 * factors * [3, 0, 1])
    optimiser.step()
    scheduler.step()
    np.testing.assert_allclose(scheduler.get_last_lr(), 0.5 * factors * [3, 0.25, 1.5])


def test_momentum_is_that_of_an_optax_chain():
    """In both, the velocity of MF time is averaged."""
    optax = pytest.importorskip("optax")
    from neuronal.interop.optax import scale_by_mean_field

    x, y = stream(4, "f8")
    with jax.enable_x64(True):
        ours = network(3, "f8")
        model = to_torch(ours)
        steps(model, parameter_groups(model, EPS), x, y, momentum=0.8)
        optimiser = optax.chain(scale_by_mean_field(ours), optax.trace(0.8), optax.scale(-EPS))
        state = optimiser.init(ours)

        @eqx.filter_grad
        def gradient(now, inputs, targets):
            return jnp.mean(nr.losses.Squared()(targets, now(inputs)))

        for inputs, targets in zip(x, y, strict=True):
            updates, state = optimiser.update(gradient(ours, inputs, targets), state)
            ours = eqx.apply_updates(ours, updates)
        assert far(from_torch(model), ours) < 1e-12


def test_losses_are_as_documented():
    y, prediction = np.random.default_rng(0).normal(size=(2, 6, OUTPUTS)).astype("f4")
    tensors = torch.tensor(prediction), torch.tensor(y)
    squared = jnp.mean(nr.losses.Squared()(y, prediction))
    assert OUTPUTS / 2 * nn.MSELoss()(*tensors).item() == pytest.approx(float(squared), rel=1e-6)
    classes = np.arange(6) % OUTPUTS
    entropy = jnp.mean(nr.losses.CrossEntropy()(jnp.asarray(classes[:, None]), prediction))
    theirs = nn.CrossEntropyLoss()(tensors[0], torch.tensor(classes))
    assert theirs.item() == pytest.approx(float(entropy), rel=1e-6)


def mlp(d, widths, k, activation=nn.Tanh, bias=False, dtype=None):
    layers = []
    for i, (n, m) in enumerate(pairwise([d, *widths, k])):
        layers += [nn.Linear(n, m, bias=bias and i == 0, dtype=dtype), activation()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize(
    ("dtype", "bias", "gain"),
    [("f4", True, 1.5), ("f8", False, [1.0, 2.0]), ("f8", True, "critical")],
)
def test_an_initialised_model_is_a_sample_of_the_embedding(dtype, bias, gain):
    x = np.random.default_rng(0).uniform(-1, 1, size=(20, 2)).astype(dtype)
    seen = np.c_[x, np.ones(20)] if bias else x
    with jax.enable_x64(dtype == "f8"):
        kind = torch.float64 if dtype == "f8" else torch.float32
        model = mlp(2, (6, 9, 5), 2, Erf, bias, kind)
        model.append(nn.Sigmoid())
        parameters = list(model.parameters())
        assert bidirectional_(model, key=3, inputs=torch.tensor(x), rank=4, gain=gain) is model
        kept = zip(model.parameters(), parameters, strict=True)
        assert all(a is b and a.requires_grad for a, b in kept)
        embedding = nr.embeddings.Bidirectional(
            2 + bias, 4, 2, "erf", 4, gain, inputs=seen, last_activation="sigmoid"
        )
        expected = embedding.sample((6, 9, 5), 3)
        assert from_torch(model).activations == expected.activations
        assert far(from_torch(model), expected) < PRECISION[dtype]


def test_the_gain_is_critical_on_inputs_with_a_bias():
    """Standard normal inputs and the coordinate 1: the spread asked for, in each middle layer."""
    model = bidirectional_(mlp(3, (512,) * 3, 1, bias=True), key=0, spread=0.4)
    x = np.random.default_rng(1).normal(size=(200, 3))
    hidden = from_torch(model).preactivations(np.c_[x, np.ones(200)])[1:-1]
    spreads = [np.sqrt(np.mean(np.var(h, axis=0))) for h in hidden]
    np.testing.assert_allclose(spreads, 0.4, rtol=0.1)


def test_factored_weights_are_multiplied_out():
    embedding = nr.embeddings.Bidirectional(2, 4, rank=4, gain=1.0)
    factored, dense = (embedding.sample(32, 0, kernel=k) for k in ("factored", "dense"))
    assert far(from_torch(to_torch(factored)), dense) < 1e-6


def test_random_numbers_of_torch_are_not_drawn():
    before = torch.get_rng_state()
    to_torch(network(3, "f4"), bias=True)
    assert torch.equal(torch.get_rng_state(), before)


def test_sequences_in_sequences_and_half_precision():
    """An `Identity` is nothing, one activation object may serve twice."""
    tanh = nn.Tanh()
    first, second, last = nn.Linear(2, 4), nn.Linear(4, 3, bias=False), nn.Linear(3, 1, bias=False)
    nested = nn.Sequential(
        nn.Sequential(first, tanh), nn.Sequential(second, nn.Identity(), tanh), last
    )
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("f4")
    there = np.c_[x, np.ones(5)]
    np.testing.assert_allclose(from_torch(nested)(there), predict(nested, x), atol=1e-6)
    half = from_torch(nested.to(torch.bfloat16))
    assert half.weights[0].dtype == np.float32
    np.testing.assert_allclose(half(there), predict(nested.float(), x), atol=1e-5)


def test_an_activation_of_ones_own(monkeypatch):
    def value_and_derivative(h):
        slope = jax.nn.sigmoid(h)
        return jax.nn.softplus(h), slope

    softplus = nr.activations.Activation("softplus", value_and_derivative, np.inf, 1.0, 0.25, True)
    own = nr.Network([np.ones((3, 2)), np.ones((3, 1))], softplus)
    with pytest.raises(nr.InvalidInput, match=r"^activations: softplus has no module; add it"):
        to_torch(own)
    monkeypatch.setitem(MODULES, softplus, nn.Softplus)
    x = np.ones((2, 2), "f4")
    np.testing.assert_allclose(predict(to_torch(own), x), own(x), rtol=1e-6)
    assert from_torch(to_torch(own)).activations == own.activations


def shared():
    layer = nn.Linear(3, 3, bias=False)
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), layer, nn.Tanh(), layer)


class Doubled(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


def rough():
    return nn.Sequential(nn.Linear(2, 3), nn.GELU("tanh"), nn.Linear(3, 1, bias=False))


def seq(*modules):
    return nn.Sequential(*modules)


def lin(n, m):
    return nn.Linear(n, m, bias=False)


WEIGHTED = network(3, "f4", "weighted")
BAD = [
    ("model: takes an nn.Sequential", lambda: from_torch(nn.Linear(2, 3))),
    ("model: takes 2 nn.Linear or more, got 1", lambda: from_torch(seq(nn.Linear(2, 3)))),
    (r"model\.1 \(Mish\): takes Linear,", lambda: from_torch(mlp(2, (3,), 1, nn.Mish))),
    (r"model\.1 \(GELU\): takes approximate='none'", lambda: from_torch(rough())),
    (
        r"model\.2 \(Linear\): has a bias",
        lambda: from_torch(seq(lin(2, 3), nn.Tanh(), nn.Linear(3, 1))),
    ),
    (r"model\.0 \(Tanh\): stands before", lambda: from_torch(seq(nn.Tanh(), lin(2, 3)))),
    (
        r"model\.2 \(ReLU\): a second activation",
        lambda: from_torch(seq(lin(2, 3), nn.Tanh(), nn.ReLU(), lin(3, 1))),
    ),
    (
        r"model\.2 \(Linear\): takes 4 inputs, model\.0 \(Linear\) gives 3",
        lambda: from_torch(seq(lin(2, 3), nn.Tanh(), lin(4, 1))),
    ),
    (r"model\.4 \(Linear\): shares its weight with model\.2", lambda: from_torch(shared())),
    (
        r"model\.0 \(Doubled\): has a forward",
        lambda: from_torch(seq(Doubled(lin(2, 3)), lin(3, 1))),
    ),
    ("bias: stands for the constant", lambda: to_torch(nr.Network([[[1.0]], [[1.0]]]), bias=True)),
    ("model: of a network with other measures", lambda: parameter_groups(to_torch(WEIGHTED), 0.1)),
    ("learning_rate: takes a positive", lambda: parameter_groups(mlp(2, (3,), 1), 0.0)),
    ("learning_rate: takes a positive", lambda: parameter_groups(mlp(2, (3,), 1), np.inf)),
    (
        r"schedules: takes one callable, or one a layer \(2\)",
        lambda: parameter_groups(mlp(2, (3,), 1), 0.1, nr.schedules.depth_balanced(3)),
    ),
    (
        r"model\.2 \(Linear\): followed by sigmoid, the first layer by tanh",
        lambda: bidirectional_(
            seq(lin(2, 3), nn.Tanh(), lin(3, 3), nn.Sigmoid(), lin(3, 1)), key=0
        ),
    ),
    (
        r"inputs: takes shape \(m, 2\)",
        lambda: bidirectional_(mlp(2, (3, 3), 1, bias=True), key=0, inputs=np.ones((4, 3))),
    ),
    ("rank: takes", lambda: bidirectional_(mlp(2, (3, 3), 1), key=0, rank=0)),
]


@pytest.mark.parametrize(("message", "call"), BAD)
def test_bad_input_is_one_message_that_names_it(message, call):
    with pytest.raises(nr.InvalidInput, match=f"^{message}"):
        call()


def plain_model():
    return nn.Sequential(
        nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8, bias=False), nn.Tanh(),
        nn.Linear(8, 1, bias=False),
    )  # fmt: skip


MORE = {
    "forward hook": lambda m: m[2].register_forward_hook(lambda *a: 2 * a[2]),
    "forward hook of an activation": lambda m: m[1].register_forward_hook(lambda *a: 2 * a[2]),
    "forward hook of the model": lambda m: m.register_forward_hook(lambda *a: 2 * a[2]),
    "pre-hook": lambda m: m[0].register_forward_pre_hook(lambda _, x: (2 * x[0],)),
    "backward hook": lambda m: m[2].register_full_backward_hook(lambda _, g, h: g),
    "old weight_norm": lambda m: nn.utils.weight_norm(m[2]),
    "old spectral_norm": lambda m: nn.utils.spectral_norm(m[2]),
    "new weight_norm": lambda m: nn.utils.parametrizations.weight_norm(m[2]),
    "new spectral_norm": lambda m: nn.utils.parametrizations.spectral_norm(m[4]),
    "pruning": lambda m: prune.l1_unstructured(m[2], "weight", 0.5),
    "pruning of a bias": lambda m: prune.random_unstructured(m[0], "bias", 0.5),
    "own forward": lambda m: setattr(m[2], "forward", lambda x: x),
    "own forward of the model": lambda m: setattr(m, "forward", lambda x: x),
    "weight by hand": lambda m: (
        delattr(m[2], "weight"),
        setattr(m[2], "weight", torch.ones(8, 8)),
    ),
}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("more", MORE)
def test_modules_that_are_more_than_their_class_are_refused(more):
    model = plain_model()
    MORE[more](model)
    for use in (from_torch, lambda m: bidirectional_(m, 0), lambda m: parameter_groups(m, 0.1)):
        with pytest.raises(nr.InvalidInput, match=r"^model"):
            use(model)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_weights_in_effect_are_read_once_the_hooks_are_removed():
    model = plain_model()
    nn.utils.weight_norm(model[2])
    prune.l1_unstructured(model[4], "weight", 0.5)
    with torch.no_grad():
        model[2].weight_g *= 2
    x = torch.ones(5, 3)
    prediction = model(x).detach().numpy()
    nn.utils.remove_weight_norm(model[2])
    prune.remove(model[4], "weight")
    np.testing.assert_allclose(from_torch(model)(np.ones((5, 4))), prediction, atol=1e-5)


@pytest.mark.parametrize(
    "inputs",
    [
        pd.DataFrame(np.full((9, 3), np.nan)),
        pd.DataFrame({"a": ["x"], "b": ["y"], "c": ["z"]}),
        np.full((9, 3), np.inf),
        torch.full((9, 3), torch.nan),
        np.ones((9, 2)),
        np.ones(3),
        "inputs",
    ],
)
def test_inputs_that_cannot_be_are_refused(inputs):
    with pytest.raises(nr.InvalidInput, match="^inputs: "):
        bidirectional_(plain_model(), 0, inputs=inputs)


def test_inputs_of_a_frame_are_those_of_its_array():
    x = np.random.default_rng(0).normal(size=(9, 3))
    weights = []
    for inputs in (x, pd.DataFrame(x), torch.tensor(x), x.tolist()):
        weights.append(bidirectional_(plain_model(), 0, inputs=inputs)[2].weight.detach().numpy())
    assert all(np.array_equal(w, weights[0]) for w in weights)


@pytest.mark.parametrize(
    "rate", ["a", None, lambda k: 0.1, 0.0, -1.0, np.nan, 10**400, 1j, [0.1, 0.2]]
)
def test_rates_that_cannot_be_are_refused(rate):
    with pytest.raises(nr.InvalidInput, match="^learning_rate: "):
        parameter_groups(plain_model(), rate)
    with pytest.raises(nr.InvalidInput, match="^schedules: "):
        parameter_groups(plain_model(), 0.1, 0.5)

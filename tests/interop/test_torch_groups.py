"""Rates of inner biases, of Adam and of layers by name: a network and its double take the same steps."""

import copy

import numpy as np
import pytest

import neuronal as nr

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from neuronal.interop.torch import (  # noqa: E402
    adam_groups,
    bidirectional_,
    parameter_groups,
    to_torch,
)

EPS, STEPS = 0.2, 12
SCHEDULES = [nr.schedules.Constant(value) for value in (1.0, 0.5, 1.0)]


class Own(nn.Module):
    """A module of one's own, its layers not in the order in which they act."""

    def __init__(self, n, bias=True):
        super().__init__()
        self.readout = nn.Linear(n, 2, bias)
        self.inner = nn.ModuleDict({"middle": nn.Linear(n, n, bias)})
        self.first = nn.Linear(3, n)

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.readout(torch.tanh(self.inner["middle"](h)))


NAMES = ("first", "inner.middle", "readout")


def start(n=6):
    torch.manual_seed(1)
    model = Own(n).double()
    with torch.no_grad():
        for name in NAMES[1:]:  # entries of order 1/n
            layer = model.get_submodule(name)
            layer.weight.copy_(torch.randn(layer.weight.shape) / n * 2)
    return model


def doubled(model):
    """Every neuron twice, in mean-field terms the same law: w alike, so that W is halved behind a layer."""
    twice = Own(2 * model.first.out_features).double()
    first, middle, readout = (model.get_submodule(name) for name in NAMES)
    with torch.no_grad():
        twice.first.weight.copy_(first.weight.repeat(2, 1))
        twice.first.bias.copy_(first.bias.repeat(2))
        twice.inner["middle"].weight.copy_(middle.weight.repeat(2, 2) / 2)
        twice.inner["middle"].bias.copy_(middle.bias.repeat(2))
        twice.readout.weight.copy_(readout.weight.repeat(1, 2) / 2)
        twice.readout.bias.copy_(readout.bias)
    return twice


OPTIMISERS = {
    "SGD": lambda m: torch.optim.SGD(parameter_groups(m, EPS, SCHEDULES, 0.1, NAMES), momentum=0.5),
    "Adam": lambda m: torch.optim.Adam(adam_groups(m, EPS / 4, SCHEDULES, layers=NAMES, eps=1e-2)),
    "AdamW": lambda m: torch.optim.AdamW(adam_groups(m, EPS / 4, SCHEDULES, 0.1, NAMES)),
}


def trained(model, optimiser):
    rng = np.random.default_rng(0)
    stepper = optimiser(model)
    for _ in range(STEPS):
        x, y = torch.tensor(rng.normal(size=(8, 3))), torch.tensor(rng.normal(size=(8, 2)))
        stepper.zero_grad()
        (0.5 * (model(x) - y).square().sum(1).mean()).backward()
        stepper.step()
    return model


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_a_network_and_its_double_take_the_same_steps(kind):
    """The mean-field system knows the law of neurons alone: equal in double precision, biases too."""
    narrow = start()
    wide = trained(doubled(narrow), OPTIMISERS[kind])
    expected = doubled(trained(copy.deepcopy(narrow), OPTIMISERS[kind]))
    for (name, found), other in zip(wide.named_parameters(), expected.parameters(), strict=True):
        assert torch.allclose(found, other, rtol=1e-10, atol=1e-13), name
    moved = trained(start(), OPTIMISERS[kind])
    for (name, after), before in zip(moved.named_parameters(), narrow.parameters(), strict=True):
        assert (after - before).abs().max() > 1e-3, name


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_other_rates_do_not(kind):
    """PyTorch's one rate for all: the test above can fail."""
    plain = {"SGD": lambda m: torch.optim.SGD(m.parameters(), EPS),
             "AdamW": lambda m: torch.optim.AdamW(m.parameters(), EPS / 4)}[kind]  # fmt: skip
    wide = trained(doubled(start()), plain)
    expected = doubled(trained(start(), plain))
    assert not torch.allclose(wide.first.weight, expected.first.weight, rtol=1e-3)


def test_adam_in_mean_field_terms():
    """The step written at the top of `groups`, on w itself, in NumPy: rates and eps of every layer."""
    network = nr.Network(
        [np.random.default_rng(i).normal(size=s) for i, s in enumerate([(5, 2), (5, 4), (4, 1)])]
    )
    model = to_torch(network).double()
    x, y = (
        np.random.default_rng(7).normal(size=(9, 2)),
        np.random.default_rng(8).normal(size=(9, 1)),
    )
    w = [np.asarray(a, float) for a in network.weights]
    sizes, m, v = [5, 4], [np.zeros_like(a) for a in w], [np.zeros_like(a) for a in w]
    optimiser = torch.optim.Adam(adam_groups(model, 0.05, eps=0.03), betas=(0.8, 0.9))
    for k in range(1, 6):
        optimiser.zero_grad()
        (0.5 * (model(torch.tensor(x)) - torch.tensor(y)).square().mean()).backward()
        optimiser.step()
        h1 = x @ w[0].T
        h2 = np.tanh(h1) @ w[1] / sizes[0]
        last = (np.tanh(h2) @ w[2] / sizes[1] - y) / len(x)
        second = (last @ w[2].T) / np.cosh(h2) ** 2
        first = (second @ w[1].T / sizes[1]) / np.cosh(h1) ** 2
        gradients = [first.T @ x, np.tanh(h1).T @ second, np.tanh(h2).T @ last]
        for i, g in enumerate(gradients):
            m[i], v[i] = 0.8 * m[i] + 0.2 * g, 0.9 * v[i] + 0.1 * g**2
            step = (m[i] / (1 - 0.8**k)) / (np.sqrt(v[i] / (1 - 0.9**k)) + 0.03)
            w[i] = w[i] - 0.05 * step
    folded = [w[0], (w[1] / 5).T, (w[2] / 4).T]
    linear = [module for module in model if isinstance(module, nn.Linear)]
    for layer, expected in zip(linear, folded, strict=True):
        np.testing.assert_allclose(layer.weight.detach(), expected, rtol=1e-5, atol=1e-7)


def test_a_module_of_ones_own_is_started_as_a_sequence_is():
    own, bias = Own(8), nn.Sequential(
        nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)
    )  # fmt: skip
    bidirectional_(own, 0, layers=NAMES, activation="tanh")
    bidirectional_(bias, 0)
    x = torch.randn(5, 3)
    assert torch.equal(own(x), bias(x))
    assert own.readout.bias.abs().max() == 0


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("layers: 'act' is no nn.Linear", lambda: parameter_groups(Own(4), 0.1, layers=["act"])),
        ("layers: of none is readout.weight, readout.bias", lambda: adam_groups(Own(4), 0.1,
        layers=NAMES[:2])), ("layers: takes 2 names", lambda: parameter_groups(Own(4), 0.1,
        layers=NAMES[:1])), ("layers: takes a sequence", lambda: parameter_groups(Own(4), 0.1,
        layers="first")), ("model: takes an nn.Sequential, or names", lambda: parameter_groups(Own(4), 0.1)),
        ("inner.middle .*: takes 4 inputs", lambda: parameter_groups(mixed(), 0.1, layers=NAMES)),
        ("activation: goes with layers", lambda: bidirectional_(Own(4), 0, layers=NAMES)),
        ("eps: takes a positive", lambda: adam_groups(Own(4), 0.1, layers=NAMES, eps=0.0)),
        ("learning_rate: takes a positive", lambda: adam_groups(Own(4), -1.0, layers=NAMES)),
    ],
)  # fmt: skip
def test_bad_input_is_named(message, call):
    with pytest.raises(nr.InvalidInput, match=f"^{message}"):
        call()


def mixed():
    model = Own(4)
    model.first = nn.Linear(3, 5)
    return model

"""The doctor on PyTorch's models: what is planted is named, and nothing else; parts by independent means."""

import gc
import weakref

import numpy as np
import pytest

import neuronal as nr

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from benchmarks import doctor  # noqa: E402
from benchmarks.doctor_models import batches, squared  # noqa: E402

FEW = {"widths": (64, 128, 256), "seeds": 3, "steps": 2}
VECTORS = [case for case in doctor.ERRORS if case.name.startswith("MLP")]
TOKENS = [case for case in doctor.ERRORS if case.name.startswith("attention")]


@pytest.mark.slow
@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case.name)
def test_an_error_planted_in_a_perceptron_is_named_at_its_layer(case):
    assert doctor.is_found(case, doctor.examined(case, **FEW))


ON_ALL = {"attention, init.readout n^0.5", "attention, decay.value n^-1", doctor.TOLD[1].name}
"""Looked for on the doctor's own widths: the first is below what fewer show."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [case for case in (*TOKENS, *doctor.TOLD) if case.name not in ON_ALL],
    ids=lambda case: case.name,
)
def test_an_error_planted_in_attention_is_named_at_its_layers(case):
    assert doctor.is_found(case, doctor.examined(case, **FEW))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, marks=pytest.mark.slow if case.name in ON_ALL else pytest.mark.long, id=case.name
        )
        for case in (*TOKENS, *doctor.TOLD)
    ],
)
def test_so_it_is_on_the_widths_and_seeds_that_the_doctor_takes_by_itself(case):
    assert doctor.is_found(case, doctor.examined(case))


@pytest.mark.long
@pytest.mark.parametrize("case", doctor.RIGHT, ids=lambda case: case.name)
def test_correct_models_raise_no_alarm(case):
    """On the widths and seeds of the benchmark: on fewer, scatter raises some."""
    assert doctor.examined(case).transfers


@pytest.mark.slow
def test_a_model_started_and_trained_by_the_bridge_raises_no_alarm():
    build, optimiser = doctor.of_ours()
    check = nr.transfer.check(build, batches()[0], squared, optimiser, **FEW)
    assert check.transfers
    assert check.laziness.low < 0.1


def mlp(n):
    return nn.Sequential(nn.Linear(5, n), nn.Tanh(), nn.Linear(n, n), nn.Tanh(), nn.Linear(n, 1))


@pytest.mark.slow
def test_figures_of_a_linear_layer_are_those_of_autograd_and_of_the_step():
    """Of the middle layer, at the first step: its influence, that of its input, and eta delta <h, h'>."""
    (x, y), rate = batches()[0], 0.3
    sgd = lambda model: torch.optim.SGD(model.parameters(), rate)
    check = nr.transfer.check(mlp, (x, y), squared, sgd, **FEW)
    torch.manual_seed(1)
    model = mlp(64)
    h = model[1](model[0](x)).detach().requires_grad_(True)
    z = model[2](h)
    z.retain_grad()
    output = model[4](torch.tanh(z))
    torch.manual_seed(0)
    towards = torch.zeros_like(output)
    towards[0] = torch.randn(output.shape, generator=torch.Generator().manual_seed(0))[0]
    (towards * output).sum(-1).mean().backward()
    at = check.data.sel(width=64, seed=1).isel(step=0)
    rms = lambda a: float(a.detach().square().mean().sqrt())
    expected = {"inputs": rms(h), "outputs": rms(z), "influence": z.numel() * rms(z.grad),
                "influence_below": h.numel() * rms(h.grad)}  # fmt: skip
    for name, value in expected.items():
        assert float(at[name].sel(layer="2")) == pytest.approx(value, rel=1e-5)
    own = rate * (h @ h.T) @ z.grad
    assert float(at.effect.sel(part="2.weight")) == pytest.approx(rms(own[0]), rel=1e-4)
    bias = rate * z.grad[0]
    assert float(at.effect.sel(part="2.bias")) == pytest.approx(rms(bias), rel=1e-4)


@pytest.mark.slow
def test_the_tangent_kernels_scaling_is_lazy():
    """Weights of order 1 with factors n^-1/2, one rate: features move as n^-1/2, the function as 1."""

    class Ntk(nn.Linear):
        def __init__(self, d, n):
            super().__init__(d, n, bias=False)
            nn.init.normal_(self.weight)

        def forward(self, x):
            return super().forward(x) / x.shape[-1] ** 0.5

    def model(n):
        return nn.Sequential(Ntk(5, n), nn.Tanh(), Ntk(n, n), nn.Tanh(), Ntk(n, 1))

    sgd = lambda model: torch.optim.SGD(model.parameters(), 0.5)
    how = FEW | {"seeds": 6}
    check = nr.transfer.check(model, batches()[0], squared, sgd, **how)
    assert check.laziness.slope == pytest.approx(-0.5, abs=0.15)
    assert ("readout" in {fault.kind for fault in check.faults}) and not check.transfers


def test_decay_is_seen_apart_from_gradients():
    """AdamW's share is lr times weight_decay, whatever the gradient."""
    adam = lambda model: torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.3)
    check = nr.transfer.check(mlp, batches()[0], squared, adam, **FEW)
    weights = [part for part in check.data.part.values if str(part).endswith("weight")]
    np.testing.assert_allclose(check.data["shrink"].sel(part=weights), 0.003, rtol=1e-3)
    np.testing.assert_allclose(check.data.degree.sel(part=weights), 0, atol=0.05)


def test_modules_called_otherwise_are_seen():
    """A layer used twice, one in a tuple, PyTorch's own attention, a parameter of the model itself."""

    class Odd(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.first, self.again = nn.Linear(5, n), nn.Linear(n, n)
            self.attention = nn.MultiheadAttention(n, 1, batch_first=True)
            self.shift, self.readout = nn.Parameter(torch.zeros(n)), nn.Linear(n, 1)

        def forward(self, x, *, scale):
            h = torch.tanh(self.again(torch.tanh(self.again(torch.tanh(self.first(x))))))
            mixed = self.attention(h[:, None], h[:, None], h[:, None])[0][:, 0]
            return {"prediction": self.readout(mixed + self.shift) * scale}

    x, y = batches()[0]
    check = nr.transfer.check(
        Odd, ({"x": x, "scale": 1.0}, y), lambda out, y: squared(out["prediction"], y),
        lambda model: torch.optim.SGD(model.parameters(), 0.01), widths=(16, 32), seeds=2, steps=1,
    )  # fmt: skip
    assert list(check.data.layer.values) == ["first", "again", "attention", "readout", "model"]
    assert {"attention.in_proj_weight", "attention.out_proj.weight", "model.shift"} <= set(
        check.data.part.values
    )


def test_nothing_is_kept_of_the_passes():
    seen = []

    class Watched(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.first, self.readout = nn.Linear(5, n), nn.Linear(n, 1)

        def forward(self, x):
            z = self.first(x)
            seen.append(weakref.ref(z))
            return self.readout(torch.softmax(z, -1))

    sgd = lambda model: torch.optim.SGD(model.parameters(), 0.1)
    nr.transfer.check(Watched, batches()[0], squared, sgd, widths=(16, 32), seeds=2, steps=1)
    gc.collect()
    assert seen and not any(output() is not None for output in seen)


@pytest.mark.parametrize(
    ("message", "model", "loss", "optimiser"),
    [
        ("model: takes a function", mlp(4), squared, None),
        ("model: gave no nn.Module", lambda n: 3, squared, None),
        ("optimiser: takes a function from", mlp, squared, lambda model: 3),
        ("loss: takes a function of prediction", mlp, lambda a, b: (a - b), None),
        ("model: its layers have other names", lambda n: mlp(n)[: 3 if n == 32 else 5], squared, None),
    ],
)  # fmt: skip
def test_bad_input_is_named(message, model, loss, optimiser):
    sgd = optimiser or (lambda model: torch.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(nr.InvalidInput, match=f"^{message}"):
        nr.transfer.check(model, batches()[0], loss, sgd, widths=(32, 64), seeds=1, steps=1)

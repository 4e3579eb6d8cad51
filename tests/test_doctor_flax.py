"""The doctor on Flax modules: figures as those of the same Equinox model, planted errors, randomness."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import test_doctor_equinox as by_equinox
from test_doctor_equinox import FEW, X, Y, loss

import neuronal as nr

optax = pytest.importorskip("optax")
nnx = pytest.importorskip("flax.nnx")


class Perceptron(nnx.Module):
    def __init__(self, n, key, power=1.0):
        same = by_equinox.model(n, key, power)
        sizes = [(4, n), (n, n), (n, 1)]
        layers = [nnx.Linear(*s, use_bias=False, rngs=nnx.Rngs(0)) for s in sizes]
        for layer, other in zip(layers, same.layers, strict=True):
            layer.kernel[...] = other.weight.T
        self.layers = nnx.List(layers)

    def __call__(self, x):
        first, middle, readout = self.layers
        return readout(jnp.tanh(middle(jnp.tanh(first(x)))))


def sgd(model):
    """Rates n, 1 and 1/n."""
    n = model.layers[0].kernel.shape[1] / 32
    labels = jax.tree_util.tree_map_with_path(
        lambda path, _: ("first", "middle", "readout")[path[1].key], nnx.state(model, nnx.Param)
    )
    rates = {"first": 0.1 * n, "middle": 0.1, "readout": 0.1 / n}
    return optax.multi_transform({k: optax.sgd(r) for k, r in rates.items()}, lambda _: labels)


@pytest.mark.slow
def test_figures_are_those_of_the_same_model_of_equinox():
    check = nr.transfer.check(Perceptron, (X, Y), loss, sgd, **FEW)
    other = nr.transfer.check(by_equinox.model, (X, Y), loss, by_equinox.sgd, **FEW)
    assert check.transfers
    assert list(check.data.layer.values) == ["layers[0]", "layers[1]", "layers[2]"]
    assert list(check.data.part.values) == [f"layers[{i}].kernel" for i in range(3)]
    assert set(check.data) == set(other.data)
    numbers = {name: v for name, v in other.data.items() if v.dtype.kind in "fi"}
    assert len(numbers) > 10
    for name, values in numbers.items():
        np.testing.assert_allclose(check.data[name].values, values.values, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_a_readout_of_the_standard_scaling_is_named():
    model = lambda n, key: Perceptron(n, key, 0.5)
    check = nr.transfer.check(model, (X, Y), loss, sgd, **FEW)
    assert {(fault.layers, fault.kind) for fault in check.faults} == {(("layers[2]",), "readout")}


class Random(nnx.Module):
    """Called twice, with biases, a norm and a dropout, whose states change."""

    def __init__(self, n, key):
        rngs = nnx.Rngs(key)
        self.first = nnx.Linear(4, n, rngs=rngs)
        self.again = nnx.Linear(n, n, rngs=rngs)
        self.norm = nnx.BatchNorm(n, rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs)
        self.readout = nnx.Linear(n, 1, rngs=rngs)

    def __call__(self, x):
        h = jnp.tanh(self.again(jnp.tanh(self.norm(self.first(x)))))
        return self.readout(self.drop(jnp.tanh(self.again(h))))


@pytest.mark.slow
def test_layers_called_twice_and_states_besides_parameters_are_seen():
    how = {"widths": (8, 16), "seeds": 1, "steps": 1}
    check = nr.transfer.check(Random, (X, Y), loss, lambda _: optax.adam(0.01), **how)
    assert list(check.data.layer.values) == ["first", "norm", "again", "readout"]
    np.testing.assert_allclose(check.data["size"].sel(layer="again", width=16), 2 * 16 * 16)
    assert np.isfinite(check.data.loss).all()

"""The doctor on Equinox models: figures by independent means, a planted error, layers under vmap."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr

optax = pytest.importorskip("optax")

X = np.random.default_rng(0).normal(size=(16, 4)).astype("f4")
Y = np.sin(X[:, :1])
FEW = {"widths": (32, 64, 128), "seeds": 2, "steps": 2}


def loss(prediction, y):
    return 0.5 * jnp.mean(jnp.sum((prediction - y) ** 2, axis=1))


def model(n, key, power=1.0):
    """Of two hidden layers, the readout's entries n^-power."""
    mlp = eqx.nn.MLP(4, 1, n, 2, activation=jnp.tanh, use_bias=False, use_final_bias=False, key=key)
    weight = jax.random.normal(jax.random.fold_in(key, 1), (1, n)) * 32 ** (power - 1) / n**power
    return eqx.tree_at(lambda m: m.layers[-1].weight, mlp, weight)


def sgd(mlp):
    """Rates n, 1 and 1/n."""
    n = mlp.layers[0].weight.shape[0] / 32
    labels = eqx.filter(mlp, eqx.is_inexact_array)
    where = lambda m: [layer.weight for layer in m.layers]
    labels = eqx.tree_at(where, labels, ["first", "middle", "readout"])
    rates = {"first": 0.1 * n, "middle": 0.1, "readout": 0.1 / n}
    return optax.multi_transform({k: optax.sgd(r) for k, r in rates.items()}, lambda _: labels)


@pytest.fixture(scope="module")
def right():
    return nr.transfer.check(model, (X, Y), loss, sgd, **FEW)


@pytest.mark.slow
def test_a_model_of_the_right_scaling_has_no_fault(right):
    assert right.transfers
    assert list(right.data.layer.values) == ["layers[0]", "layers[1]", "layers[2]"]


@pytest.mark.slow
def test_a_readout_of_the_standard_scaling_is_named():
    check = nr.transfer.check(lambda n, key: model(n, key, 0.5), (X, Y), loss, sgd, **FEW)
    assert {(fault.layers, fault.kind) for fault in check.faults} == {(("layers[2]",), "readout")}


@pytest.mark.slow
def test_figures_are_those_of_the_passes_written_out(right):
    w1, w2, w3 = (np.asarray(layer.weight, float) for layer in model(64, jax.random.key(1)).layers)
    at = right.data.sel(width=64, seed=1).isel(step=0)
    h1 = X @ w1.T
    h2 = np.tanh(h1) @ w2.T
    felt = float(at.felt) / len(X) ** 0.5  # all of it on the first sample
    down = felt * w3[0] / np.cosh(h2[0]) ** 2
    rms = lambda a: np.sqrt(np.mean(np.square(a)))
    of_second = lambda name: float(at[name].sel(layer="layers[1]"))
    np.testing.assert_allclose(of_second("inputs"), rms(np.tanh(h1)), rtol=1e-5)
    np.testing.assert_allclose(of_second("outputs"), rms(h2), rtol=1e-5)
    np.testing.assert_allclose(
        of_second("influence"), h2.size * rms(down) / len(X) ** 0.5, rtol=1e-4
    )
    back = down @ w2
    np.testing.assert_allclose(
        of_second("influence_below"), h1.size * rms(back) / len(X) ** 0.5, rtol=1e-4
    )
    step = 0.1 * (np.tanh(h1[0]) @ np.tanh(h1[0])) * down
    np.testing.assert_allclose(float(at.effect.sel(part="layers[1].weight")), rms(step), rtol=1e-3)


@pytest.mark.slow
def test_layers_under_vmap_and_called_twice_and_decay_are_seen():
    class Sequence(eqx.Module):
        first: eqx.nn.Linear
        again: eqx.nn.Linear
        readout: eqx.nn.Linear

        def __init__(self, n, key):
            keys = jax.random.split(key, 3)
            self.first = eqx.nn.Linear(1, n, key=keys[0])
            self.again = eqx.nn.Linear(n, n, key=keys[1])
            self.readout = eqx.nn.Linear(n, 1, key=keys[2])

        def __call__(self, x):
            h = jnp.tanh(jax.vmap(self.first)(x[:, None]))
            h = jnp.tanh(jax.vmap(self.again)(jnp.tanh(jax.vmap(self.again)(h))))
            return self.readout(h.mean(0))

    adam = lambda _: optax.adamw(0.01, weight_decay=0.3)
    how = {"widths": (8, 16), "seeds": 1, "steps": 1}
    check = nr.transfer.check(Sequence, (X, Y), loss, adam, **how)
    assert list(check.data.layer.values) == ["first", "again", "readout"]
    np.testing.assert_allclose(check.data["size"].sel(layer="again", width=16), 2 * 16 * 4 * 16)
    np.testing.assert_allclose(check.data["shrink"], 0.003, rtol=1e-3)
    np.testing.assert_allclose(check.data.degree, 0, atol=0.05)


@pytest.mark.parametrize(
    ("message", "build", "optimiser"),
    [
        ("model: gave no eqx.Module", lambda n, key: 3, sgd),
        ("model: has no layer", lambda n, key: eqx.nn.Lambda(jnp.tanh), lambda _: optax.sgd(0.1)),
        ("optimiser: takes a function from a model to its Optax", model, lambda m: 3),
    ],
)
def test_bad_input_is_named(message, build, optimiser):
    with pytest.raises(nr.InvalidInput, match=f"^{message}"):
        nr.transfer.check(build, (X, Y), loss, optimiser, widths=(8, 16), seeds=1, steps=1)

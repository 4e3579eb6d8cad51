"""Frozen layers: those of rate 0, to the bit, without their products."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from products import some

import neuronal as nr
from neuronal.drivers.sgd import loop

pytestmark = pytest.mark.usefixtures("float64")

X = np.linspace(-1, 1, 6)
LAW = nr.distributions.Empirical(np.c_[X, np.ones(6)], np.sin(3 * X))
STILL = [(1,), (2,), (3,), (1, 2)]


def problem(still, kind, **how):
    """Layers that are frozen, or whose rate is 0: an array, so that all sets of them are one program."""
    frozen = nr.schedules.Frozen()
    moves: list[Any] = [jnp.asarray(float(i not in still)) for i in (1, 2, 3)]
    moving = [nr.schedules.Warmup(1.0, value) for value in moves]
    rates = [frozen if kind == "frozen" and i in still else moving[i - 1] for i in (1, 2, 3)]
    return nr.Problem(LAW, nr.losses.PseudoHuber(), rates, **how)


def network(width, kernel="dense"):
    embedding = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.5)
    made = embedding.sample(width, 0, kernel)
    if kernel == "factored":
        return made
    # a zero of either sign: they are kept as well
    first = made.weights[0].at[0, 0].set(-0.0)
    return made.with_weights((first, *made.weights[1:]))


def runs(width, kernel, still, **how):
    """Of SGD in batches of 2, and of the ODE, with frozen layers and with constant ones of 0."""
    start = network(width, kernel)
    for asked in (problem(still, kind, **how) for kind in ("frozen", "constant")):
        yield (
            nr.train(asked, start, 0.1, 1.0, 0, 2, save_at=1).network,
            nr.solve(asked, start, 1.0, rtol=1e-7, atol=1e-9, save_at=1).network,
        )


HOWS = {"plain": {}, "decay": {"decay": 0.3}, "momentum": {"momentum": 0.5}}


@pytest.mark.parametrize(
    ("still", "how"),
    some(
        (STILL, HOWS),
        [
            ((1,), "plain"),
            ((2,), "decay"),
            ((2,), "momentum"),
            ((3,), "momentum"),
            ((1, 2), "decay"),
        ],
    ),
)
def test_they_are_layers_of_rate_zero_and_keep_every_bit(still, how):
    start = network(20)
    for frozen, constant in zip(*runs(20, "dense", still, **HOWS[how]), strict=True):
        for i, (a, b) in enumerate(zip(frozen.weights, constant.weights, strict=True), start=1):
            np.testing.assert_allclose(a, b, atol=1e-12)
            if i in still:
                assert np.asarray(a).tobytes() == np.asarray(start.weights[i - 1]).tobytes()
            else:
                assert np.abs(a - start.weights[i - 1]).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(("width", "kernel"), [(300, "dense"), (40, "factored")])
def test_wide_and_factored_layers_freeze_too(width, kernel):
    """At width 300 SGD holds the middle layer's updates back."""
    start = network(width, kernel)
    for frozen, constant in zip(*runs(width, kernel, (2,)), strict=True):
        for a, b in zip(frozen.matrices, constant.matrices, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-8)
        np.testing.assert_allclose(frozen.matrices[1], start.matrices[1], atol=1e-12)


def test_noise_and_penalty_leave_them_alone():
    asked = problem((1, 3), "frozen", temperature=[0.1, 0, 0.1], penalty=0.1)
    start = network(8)
    after = nr.train(asked, start, 0.1, 1.0, 0, save_at=1).network
    for i in (0, 2):
        assert np.asarray(after.weights[i]).tobytes() == np.asarray(start.weights[i]).tobytes()


def test_their_products_are_left_out():
    """Flops of a compiled step: without layer 2's outer product, and without the pass back to layer 1."""
    start = network(64)

    def flops(kind):
        lowered = loop.steps.lower(
            start, None, problem((1, 2), kind), None, jax.random.key(0), jnp.asarray(0.1),
            jnp.int32(0), jnp.int32(1), 4, 1,
        )  # fmt: skip
        return lowered.compile().compiled.cost_analysis()["flops"]

    # Forward, back through w_2, and two products with it: of the order of 4 * 2 * 64 * 64 flops each.
    assert flops("constant") - flops("frozen") > 1.5 * 4 * 2 * 64 * 64


def test_a_last_layer_that_is_frozen_is_told():
    embedding = nr.embeddings.Bidirectional(2, 3, rank=2, gain=1.5)
    row = nr.certify(problem((3,), "frozen"), embedding, nodes=16)
    says = {r.condition: r for r in row.rows}
    assert any(r.status == "violated" and "does not move" in r.how for r in says.values())

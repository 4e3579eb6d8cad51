"""SGD on factored weights is SGD on the matrices, up to rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from products import some

import neuronal as nr
from neuronal.kernels.updates import FACTORED_ROWS

NARROW, WIDE = (40, 30, 20), (300, 270, 280)


def target(x):
    return jnp.sin(4 * x[:, 0])


def falling(t):
    return 1 / (1 + t)


def problem(noise=0.1):
    inputs = nr.distributions.Biased(nr.distributions.Uniform(-1, 1))
    law = nr.distributions.Regression(target, inputs, noise=noise)
    return nr.Problem(law, nr.losses.PseudoHuber(), [falling, *[nr.schedules.constant()] * 3])


def networks(widths, kernel, rank=3):
    x = problem().quadrature(16)[0]
    embedding = nr.embeddings.Bidirectional(2, 4, rank=rank, input_scale=2.0, inputs=x)
    return embedding.sample(widths, jax.random.key(3), kernel=kernel)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("widths", "batch"),
    some(
        ([NARROW, WIDE], [1, 3, 100]),
        [(NARROW, 1), (WIDE, 3), (WIDE, 100)],
    ),
)
def test_steps_are_those_of_the_dense_path(batch, widths):
    """Over several windows and a rank that has to grow; wide enough for updates held back."""
    steps = 3 * FACTORED_ROWS // batch + 7
    dense, wide = (
        nr.train(
            problem(), networks(widths, kernel), 0.1, 0.1 * steps, key=5, batch_size=batch,
            save_at=2, data_nodes=32,
        )
        for kernel in ("dense", "factored")
    )  # fmt: skip
    assert wide.report.steps == dense.report.steps == steps
    assert len(wide.report.ranks) == 2
    np.testing.assert_allclose(wide.loss, dense.loss, rtol=1e-11)
    for a, b in zip(wide.network.matrices, dense.network.matrices, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    moved = np.abs(np.asarray(dense.network.weights[1] - networks(widths, "dense").weights[1]))
    assert moved.max() > 0.01


@pytest.mark.slow
def test_single_precision_keeps_a_low_rank():
    runs = [
        nr.train(problem(0.0), networks(256, kernel), 0.1, 30.0, key=5, save_at=1, data_nodes=32)
        for kernel in ("dense", "factored")
    ]
    x = problem().quadrature(64)[0]
    np.testing.assert_allclose(runs[0].network(x), runs[1].network(x), atol=3e-5)
    assert max(runs[1].report.ranks) < 150
    assert 0 < np.max(runs[1].report.discarded) < 1e-3


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_a_run_taken_up_again_is_the_same():
    how = {"key": 5, "save_at": 1, "data_nodes": 8}
    start = networks(50, "factored")
    whole = nr.train(problem(), start, 0.1, 10.0, **how)
    half = nr.train(problem(), start, 0.1, 4.0, **how)
    rest = nr.train(problem(), half.network, 0.1, 10.0, since=4.0, **how)
    x = problem().quadrature(16)[0]
    np.testing.assert_allclose(rest.network(x), whole.network(x), atol=1e-12)


@pytest.mark.slow
def test_no_array_of_width_times_width():
    """40,000 squared would be 6 GiB; the passes, a step and the risk need none of it."""
    start = networks(40_000, "factored", rank=2)
    run = nr.train(problem(), start, 0.1, 0.5, key=5, save_at=1, data_nodes=8)
    assert run.network.widths == (40_000,) * 3
    assert sum(w.nbytes for w in run.network.weights) < 2**27
    with pytest.raises(
        nr.InvalidInput, match=r"weights\[1\]: factored, 40000 by 40000; as a matrix"
    ):
        run.network.matrices  # noqa: B018


def test_divergence_is_told():
    steep = nr.Problem(problem().distribution, nr.losses.Squared())
    with pytest.raises(nr.DivergenceError):
        nr.train(steep, networks(30, "factored"), 1e3, 1e6, key=1, save_at=2, data_nodes=8)

"""Theorem 1: Picard iterates approach the solution factorially; the residual tells the tolerance."""

import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.theory.picard import chebyshev, picard, residual

LAWS = nr.distributions

pytestmark = pytest.mark.usefixtures("float64")


def target(x):
    return jnp.sin(3 * x[:, 0])


def problem():
    law = LAWS.Regression(target, LAWS.Biased(LAWS.Uniform()))
    return nr.Problem(law, nr.losses.PseudoHuber(1.0), nr.schedules.cosine(10.0, 1.0, 0.5))


def test_the_integral_is_exact_for_polynomials():
    times, integral = chebyshev(9, 3.0)
    for power in range(9):
        np.testing.assert_allclose(
            integral @ times**power, times ** (power + 1) / (power + 1), atol=1e-9
        )


@pytest.mark.slow
@pytest.mark.parametrize("depth", [3, 5])
def test_iterates_approach_faster_than_geometrically(depth):
    embedding = nr.embeddings.Bidirectional(2, depth, rank=3, input_scale=2.0)
    found = picard(problem(), embedding, 3.0, 12, nodes=24, data_nodes=12)
    assert found.distances[-1] < 1e-3 * found.distances[0]
    # After the first few, every ratio is below the one before: no geometric sequence does that.
    later = found.ratios[5:]
    assert np.all(np.diff(later) < 0)
    # C t / m: ratio times m tends to a constant.
    products = later * np.arange(6, 13)
    assert np.ptp(products[-4:]) < 0.05 * products[-1]


@pytest.mark.slow
def test_a_longer_time_takes_more_iterates():
    embedding = nr.embeddings.Bidirectional(2, 3, rank=3, input_scale=2.0)
    near, far = (picard(problem(), embedding, t, 8, nodes=24, data_nodes=12) for t in (1.0, 4.0))
    assert near.distances[-1] < 1e-3 * far.distances[-1]


@pytest.mark.slow
def test_the_residual_is_of_the_tolerance_and_bounds_the_error_in_order():
    embedding = nr.embeddings.Bidirectional(2, 3, rank=3, input_scale=2.0)
    start = embedding.quadrature(24)
    options = {"until": 12.0, "data_nodes": 12, "save_at": 1}
    exact = nr.solve(problem(), start, rtol=1e-11, atol=1e-12, **options).network.weights
    before = np.inf
    for rtol in (1e-2, 1e-4, 1e-6):
        run = nr.solve(problem(), start, rtol=rtol, atol=rtol / 10, **options)
        error = max(
            float(jnp.max(jnp.abs(a - b))) for a, b in zip(run.network.weights, exact, strict=True)
        )
        found = residual(run)
        assert found.shape == (3,)
        assert 0.05 < found.max() / error < 20
        assert found.max() < before / 10
        before = found.max()

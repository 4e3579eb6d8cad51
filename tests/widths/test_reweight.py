"""Weights moved as little as possible: the minimum that they are, and the averages they bring."""

import numpy as np
from scipy import optimize

from neuronal.widths.reweight import least_moved_weights


def test_least_moved_weights_minimise_what_they_say():
    a, tau = np.random.default_rng(3).normal(size=(6, 2)) + 0.4, 0.3

    def primal(q):
        return q @ np.log(6 * q) + np.sum((q @ a) ** 2) / (2 * tau**2)

    best = optimize.minimize(
        primal, np.full(6, 1 / 6), method="SLSQP", bounds=[(1e-9, 1)] * 6, tol=1e-14,
        constraints={"type": "eq", "fun": lambda q: q.sum() - 1},
    )  # fmt: skip
    np.testing.assert_allclose(least_moved_weights(a, tau), best.x, atol=1e-5)


def test_a_fine_tolerance_brings_averages_to_zero_where_it_can():
    a = np.random.default_rng(4).normal(size=(40, 5))
    q = least_moved_weights(a, 1e-6)
    assert np.abs(q @ a).max() < 1e-9
    assert (q > 0).all()
    assert abs(q.sum() - 1) < 1e-12
    np.testing.assert_allclose(least_moved_weights(a - a.mean(axis=0), 0.1), 1 / 40, rtol=1e-9)
    one_sided = least_moved_weights(np.array([[1.0], [2.0], [5.0]]), 1e-3)  # no weights reach zero
    assert one_sided[0] > 0.99

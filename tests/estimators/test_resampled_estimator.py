"""A fitted estimator resampled: another one, of another width, which learns on."""

import numpy as np
import pytest

import neuronal as nr
from neuronal.theory.rates import rms


@pytest.mark.slow
def test_an_estimator_is_resampled_and_learns_on():
    x = np.linspace(-1, 1, 64)[:, None]
    y = np.sin(3 * x[:, 0])
    given = {"nodes": 128, "max_iter": 8, "learning_rate": 0.2, "random_state": 0}
    model = nr.MeanFieldRegressor(width=np.inf, **given).fit(x, y)
    small = model.resample(64, x)
    assert (small.width, small.network_.widths) == (64, (64, 64))
    assert model.width == np.inf and model.network_.widths == (128, 128)
    whole = model.predict(x)
    near, far = rms(small.predict(x) - whole), rms(model.resample(64).predict(x) - whole)
    assert near < far / 2
    before = small.network_.weights[0]
    small.partial_fit(x, y)
    assert small.network_.widths == (64, 64)
    assert not np.array_equal(before, small.network_.weights[0])
    np.testing.assert_array_equal(model.predict(x), whole)


@pytest.mark.parametrize("width", [[8, 4], (8, 4), np.array([8, 8]), [8], 0, -1, 2.5, np.inf, "8"])
def test_a_width_that_cannot_go_on_learning_is_refused_at_once(width):
    x = np.random.default_rng(0).normal(size=(40, 3))
    options = {"width": 16, "max_iter": 1, "learning_rate": 0.2, "random_state": 0, "rank": 4}
    model = nr.MeanFieldRegressor(**options).fit(x, x[:, 0])
    with pytest.raises(nr.InvalidInput, match="^width: takes one integer >= 1"):
        model.resample(width)


@pytest.mark.parametrize("width", [8, np.int64(8), 8.0])
def test_a_resampled_estimator_goes_on_learning(width):
    x = np.random.default_rng(0).normal(size=(40, 3))
    options = {"width": 16, "max_iter": 1, "learning_rate": 0.2, "random_state": 0, "rank": 4}
    model = nr.MeanFieldRegressor(**options).fit(x, x[:, 0]).resample(width)
    assert model.partial_fit(x, x[:, 0]).network_.widths == (8, 8)

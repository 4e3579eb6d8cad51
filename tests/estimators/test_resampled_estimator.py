"""A fitted estimator resampled: another one, of another width, which learns on."""

import numpy as np

import neuronal as nr
from neuronal.theory.rates import rms


def test_an_estimator_is_resampled_and_learns_on():
    x = np.linspace(-1, 1, 64)[:, None]
    y = np.sin(3 * x[:, 0])
    given = {"nodes": 64, "max_iter": 8, "learning_rate": 0.2, "random_state": 0}
    model = nr.MeanFieldRegressor(width=np.inf, **given).fit(x, y)
    small = model.resample(32, x)
    assert (small.width, small.network_.widths) == (32, (32, 32))
    assert model.width == np.inf and model.network_.widths == (64, 64)
    whole = model.predict(x)
    near, far = rms(small.predict(x) - whole), rms(model.resample(32).predict(x) - whole)
    assert near < far / 3
    before = small.network_.weights[0]
    small.partial_fit(x, y)
    assert small.network_.widths == (32, 32)
    assert not np.array_equal(before, small.network_.weights[0])
    np.testing.assert_array_equal(model.predict(x), whole)

"""Runs travel: pickled and read again, in another process too, they are the same."""

import pickle

import numpy as np
import pytest
from saving import things

pytestmark = pytest.mark.usefixtures("float64")


RUNS = {kind: things.THINGS[kind] for kind in ("dense", "factored", "sgd", "coupling")}
"""Those that are saved, so that their programs are compiled once."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", RUNS)
def test_a_run_is_pickled_whole(kind):
    made = RUNS[kind]()
    again = pickle.loads(pickle.dumps(made))
    if kind == "coupling":
        assert again.data.identical(made.data)
        made, again = made.limit, again.limit
    np.testing.assert_array_equal(again.loss, made.loss)
    np.testing.assert_array_equal(again.times, made.times)
    assert str(again.report) == str(made.report)
    for t in (0.0, 0.37, 1.0):  # between records it is run on
        for a, b in zip(made.at(t).matrices, again.at(t).matrices, strict=True):
            np.testing.assert_array_equal(a, b)

"""Runs travel: pickled and read again, in another process too, they are the same."""

import pickle

import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr

pytestmark = pytest.mark.usefixtures("float64")


def target(x):
    return jnp.sin(3 * x[:, 0])


LAW = nr.distributions.Regression(target, nr.distributions.Biased(nr.distributions.Uniform()))
PROBLEM = nr.Problem(LAW, nr.losses.Squared(), decay=0.1)
EMBEDDING = nr.embeddings.Bidirectional(2, 3, rank=3)
RUNS = {
    "dense": lambda: nr.solve(PROBLEM, EMBEDDING, 2.0, nodes=16, data_nodes=8, save_at=4),
    "factored": lambda: nr.solve(
        PROBLEM, EMBEDDING, 2.0, nodes=32, kernel="factored", data_nodes=8, save_at=4
    ),
    "sgd": lambda: nr.train(PROBLEM, EMBEDDING.sample(8, 0), 0.1, 2.0, 0, save_at=4, data_nodes=8),
    "coupling": lambda: nr.couple(
        PROBLEM, EMBEDDING, [4, 8], 0.1, 2.0, 0, seeds=2, nodes=16, save_at=2, data_nodes=8
    ),
}


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
    for t in (0.0, 1.3, 2.0):  # between records it is run on
        for a, b in zip(made.at(t).matrices, again.at(t).matrices, strict=True):
            np.testing.assert_array_equal(a, b)

"""What `resample`, `resampling_error` and `grow` refuse, and what they take in several forms."""

import jax.numpy as jnp
import numpy as np
import pytest
from sample_networks import X, a_network

import neuronal as nr


def test_bad_input_is_named():
    network = a_network((4, 5))
    for call, named in (
        (lambda: nr.resample(network, 0, 0), "widths"),
        (lambda: nr.resample(network, (3, 4, 5), 0), "widths"),
        (lambda: nr.resample([1, 2], 3, 0), "network"),
        (lambda: nr.resample(network, 3, 0, inputs=np.zeros((4, 3))), "x: takes shape"),
        (lambda: nr.resample(network, 3, 0, inputs=np.zeros((0, 2))), "inputs"),
        (lambda: nr.resampling_error(network, 2.5, X), "widths"),
        (lambda: nr.resampling_error(network, 2, X[:, :1]), "x: takes shape"),
        (lambda: nr.grow(network, 4, 0), "widths: takes 5 or more"),
        (lambda: nr.grow(network, 8, 0, spread=-1.0), "spread"),
        (lambda: nr.grow(network, 8, 0, spread=np.nan), "spread"),
        (lambda: nr.grow(None, 8, 0), "network"),
    ):
        with pytest.raises(nr.InvalidInput, match=named):
            call()


def test_inputs_may_be_lists_and_are_finite():
    network = a_network((4,))
    assert jnp.shape(nr.resampling_error(network, 3, [[1, 2], [0, 1]])) == (2, 1)
    with pytest.raises(nr.InvalidInput, match="NaN"):
        nr.resample(network, 3, 0, inputs=[[np.nan, 1.0]])

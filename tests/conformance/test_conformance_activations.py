"""What every activation keeps: one of the registry passes by being listed there."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import neuronal as nr
from neuronal.bounds.intervals import Interval

A = nr.activations
SIZE = 64
NUMBERS = arrays(float, SIZE, elements=st.floats(-30, 30, allow_subnormal=False))
SHARES = arrays(float, SIZE, elements=st.floats(0, 1, allow_subnormal=False))
FEW = settings(max_examples=25, deadline=None, derandomize=True)


def parts(activation, h):
    """phi, phi' and phi'' (one-sided at a kink) at numbers, in double precision."""
    with jax.enable_x64(True):
        at = jnp.asarray(h, float)
        curve = jax.vmap(jax.grad(activation.derivative))(at)
        return [np.asarray(a) for a in (*activation.value_and_derivative(at), curve)]


@pytest.mark.slow
@pytest.mark.parametrize("name", A.ACTIVATIONS)
@given(h=NUMBERS)
@FEW
def test_the_derivative_is_that_of_the_value_and_within_what_is_declared(name, h):
    phi = A.get(name)
    value, slope, curve = parts(phi, h)
    with jax.enable_x64(True):
        automatic = np.asarray(jax.vmap(jax.grad(lambda h: phi(h)))(jnp.asarray(h, float)))
    away = h != 0  # where relu has a kink
    np.testing.assert_allclose(slope[away], automatic[away], rtol=1e-9, atol=1e-12)
    assert np.all(np.abs(value) <= phi.bound)
    assert np.all(np.abs(slope) <= phi.derivative_bound * (1 + 1e-12))
    assert np.all(np.abs(curve) <= phi.derivative_lipschitz * (1 + 1e-12))
    if phi.derivative_nonzero:
        assert np.all(slope[np.abs(h) < 4] > 0)  # beyond, it may underflow


@pytest.mark.parametrize("name", A.ACTIVATIONS)
@given(a=NUMBERS, b=NUMBERS, share=SHARES)
@FEW
def test_the_form_contains_the_values(name, a, b, share):
    """Sizes: a form may be one up to its sign."""
    form = A.get(name).proven_form
    low, high = np.minimum(a, b), np.maximum(a, b)
    exact = parts(A.get(name), np.clip(low + share * (high - low), low, high))
    for extension, value in zip((form.value, form.first, form.second), exact, strict=True):
        if extension is not None:
            image = abs(extension(Interval(low, high)))
            assert np.all(image.low - 1e-13 <= np.abs(value))
            assert np.all(np.abs(value) <= image.high + 1e-13)


@pytest.mark.parametrize("name", A.ACTIVATIONS)
def test_its_constants_are_proved_where_they_exist(name):
    phi = A.get(name)
    law = nr.distributions.Empirical(np.eye(2), np.ones(2))
    problem = nr.Problem(law, nr.losses.PseudoHuber())
    embedding = nr.embeddings.Bidirectional(2, 2, activation=phi, last_activation=phi)
    rows = nr.certify(problem, embedding, nodes=4)
    for condition, constant in (
        ("phi_1 bounded", phi.bound),
        ("phi'_1 bounded", phi.derivative_bound),
        ("phi'_1 Lipschitz", phi.derivative_lipschitz),
    ):
        expected = "proved" if constant < np.inf else "violated"
        assert rows[f"1.1 {condition}"].status == expected


@pytest.mark.parametrize("name", A.ACTIVATIONS)
def test_a_form_does_not_count_in_comparisons_and_survives_pickling(name):
    phi = A.get(name)
    bare = dataclasses.replace(phi, form=None)
    assert bare == phi and hash(bare) == hash(phi) and A.ACTIVATIONS[name] is phi
    again = pickle.loads(pickle.dumps(phi))
    assert again == phi and again.proven_form is not None


@pytest.mark.parametrize("name", A.ACTIVATIONS)
def test_a_form_proves_nothing_of_another_function(name):
    other = dataclasses.replace(A.get(name), value_and_derivative=lambda h: (h**3, 3 * h**2))
    assert other.form is not None and other.proven_form is None


@pytest.mark.parametrize("name", A.ACTIVATIONS)
def test_arrays_of_any_shape_keep_shape_and_precision(name):
    h = np.zeros((2, 3), np.float32)
    for found in (A.get(name)(h), A.get(name).derivative(h)):
        assert found.shape == (2, 3) and found.dtype == np.float32

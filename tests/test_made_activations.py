"""Activations made of numbers or of others, against autodiff, SciPy's quadrature and closed forms."""

import itertools
import pickle
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

import neuronal as nr
from neuronal.bounds.intervals import Interval

A = nr.activations
KNOTS, VALUES = (-0.3, 0.5, 1.5), (-4.0, -2.5, 7.5)
MMN = A.piecewise_linear([0.5, 1.5], [-2.5, 7.5])
MADE = {
    "pieces": A.piecewise_linear(KNOTS, VALUES),
    "two pieces": MMN,
    "level": A.piecewise_linear([0.0, 1.0], [2.0, 2.0]),
    "scaled tanh": A.scaled(3.0, "tanh"),
    "scaled identity": A.scaled(0.25),
    "scaled relu": A.scaled(2.0, "relu"),
    "scaled pieces": A.scaled(2.0, MMN),
}
"""Those with a form; averages over directions are below."""
RADIAL = {
    "pieces, 40": (MMN, 40), "pieces, 5": (MMN, 5), "relu, 7": (A.relu, 7),
    "softplus, 3": (A.softplus, 3), "square, 5": (A.square, 5), "sigmoid, 10": (A.sigmoid, 10),
    "softplus, 2": (A.softplus, 2),
}  # fmt: skip
H = np.random.default_rng(0).uniform(-6, 6, 4000)

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def radial():
    with jax.enable_x64(True):
        return {name: A.radial(*pair) for name, pair in RADIAL.items()}


def slope_of(phi, h):
    return np.asarray(jax.vmap(jax.grad(lambda h: phi(h)))(jnp.asarray(h)))


@pytest.mark.parametrize("name", MADE)
def test_the_derivative_is_that_of_the_value(name):
    phi = MADE[name]
    np.testing.assert_allclose(phi.derivative(H), slope_of(phi, H), rtol=1e-12, atol=1e-12)
    assert phi(np.ones((2, 3), "f4")).dtype == phi.derivative(np.ones(3, "f4")).dtype == "f4"
    assert phi(np.ones((2, 3), "f4")).shape == (2, 3)


def test_pieces_are_straight_between_the_points():
    phi = MADE["pieces"]
    np.testing.assert_allclose(phi(H), np.interp(H, KNOTS, VALUES), atol=1e-13)
    np.testing.assert_array_equal(phi.derivative(np.array(KNOTS)), [0, 1.875, 10.0])
    assert (phi.bound, phi.derivative_bound, phi.derivative_lipschitz) == (7.5, 10.0, np.inf)
    assert phi.kinks == KNOTS and MMN.kinks == (0.5, 1.5)
    far = phi(np.array([1e6, -1e6], "f4"))
    np.testing.assert_array_equal(far, np.array([7.5, -4.0], "f4"))


def test_multiples_are_multiples():
    for name, phi in (("scaled tanh", A.tanh), ("scaled relu", A.relu)):
        ours, factor = MADE[name], {"scaled tanh": 3.0, "scaled relu": 2.0}[name]
        np.testing.assert_array_equal(ours(H), factor * phi(H))
        assert ours.bound == factor * phi.bound
        assert ours.derivative_lipschitz == factor * phi.derivative_lipschitz
        assert ours.derivative_nonzero == phi.derivative_nonzero
    assert MADE["scaled pieces"].kinks == MMN.kinks


@pytest.mark.parametrize("name", MADE)
def test_the_form_contains_the_values_and_proves_the_constants(name):
    phi = MADE[name]
    assert phi.proven_form is not None
    rng = np.random.default_rng(1)
    low = rng.uniform(-4, 4, 500)
    high = low + rng.exponential(1.0, 500) * rng.integers(0, 2, 500)
    h = low + rng.uniform(size=500) * (high - low)
    for part, exact in (("value", phi(h)), ("first", phi.derivative(h))):
        extension = getattr(phi.proven_form, part)
        if extension is not None:
            image = extension(Interval(low, high))
            assert np.all((image.low <= exact) & (exact <= image.high))
    data = nr.distributions.Empirical(np.eye(2), np.ones(2))
    problem = nr.Problem(data, nr.losses.PseudoHuber())
    rows = nr.certify(problem, nr.embeddings.IID(2, 2, activation=phi), nodes=4)
    for condition, constant in (
        ("phi_1 bounded", phi.bound),
        ("phi'_1 bounded", phi.derivative_bound),
        ("phi'_1 Lipschitz", phi.derivative_lipschitz),
    ):
        expected = "proved" if constant < np.inf else "violated"
        assert rows[f"1.1 {condition}"].status == expected


def expected_average(phi, dim, h, derivative=False):
    """SciPy's adaptive quadrature in the angle, between kinks and near the middle."""
    marks = {0.0, *(float(np.arcsin(np.clip(k / h, -1, 1))) for k in phi.kinks)}
    for scale in (1.0, 4.0, 16.0, 64.0):
        marks |= {sign * float(np.arcsin(min(1.0, scale / h))) for sign in (-1, 1)}
        marks |= {sign * min(1.5, scale / np.sqrt(dim)) for sign in (-1, 1)}
    edges = [-np.pi / 2, *sorted(m for m in marks if abs(m) < 1.57), np.pi / 2]

    def integrand(angle):
        u = np.sin(angle)
        f = u * phi.derivative(h * u) if derivative else phi(h * u)
        return np.asarray(f) * np.cos(angle) ** (dim - 2) / special.beta(0.5, (dim - 1) / 2)

    return sum(
        integrate.fixed_quad(integrand, a, b, n=100)[0] for a, b in itertools.pairwise(edges)
    )


@pytest.mark.parametrize("name", RADIAL)
def test_averages_over_directions_are_those_of_quadrature(radial, name):
    (phi, dim), average = RADIAL[name], radial[name]
    for h in (1e-3, 0.31, 0.72, 1.7, 6.4, 33.3, 777.0):
        size = max(1.0, float(np.abs(phi(jnp.asarray([h, -h]))).max()))
        slope = max(1.0, float(np.abs(phi.derivative(jnp.asarray([h, -h]))).max()))
        for sign in (1.0, -1.0):
            assert abs(average(sign * h) - expected_average(phi, dim, h)) < 1e-7 * size
            expected = sign * expected_average(phi, dim, h, derivative=True)
            assert abs(average.derivative(sign * h) - expected) < 1e-4 * slope


def test_averages_in_closed_form(radial):
    """E (h u_1)^2 = h^2 / d; E relu(h u_1) = |h| E|u_1| / 2; a direction's law by Monte Carlo."""
    np.testing.assert_allclose(radial["square, 5"](H), H**2 / 5, rtol=1e-7, atol=1e-7)
    mean = special.gamma(3.5) / special.gamma(4) / np.sqrt(np.pi)
    np.testing.assert_allclose(radial["relu, 7"](H), np.abs(H) * mean / 2, rtol=1e-7)
    u = np.random.default_rng(0).normal(size=(200_000, 40))
    samples = MMN(3.0 * jnp.asarray(u[:, 0] / np.linalg.norm(u, axis=1)))
    error = np.std(samples) / np.sqrt(len(samples))
    assert abs(radial["pieces, 40"](3.0) - np.mean(samples)) < 4 * error


@pytest.mark.slow
@pytest.mark.parametrize("name", RADIAL)
def test_a_table_s_derivative_is_its_own_and_its_constants_hold(radial, name):
    phi = radial[name]
    h = np.concatenate([H, 200 * H, 10_000 * H])
    np.testing.assert_allclose(phi.derivative(h), slope_of(phi, h), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(phi(h), phi(-h))
    assert np.all(np.abs(phi(h)) <= phi.bound)
    assert np.all(np.abs(phi.derivative(h)) <= phi.derivative_bound)
    at = np.linspace(-60, 60, 200_001)
    steepest = np.abs(np.diff(phi.derivative(at)) / np.diff(at)).max()
    assert steepest <= phi.derivative_lipschitz * (1 + 1e-6)
    single = np.asarray(phi(H.astype("f4")))
    assert single.dtype == "f4"
    np.testing.assert_allclose(single, phi(H), atol=2e-6 * float(np.abs(phi(H)).max()))


def test_an_odd_activation_averages_to_nothing():
    phi = A.radial("tanh", 4)
    assert np.abs(phi(H)).max() < 1e-15 and not phi.non_obstructive


@pytest.mark.parametrize("make", [
    partial(A.piecewise_linear, KNOTS, VALUES), partial(A.scaled, 2.0, "erf"), partial(A.radial, MMN, 40),
])  # fmt: skip
def test_equal_ones_are_equal_and_survive_pickling(make):
    one, other = make(), make()
    assert one == other and hash(one) == hash(other)
    again = pickle.loads(pickle.dumps(one))
    assert again == one and (again.proven_form is None) == (one.proven_form is None)
    np.testing.assert_array_equal(again(H), one(H))


def test_a_radial_network_is_the_full_one_averaged_over_rotations():
    """E over rotations of w of tanh-free phi(<w, x>): one input |x|, weights |w|, and phi_d."""
    rng = np.random.default_rng(2)
    d, radii, outer = 6, rng.uniform(0.5, 2, 5), rng.normal(size=(5, 1))
    x = rng.normal(size=(3, d))
    directions = rng.normal(size=(20_000, 1, d))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    full = np.mean(np.asarray(MMN(jnp.asarray(directions * radii[:, None]) @ x.T)), axis=0)
    reduced = nr.Network([radii[:, None], outer], A.radial(MMN, d))
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(reduced(lengths), full.T @ outer / 5, atol=0.15)
    assert stats.pearsonr(reduced(lengths)[:, 0], (full.T @ outer / 5)[:, 0]).statistic > 0.99


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("kernel", ["dense", "factored"])
def test_a_doubled_network_predicts_nothing(depth, kernel):
    if depth == 2 and kernel == "factored":
        return
    network = nr.embeddings.Bidirectional(2, depth, rank=2, gain=1.0).sample(6, 0, kernel)
    x = np.random.default_rng(0).normal(size=(5, 2))
    twice = network.doubled()
    assert twice.widths == (*network.widths[:-1], 12) and twice.factored == network.factored
    assert np.abs(twice(x)).max() < 1e-15 < 1e-3 < np.abs(network(x)).max()
    for before, after in zip(network.preactivations(x)[:-1], twice.preactivations(x), strict=False):
        np.testing.assert_allclose(after[:, : before.shape[1]], before, rtol=1e-12, atol=1e-12)

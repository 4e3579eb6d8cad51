"""A claim's check fails where its physics is broken: a row per claim and way to break it."""

import jax.numpy as jnp
import numpy as np
import pytest
import work_runs as ways
from work_runs import fails, replaced

from neuronal.distributions import GaussianMixture, Sphere
from neuronal.embeddings import IID
from neuronal.kernels.biases import Affine
from neuronal.motion.temperature import Temperature
from neuronal.schedules import cosine
from neuronal.theory import fokker_planck
from neuronal.units import Dirichlet, Gaussian
from neuronal.works import (
    anisotropic,
    aoy19,
    cb18,
    deconvolution,
    lazy,
    mmn18,
    ngu19,
    np20,
    radial_units,
    rve18,
    ss19,
)

pytestmark = pytest.mark.long


def thawed(monkeypatch):
    monkeypatch.setattr(aoy19, "RATES", (1.0,) * 5)


def noisy_labels(monkeypatch):
    """Y is no function of X: the infimum of the risk is not 0."""

    def change(of):
        def raised(points):
            law = of(points)
            x = jnp.concatenate([law.x, law.x])
            return type(law)(x, jnp.concatenate([law.y + 0.3, law.y - 0.3]))

        return raised

    replaced(monkeypatch, np20, "raised", change)


def varying_rates(monkeypatch):
    """Learning rates that the theorem on three layers does not have."""
    replaced(monkeypatch, np20, "constant", lambda of: lambda v: cosine(1000.0, v, v / 2))


def unequal_means(monkeypatch):
    """Weights between neurons do not average to their mean in the limit."""

    def change(of):
        def quadrature(self, *arguments, **more):
            network = of(self, *arguments, **more)
            first, second, *rest = network.weights
            return network.with_weights((first, second + 0.1, *rest))

        return quadrature

    replaced(monkeypatch, IID, "quadrature", change)


def half_as_many(monkeypatch):
    change = lambda of: lambda network, n, seed: of(network, n // 2, seed)
    replaced(monkeypatch, ngu19, "resample", change)


def four_of_layer_two(monkeypatch):
    """However wide the second layer, it has four neurons, many times each."""

    def change(of):
        def half_limit(n_2, nodes, key):
            network = of(4, nodes, key)
            first, second, last = network.matrices
            many = n_2 // 4
            weights = [first, jnp.tile(second, (1, many)), jnp.tile(last, (many, 1))]
            return type(network)(
                weights, network.activations, (network.measures[0], np.full(n_2, 1 / n_2))
            )

        return half_limit

    replaced(monkeypatch, ss19, "half_limit", change)


def still(monkeypatch):
    ways.of_speeds(monkeypatch, lambda widths: 0.0)


def slower_if_wider(monkeypatch):
    ways.of_speeds(monkeypatch, lambda widths: (16 / widths[0]) ** 2)


def first_layer_faster(monkeypatch):
    ways.of_speeds(monkeypatch, lambda widths: np.array([1.1, 1.0]))


def wrong_gradient(monkeypatch):
    replaced(monkeypatch, Gaussian, "gradient", lambda of: lambda *given: 1.01 * of(*given))


def without_newborn(monkeypatch):
    change = lambda of: lambda births=0.0, reinject=None: of(births)
    replaced(monkeypatch, radial_units, "problem", change)


def short_line(monkeypatch):
    monkeypatch.setattr(radial_units, "REACH", 2.5)


def larger_sphere(monkeypatch):
    replaced(monkeypatch, Sphere, "_project", lambda of: lambda self, z: 1.1 * of(self, z))


def small_resampling_error(monkeypatch):
    replaced(monkeypatch, rve18, "resampling_error", lambda of: lambda *given: of(*given) / 5)


def lower_order(monkeypatch):
    replaced(
        monkeypatch, Dirichlet, "value",
        lambda of: lambda self, *given: of(Dirichlet(self.order - 1), *given)
        if self.order == deconvolution.ORDER else of(self, *given),
    )  # fmt: skip


def half_the_penalty(monkeypatch):
    replaced(monkeypatch, deconvolution, "MassPenalty", lambda of: lambda s, p: of(s / 2, p))


def few_students(monkeypatch):
    """However many students, they have four ways to look."""

    def change(of):
        def student(width, seed):
            network = of(4, seed)
            first, last = (np.asarray(w) for w in network.matrices)
            return type(network)(
                [np.tile(first, (width // 4, 1)), np.tile(last, (width // 4, 1))], "relu"
            )

        return student

    replaced(monkeypatch, cb18, "student", change)


def many_students(monkeypatch):
    change = lambda of: lambda width, seed: of(64 if width == 4 else width, seed)
    replaced(monkeypatch, cb18, "student", change)


def different_starts(monkeypatch):
    monkeypatch.setattr(cb18, "ALIKE", np.random.default_rng(0).normal(size=(8, 2)))


def half_the_noise(monkeypatch):
    change = lambda of: lambda *given: {i: kick / 2**0.5 for i, kick in of(*given).items()}
    replaced(monkeypatch, Temperature, "kicks", change)


def faster(monkeypatch):
    ways.of_speeds(monkeypatch, lambda widths: 1.25)


def central_differences(monkeypatch):
    replaced(monkeypatch, fokker_planck, "_bernoulli", lambda of: lambda u: 1 - 0.6 * u)


def entropy_times(factor):
    def patch(monkeypatch):
        replaced(
            monkeypatch, fokker_planck.FokkerPlanck, "entropy",
            lambda of: lambda self, masses: factor * of(self, masses),
        )  # fmt: skip

    return patch


def larger_kernel(monkeypatch):
    replaced(monkeypatch, lazy, "tangent_kernel", lambda of: lambda *given: 1.05 * of(*given))


def scale_of_values_alone(monkeypatch):
    one = lambda scale: mmn18.Activation(
        "a", lambda h: (scale * h, jnp.ones_like(h)), np.inf, 1.0, 0.0, True
    )
    monkeypatch.setattr(lazy, "scaled_activation", one)


def other_dimension(monkeypatch):
    replaced(
        monkeypatch, mmn18, "radial", lambda of: lambda phi, dim, *more: of(phi, dim // 4, *more)
    )


def twice_in_a_batch(monkeypatch):
    """Every sample of a batch comes twice: their noise is that of half the batch."""
    change = lambda of: (
        lambda self, key, m: tuple(jnp.concatenate([part, part]) for part in of(self, key, m // 2))
    )
    replaced(monkeypatch, GaussianMixture, "sample", change)


def longer_inputs(monkeypatch):
    """The reduced inputs are those of other numbers of coordinates."""
    replaced(monkeypatch, anisotropic, "gamma_rule", lambda of: lambda shape, n: of(1.3 * shape, n))


def biases_at_rest(monkeypatch):
    """Weights between layers move, and their biases do not."""
    change = lambda of: lambda self, f: of(self, f).at[:, -1].set(0)
    replaced(monkeypatch, Affine, "seeing", change)


CASES = [
    ("aoy19", ways.without_slopes, ["the limit is"]),
    ("aoy19", ways.faster_if_wider, ["networks are within"]),
    ("aoy19", ways.dependent_edges, ["weights between", "those behind", "those before"]),
    ("aoy19", ways.one_sample, ["SGD leaves"]),
    ("aoy19", thawed, ["the first and the last"]),
    ("np20", ways.networks_faster, ["D_T, the largest"]),
    ("np20", ways.one_sample, ["D_T of SGD"]),
    ("np20", ways.wider_edges, ["the law of the limit"]),
    ("np20", noisy_labels, [
        "convex loss, (i) w_3 frozen: the risk", "convex loss, (ii) w_3 trained: the risk", "non-convex",
    ]),
    ("np20", varying_rates, [
        "convex loss, (i) w_3 frozen: cond", "convex loss, (ii) w_3 trained: cond",
    ]),
    ("np20", ways.dependent_edges, ["depth 4", "and networks are near"]),
    ("np20", unequal_means, ["means 0"]),
    ("ngu19", ways.without_slopes, ["the limit by"]),
    ("ngu19", ways.networks_faster, ["networks of all widths"]),
    ("ngu19", ways.twins, ["width times"]),
    ("ngu19", half_as_many, ["neurons drawn"]),
    ("ngu19", ways.faster_if_wider, ["digits"]),
    ("ngu19", biases_at_rest, ["the limit by its forward, backward and evolution equations: averages alone "
                               "matter, biases"]),
    ("ngu19", ways.networks_faster, [
        "networks of all widths lie on the limit: exponent of n of the distance, biases",
    ]),
    ("ss18", ways.faster_if_wider, ["law of large"]),
    ("ss18", ways.wider_nodes, ["variance at the start"]),
    ("ss18", ways.twins, ["central limit", "of which the", "the limit of sqrt", "propagation"]),
    ("ss19", ways.wider_nodes, ["V_2, the second"]),
    ("ss19", four_of_layer_two, ["N_1 to infinity", "its constant"]),
    ("ss19", ways.twins, ["both finite, (40"]),
    ("ss19", ways.faster_if_wider, ["N_1 finite", "both finite, (200"]),
    ("rve18", ways.faster_if_wider, ["error of networks"]),
    ("rve18", ways.repeated_batches, ["a larger batch"]),
    ("rve18", ways.twins, [f"n times the mean squared error at t = {t}" for t in (1, 5)]),
    ("rve18", still, ["training heals"]),
    ("rve18", small_resampling_error, ["the trained fluctuation"]),
    ("rve18", wrong_gradient, ["radial units move", "radial units with birth"]),
    ("rve18", without_newborn, ["birth and death with newborn"]),
    ("rve18", short_line, ["energy of no unit"]),
    ("rve18", larger_sphere, ["3-spin model: half"]),
    ("rve18", slower_if_wider, ["3-spin model, d = 5"]),
    ("cb18", lower_order, ["deconvolution", "the dual", "the objective"]),
    ("cb18", half_the_penalty, ["deconvolution", "the dual", "the objective"]),
    ("cb18", first_layer_faster, ["2-homogeneous"]),
    ("cb18", few_students, ["ReLU, 4"]),
    ("cb18", many_students, ["4 students"]),
    ("cb18", different_starts, ["without its support"]),
    ("langevin", faster, ["linear neuron: mean"]),
    ("langevin", half_the_noise, ["linear neuron: variance", "and are spread"]),
    ("langevin", ways.faster_if_wider, ["particles predict"]),
    ("langevin", central_differences, ["the stationary law is"]),
    ("langevin", entropy_times(6), ["free energy's gap"]),
    ("langevin", entropy_times(0.5), ["the duality gap"]),
    ("langevin", still, ["n neurons stay", "annealing"]),
    ("lazy", scale_of_values_alone, ["scaling the output"]),
    ("lazy", larger_kernel, ["the tangent kernel", "L = 2, doubled start: distance"]),
    ("lazy", ways.without_slopes, ["the limit at scale"]),
    ("mmn18", other_dimension, ["SGD in 40", "and its neurons", "the limit comes"]),
    ("mmn18", ways.faster_if_wider, ["distance from the limit"]),
    ("mmn18", still, ["an activation that", "the same from", "with large steps"]),
    ("mmn18", twice_in_a_batch, ["SGD in 320"]),
    ("mmn18", half_the_noise, ["noisy SGD", "and its radii"]),
    ("mmn18", longer_inputs, ["anisotropic", "and its neurons have the limit's radii in"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "way", "claims"), CASES)
def test_a_claim_fails_where_its_physics_is_broken(monkeypatch, name, way, claims):
    way(monkeypatch)
    fails(name, claims)

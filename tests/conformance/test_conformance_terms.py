"""What every term of the motion keeps: a new one passes by being listed in `TERMS`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.motion.change import Change
from neuronal.motion.decay import Decay
from neuronal.motion.term import Term

pytestmark = pytest.mark.usefixtures("float64")

DEPTH = 3


class Pull(Term):
    """A user's own: the first layer is pulled to a target, the others are left alone."""

    target: jax.Array
    strength: float
    first: int = 1
    outside = "w_1 is pulled to a target"

    def added(self, changes, rates, t):
        if self.first > 1:
            return changes
        (f, g, decay), *others = changes
        rate = rates[0] * self.strength
        f = jnp.concatenate([f, jnp.ones((1, f.shape[1]), f.dtype)])
        g = jnp.concatenate([g, rate * self.target[None]])
        return [Change(f, g, rate if decay is None else rate + decay), *others]

    def of_layers(self, first, last):
        return Pull(self.target, self.strength, first)

    def objective(self, weights, measures, t):
        squares = jnp.sum((weights[0] - self.target) ** 2, axis=1)
        return self.strength / 2 * measures[0] @ squares


TERMS = {
    "decay": lambda: Decay((nr.schedules.constant(0.3), lambda t: 0.2 + 0.1 * t, lambda t: 0 * t)),
    "pull": lambda: Pull(jnp.array([0.4, -0.7]), 0.5),
}

terms = pytest.mark.parametrize("name", TERMS)


def problem_with(*given):
    x = np.linspace(-1, 1, 6)
    law = nr.distributions.Empirical(np.c_[x, np.ones(6)], np.sin(3 * x))
    rates = [nr.schedules.constant(0.5), nr.schedules.warmup(2.0), nr.schedules.constant()]
    return nr.Problem(law, nr.losses.PseudoHuber(), rates, terms=given)


def start(width=40, kernel="dense"):
    embedding = nr.embeddings.Bidirectional(2, DEPTH, rank=2, gain=1.5)
    return embedding.sample(width, jax.random.key(0), kernel)


def changes_of(name, network):
    problem = problem_with(TERMS[name]())
    samples = problem.quadrature(6)
    motion, t = problem.motion(network), jnp.asarray(0.7)
    return motion.changes(t, network.weights, samples)[0], motion.rates(t), t


def velocity(changes, weights):
    return [np.asarray(c.velocity(w)) for c, w in zip(changes, weights, strict=True)]


@terms
def test_the_term_of_some_layers_is_the_same_term(name):
    network = start()
    plain = problem_with()
    bare = plain.motion(network)
    t = jnp.asarray(0.7)
    before, _ = bare.changes(t, network.weights, plain.quadrature(6))
    rates = bare.rates(t)
    whole = velocity(TERMS[name]().added(before, rates, t), network.weights)
    for first in range(1, DEPTH + 1):
        for last in range(first, DEPTH + 1):
            part = slice(first - 1, last)
            some = TERMS[name]().of_layers(first, last).added(before[part], rates[part], t)
            for ours, theirs in zip(
                velocity(some, network.weights[part]), whole[part], strict=True
            ):
                np.testing.assert_allclose(ours, theirs, atol=1e-13)


@terms
def test_what_it_adds_is_minus_the_gradient_of_its_objective(name):
    """In L^2(P): over the mass of each neuron, or pair of neurons; by automatic differentiation."""
    term, network, t = TERMS[name](), start(), jnp.asarray(0.7)
    nothing = [Change(jnp.zeros((1, len(w))), jnp.zeros((1, w.shape[1]))) for w in network.weights]
    found = velocity(term.added(nothing, [jnp.ones(())] * DEPTH, t), network.weights)
    gradient = jax.grad(lambda w: term.objective(w, network.measures, t))(network.weights)
    p, q = map(np.asarray, network.measures)
    for v, g, mass in zip(found, gradient, (p[:, None], np.outer(p, q), q[:, None]), strict=True):
        np.testing.assert_allclose(v, -np.asarray(g) / mass, rtol=1e-10, atol=1e-12)


@terms
@pytest.mark.parametrize(("width", "kernel"), [(40, "dense"), (200, "dense"), (40, "factored")])
def test_a_step_of_sgd_is_one_of_euler_s_method(name, width, kernel):
    """At width 200 the middle layer holds updates back."""
    network, eps, steps = start(width, kernel), 0.05, 5
    problem = problem_with(TERMS[name]())
    law = problem.distribution
    stream = (np.tile(law.x, (steps, 1, 1)), np.tile(law.y, (steps, 1, 1)))
    run = nr.train(problem, network, eps, eps * steps, 0, data=stream, save_at=1)
    weights, samples = network.matrices, problem.quadrature(6)
    for k in range(steps):
        now = jnp.asarray(k * eps)
        speeds = problem.motion(network).velocity(now, weights, samples)
        weights = tuple(w + eps * v for w, v in zip(weights, speeds, strict=True))
    for ours, theirs in zip(run.network.matrices, weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-11)


@pytest.mark.slow
@terms
def test_dense_and_factored_limits_agree_and_carry_their_own_neurons(name):
    problem, network = problem_with(TERMS[name]()), start()
    how = {"until": 1.0, "rtol": 1e-9, "atol": 1e-11, "save_at": 2}
    dense = nr.solve(problem, network, kernel="dense", **how)
    wide = nr.solve(problem, network, kernel="factored", **how)
    for one, two in zip(dense.network.matrices, wide.network.matrices, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-7)
    for layer in range(1, DEPTH):
        pair = lambda n, i=layer: (
            n.weights[0][5] if i == 1 else n.weights[i - 1][:, 5],
            n.weights[i][5],
        )
        carried = nr.flow(dense, layer, pair(dense.at(0.0)), rtol=1e-8)
        for ours, theirs in zip(carried, pair(dense.network), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


@terms
def test_a_certificate_says_why_the_paper_does_not_cover_it(name):
    embedding = nr.embeddings.Bidirectional(2, DEPTH, rank=2, gain=1.5)
    row = nr.certify(problem_with(TERMS[name]()), embedding, nodes=16)["2 motion"]
    assert row.status == "unknown" and TERMS[name]().outside in row.how


def test_terms_add_up_and_what_is_no_term_is_named():
    network = start()
    both = problem_with(*(make() for make in TERMS.values()))
    changes, rates, t = changes_of("decay", network)
    ours = both.motion(network).velocity(t, network.weights, both.quadrature(6))
    theirs = velocity(TERMS["pull"]().added(changes, rates, t), network.weights)
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-13)
    with pytest.raises(nr.InvalidInput, match="terms: takes terms of the motion"):
        problem_with(0.1)

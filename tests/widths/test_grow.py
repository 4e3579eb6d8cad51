"""Networks grown: the same function, copies of each neuron, and what they learn on."""

import jax
import numpy as np
import pytest
from sample_networks import X, a_factored_network, a_network, parents, problem_1d

import neuronal as nr
from neuronal import dynamics

CASES = [((7,), 7), ((7,), 24), ((3, 5, 4), (9, 5, 11))]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("widths", "wider"), CASES)
def test_growing_keeps_the_function_exactly(widths, wider):
    network = a_network(widths, k=2, last="tanh")
    for spread in (0.0, 1.0, 10.0):
        wide = nr.grow(network, wider, 3, spread)
        np.testing.assert_allclose(wide(X), network(X), rtol=1e-12, atol=1e-13)
    assert wide.widths == (wider if isinstance(wider, tuple) else (wider,))


@pytest.mark.usefixtures("float64")
def test_growing_factored_weights_keeps_them_and_the_function():
    network = a_factored_network()
    wide = nr.grow(network, 150, 0)
    assert [len(w.s) for w in wide.weights[1:-1]] == [3, 3]
    np.testing.assert_allclose(wide(X), network(X), rtol=1e-10, atol=1e-13)
    assert len(np.unique(np.asarray(wide.weights[1].f), axis=1).T) == 150


def test_measures_are_shared_as_evenly_as_whole_copies_allow():
    """The copies' largest measure is the least that any numbers of copies give."""
    p = np.array([0.47, 0.26, 0.2, 0.05, 0.02])
    for count in (5, 6, 7, 8, 9):
        network = nr.Network([np.arange(5.0)[:, None], np.ones((5, 1))], "tanh", [p])
        copies = np.bincount(parents(network, nr.grow(network, count, 0)))
        assert copies.sum() == count
        options = np.array(np.meshgrid(*[range(1, 5)] * 5)).reshape(5, -1).T
        options = options[options.sum(axis=1) == count]
        assert np.max(p / copies) == np.min(np.max(p / options, axis=1))


@pytest.mark.parametrize("wide", [False, True])
def test_precision_is_kept(wide):
    with jax.enable_x64(wide):
        made = nr.grow(a_network((8, 9)), 12, 0)
        assert {a.dtype for a in (*made.weights, *made.measures)} == {
            np.dtype("f8" if wide else "f4")
        }


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("driver", ["solve", "train"])
def test_copies_that_are_only_split_move_as_their_neuron_does(driver):
    """In any numbers, so that measures become uneven."""
    law = nr.distributions.Empirical(X, np.sin(X[:, 0]))
    problem = nr.Problem(law, nr.losses.PseudoHuber())
    network = a_network((4, 5))
    split = nr.grow(network, (7, 9), 0, spread=0.0)
    of_first = parents(network, split)
    if driver == "solve":
        run = lambda start: nr.solve(problem, start, 3.0, step=0.1, save_at=2)
    else:
        run = lambda start: nr.train(problem, start, 0.1, 3.0, key=5, batch_size=2, save_at=2)
    old, new = run(network), run(split)
    np.testing.assert_allclose(new.loss, old.loss, rtol=1e-11)
    assert np.abs(old.network.weights[0] - network.weights[0]).max() > 1e-2
    np.testing.assert_allclose(
        new.network.weights[0], old.network.weights[0][of_first], rtol=1e-9, atol=1e-11
    )
    columns = np.unique(np.asarray(new.network.weights[1]).round(9), axis=1)
    assert columns.shape[1] == 5


@pytest.mark.usefixtures("float64")
def test_growing_makes_no_layer_slower():
    """Means over copies of the new velocities are the old ones, so norms in L2(P) do not fall."""
    law = nr.distributions.Empirical(X, np.sin(X[:, 0]))
    loss, rates = nr.losses.PseudoHuber(), [1.0, 1.0, 1.0]
    network = a_network((4, 5))
    wide = nr.grow(network, (7, 10), 0)

    def velocity(network):
        return dynamics.velocity(
            network.weights,
            network.measures,
            network.activations,
            loss,
            rates,
            *law.quadrature(1),
        )[0]

    old, new = velocity(network), velocity(wide)
    of_first = parents(network, wide)
    copies = np.bincount(of_first)
    means = np.zeros_like(old[0])
    np.add.at(means, of_first, np.asarray(new[0]) / copies[of_first, None])
    np.testing.assert_allclose(means, old[0], rtol=1e-10)
    before = np.asarray(dynamics.layer_norms(old, network.measures))
    after = np.asarray(dynamics.layer_norms(new, wide.measures))
    np.testing.assert_allclose(after[-1], before[-1], rtol=1e-10)  # incoming values as before
    assert (after[:-1] > 1.05 * before[:-1]).all()


@pytest.mark.parametrize(("n", "copies"), [(6, 4000), (2000, 2)])
def test_displacements_have_the_layer_s_own_covariance_and_no_mean(n, copies):
    rng, spread = np.random.default_rng(5), 0.7
    rows, p = (
        rng.normal(size=(n, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]]),
        rng.dirichlet(np.full(n, 9.0)),
    )
    network = nr.Network([rng.normal(size=(n, 2)), rows], "tanh", [p])
    wide = nr.grow(network, n * copies, 1, spread)
    of = parents(network, wide)
    moved = np.asarray(wide.weights[1], float) - rows[of]
    sums = np.zeros_like(rows)
    np.add.at(sums, of, moved)
    assert np.abs(sums / np.bincount(of)[:, None]).max() < 1e-5
    moved = moved[np.bincount(of)[of] > 1]  # a single copy stays
    centred = rows - p @ rows
    expected = spread**2 * (centred.T * p) @ centred
    found = moved.T @ moved / len(moved)
    scatter = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / len(moved))
    assert (np.abs(found - expected) < 6 * scatter).all()


def test_two_copies_are_a_pair_and_one_stays():
    network = a_network((5,))
    wide = nr.grow(network, 8, 0)
    of = parents(network, wide)
    moved = np.asarray(wide.weights[1])[:, 0] - np.asarray(network.weights[1])[of, 0]
    for j, count in enumerate(np.bincount(of)):
        assert count in (1, 2, 3)
        assert abs(moved[of == j].sum()) < 1e-5
        assert (np.abs(moved[of == j]).max() < 1e-6) == (count == 1)


@pytest.mark.slow
def test_a_network_grown_half_way_ends_lower():
    """Than the one left at its width, on the 1-D problem."""
    problem = problem_1d()
    x = problem.quadrature(32)[0]
    embedding = nr.embeddings.Bidirectional(2, 3, rank=4, input_scale=10.0, inputs=x)
    how = {"data_nodes": 32, "save_at": 2, "rtol": 1e-3, "atol": 1e-5}
    left = nr.solve(problem, embedding.sample(8, 0), 60.0, **how)
    grown = nr.solve(problem, nr.grow(left.at(30.0), 64, 0), 60.0, since=30.0, **how)
    assert abs(grown.loss[0] / left.loss[1] - 1) < 1e-3
    assert grown.loss[-1] < 0.8 * left.loss[-1]

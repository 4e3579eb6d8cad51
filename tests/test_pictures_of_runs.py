"""`trajectory.plot`: what is drawn is what NumPy and scikit-learn compute from the run's weights."""

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot
from scipy import special
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix

import neuronal as nr
from neuronal import kernels

NODES, TIMES = 8, 4
ANGLES = np.linspace(0, 2 * np.pi, 12, endpoint=False)
PLANE = np.stack([np.cos(ANGLES), 2 * np.sin(ANGLES), np.ones(12)], axis=1)
LABELS = np.arange(12) // 4
EMBEDDING = nr.embeddings.Bidirectional(3, 3, 3, rank=3, gain=1.0)
LAW = nr.distributions.Empirical(PLANE, LABELS, np.linspace(1, 2, 12))
CLASSES = nr.Problem(LAW, nr.losses.CrossEntropy())


@pytest.fixture(autouse=True)
def agg():
    mpl.use("agg")
    yield
    pyplot.close("all")


BORN = nr.Problem(LAW, nr.losses.CrossEntropy(), birth_death=2.0)  # whose measures move


@pytest.fixture(scope="module", params=["dense", "factored", "born"])
def run(request):
    problem, kernel = (BORN, "dense") if request.param == "born" else (CLASSES, request.param)
    return nr.solve(problem, EMBEDDING, 1.0, nodes=NODES, save_at=TIMES, kernel=kernel)


def sides(network):
    ends = np.ones(network.input_dim), np.ones(network.output_dim)
    return [ends[0], *map(np.asarray, network.measures), ends[1]]


def test_spectra_are_numpys(run):
    for layer in (1, 2, 3):
        ax = run.plot.spectra(layer, count=3)
        drawn = np.array([line.get_ydata() for line in ax.lines])
        assert drawn.shape == (3, len(run.times))
        for t, values in zip(run.times, drawn.T, strict=True):
            w = np.asarray(run.at(t).matrices[layer - 1], float)
            before, after = sides(run.at(t))[layer - 1 : layer + 1]
            if layer == 1:
                before, after = after, before
            weighted = np.sqrt(before)[:, None] * w * np.sqrt(after)
            expected = np.linalg.svd(weighted, compute_uv=False)[:3]
            np.testing.assert_allclose(values, expected, rtol=2e-5, atol=2e-6)


def test_singular_values_are_those_of_the_operator_however_it_is_kept():
    """With measures that are not equal, more products than neurons, rows of room, and biases."""
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(4))
    for products in (2, 9):
        u, v = rng.normal(size=(6, products)), rng.normal(size=(4, products))
        kept = kernels.factored(u, v).with_room(products + 3)
        expected = np.linalg.svd(np.diag(p**0.5) @ u @ v.T @ np.diag(q**0.5), compute_uv=False)
        found = kernels.singular_values(kept, p, q)
        np.testing.assert_allclose(found, expected[: len(found)], rtol=1e-5)
        assert np.all(expected[len(found) :] < 1e-12)
        dense = kernels.singular_values(jnp.asarray(u @ v.T), p, q)
        np.testing.assert_allclose(dense[: len(found)], found, rtol=1e-5)
    w, b = rng.normal(size=(6, 4)), rng.normal(size=4)
    biased = kernels.affine(w, b)
    np.testing.assert_array_equal(
        kernels.singular_values(biased, p, q), kernels.singular_values(jnp.asarray(w), p, q)
    )
    rows, columns = np.array([4, 1]), np.array([0, 3, 2])
    for kept in (biased, jnp.asarray(w), kernels.factored(w, np.eye(4))):
        part = kernels.between(kept, rows, columns)
        np.testing.assert_allclose(part, w[np.ix_(rows, columns)], rtol=1e-6)


def test_ridges_are_the_weighted_histograms_of_the_law(run):
    times = [0.25, 0.75]
    for what in ("w_2", "H_2", "w_1"):
        ax = run.plot.ridges(what, times=times, bins=16)
        drawn = ax.lines[::-1]  # the highest is drawn first
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["0.25", "0.75"]
        areas = []
        for place, t in enumerate(times):
            x, y = drawn[place].get_xdata(), drawn[place].get_ydata() - place
            area = y[:-1] @ np.diff(x)
            areas.append(area)
            network = run.at(t)
            p = sides(network)
            if what == "H_2":
                values = np.asarray(network.preactivations(PLANE)[1])
                mass = np.outer(np.linspace(1, 2, 12) / 18, p[2])
            elif what == "w_2":
                values, mass = np.asarray(network.matrices[1]), np.outer(p[1], p[2])
            else:
                values, mass = np.asarray(network.matrices[0]), np.outer(p[1], p[0]) / 3
            middles = (x[:-1] + x[1:]) / 2
            mean = y[:-1] * np.diff(x) @ middles / area
            assert mean == pytest.approx((values * mass).sum(), abs=np.diff(x).max() / 2)
        assert areas[0] == pytest.approx(areas[1], rel=1e-5)


def test_the_law_of_preactivations_over_time(run):
    ax = run.plot("H_2")
    values = np.asarray(run.network.preactivations(PLANE)[1])
    mass = np.outer(np.linspace(1, 2, 12) / 18, sides(run.network)[2])
    middle = ax.lines[0].get_ydata()[-1]
    assert 0.4 < mass[values <= middle].sum() < 0.6


def test_features_move_as_the_first_layer_does(run):
    ax = run.plot.features(coordinates=(0, 2), neurons=5)
    ways = ax.collections[0].get_segments()
    for neuron, way in enumerate(ways):
        expected = [np.asarray(run.at(t).weights[0])[neuron, [0, 2]] for t in run.times]
        np.testing.assert_allclose(way, expected, rtol=1e-4)  # that of the run
    assert len(ways) == 5 and ax.get_xlabel() == "$w_{1,1}$" and ax.get_ylabel() == "$w_{1,3}$"
    start, end = (np.asarray(c.get_offsets()) for c in ax.collections[1:3])
    sizes, p = ax.collections[2].get_sizes(), np.asarray(run.network.measures[0])[:5]
    np.testing.assert_allclose(sizes / sizes.sum(), p / p.sum(), rtol=1e-5)
    np.testing.assert_allclose(start, [way[0] for way in ways])
    np.testing.assert_allclose(end, [way[-1] for way in ways])


def test_a_kernel_is_ordered_by_latents(run):
    latents = EMBEDDING.node_latents(NODES)
    drawn = np.asarray(run.plot.kernel(t=0.5, latents=latents).images[0].get_array())
    w = np.asarray(run.at(0.5).matrices[1])
    first = [np.concatenate([np.asarray(a).reshape(NODES, -1) for a in jax.tree.leaves(c)], 1)[:, 0]
             for c in latents]  # fmt: skip
    expected = w[np.argsort(first[0])][:, np.argsort(first[1])]
    np.testing.assert_allclose(drawn, expected, rtol=1e-6)
    by_itself = np.asarray(run.plot.kernel().images[0].get_array())
    whole = np.asarray(run.network.matrices[1])
    np.testing.assert_allclose(np.sort(by_itself, axis=None), np.sort(whole, axis=None), rtol=1e-6)
    left, _, right = np.linalg.svd(by_itself)
    for vector in (left[:, 0], right[0]):
        steps = np.diff(vector)
        assert np.all(steps >= -1e-6) or np.all(steps <= 1e-6)
    part = np.asarray(run.plot.kernel(neurons=3).images[0].get_array())
    assert part.shape == (3, 3)


def test_maps_are_predictions_over_the_plane(run):
    ax = run.plot.map(output=1, points=5)
    drawn = np.asarray(ax.collections[0].get_array()).reshape(5, 5)
    across, up = np.linspace(-1, 1, 5), np.linspace(-2, 2, 5)
    for i, j in ((0, 0), (1, 3), (4, 2)):
        at = np.array([[across[j], up[i], 1.0]])
        assert drawn[i, j] == pytest.approx(float(run.network(at)[0, 1]), abs=1e-5)
    target = lambda x: x[:, 0] - x[:, 1]
    errors = np.asarray(run.plot.map("error", target=target, points=3).collections[0].get_array())
    at = np.array([[1.0, 2.0, 1.0]])
    expected = float(run.network(at)[0, 0]) - (1.0 - 2.0)
    assert errors.reshape(3, 3)[2, 2] == pytest.approx(expected, abs=1e-5)


def test_a_law_that_knows_its_target_needs_none():
    inputs = nr.distributions.Biased(nr.distributions.Uniform(dim=2))
    law = nr.distributions.Regression(lambda x: x[:, 0] * x[:, 1], inputs)
    problem = nr.Problem(law, nr.losses.Squared())
    network = nr.embeddings.IID(3, 2).sample(4, 0)
    run = nr.train(problem, network, 0.1, 0.2, 0, save_at=1, data_nodes=8)
    drawn = np.asarray(run.plot.map("error", points=3).collections[0].get_array()).reshape(3, 3)
    x = np.asarray(problem.quadrature(8)[0])
    at = np.array([[x[:, 0].max(), x[:, 1].min(), 1.0]])
    assert drawn[0, 2] == pytest.approx(
        float(run.network(at)[0, 0] - at[0, 0] * at[0, 1]), abs=1e-5
    )


def test_confusion_calibration_and_margins_are_scikit_learns(run):
    ax = run.plot.confusion()
    weights = np.linspace(1, 2, 12)
    outputs = np.asarray(run.network(PLANE), float)
    expected = confusion_matrix(LABELS, outputs.argmax(1), sample_weight=weights, normalize="true")
    np.testing.assert_allclose(np.asarray(ax.images[0].get_array()), expected, rtol=1e-5)

    x, y = PLANE[::2] * 1.1, LABELS[::2]
    sure = special.softmax(np.asarray(run.network(x), float), axis=1)
    often, said = calibration_curve(sure.argmax(1) == y, sure.max(1), n_bins=4)
    ax = run.plot.calibration(x=x, y=y, bins=4, label="mine")
    drawn = next(line for line in ax.lines if line.get_label() == "mine")
    np.testing.assert_allclose(drawn.get_xdata(), said, rtol=1e-5)
    np.testing.assert_allclose(drawn.get_ydata(), often, rtol=1e-5)

    t, middle = run.plot.margins(x=x, y=y).lines[0].get_xydata().T
    np.testing.assert_array_equal(t, run.times)
    logits = np.asarray(run.network(x), float)
    margins = [row[k] - np.delete(row, k).max() for row, k in zip(logits, y, strict=True)]
    assert min(margins) < middle[-1] < max(margins)
    assert middle[-1] == pytest.approx(np.median(margins), rel=1e-4)


def test_scores_are_log_odds():
    """Their softmax are the probabilities of which the loss is the negative logarithm."""
    logistic, y = nr.losses.Logistic(), jnp.asarray([[-1.0], [1.0], [1.0]])
    prediction = jnp.asarray([[0.3], [-1.2], [4.0]])
    for targets in (y, (y + 1) / 2):
        sure = special.softmax(np.asarray(logistic.scores(prediction)), axis=1)
        right = sure[np.arange(3), np.asarray(logistic.labels(targets))]
        np.testing.assert_allclose(-np.log(right), logistic(targets, prediction), rtol=1e-5)
    assert logistic.scores(jnp.zeros((3, 2))) is None and nr.losses.Squared().scores(y) is None
    entropy = nr.losses.CrossEntropy()
    one_hot = jnp.eye(3)[jnp.asarray([2, 0])]
    np.testing.assert_array_equal(entropy.labels(one_hot), [2, 0])
    np.testing.assert_array_equal(entropy.labels(jnp.asarray([[1.0], [2.0]])), [1, 2])


def test_a_scan_is_drawn_with_its_best_rates():
    rates = [0.1, 0.2, 0.4]
    values = np.array(
        [[[4.0, 1.0], [1.0, 0.25], [np.inf, np.inf]], [[2.0, 2.0], [1.0, 1.0], [0.5, 0.5]]]
    )
    risks = xr.DataArray(
        values[None], dims=("depth", "width", "learning_rate", "seed"),
        coords={"depth": [3], "width": [8, 16], "learning_rate": rates},
    )  # fmt: skip
    ax = nr.transfer.plot(risks)
    lines = {line.get_label(): line for line in ax.lines if line.get_label().startswith("$")}
    np.testing.assert_allclose(lines["$n = 8$"].get_xydata(), [[0.1, 2.0], [0.2, 0.5]])
    np.testing.assert_allclose(lines["$n = 16$"].get_ydata(), [2.0, 1.0, 0.5])
    dots = [tuple(line.get_xydata()[0]) for line in ax.lines if line.get_marker() == "o"]
    assert dots == [(0.2, pytest.approx(0.5)), (0.4, pytest.approx(0.5))]
    ax = nr.transfer.plot(risks.rename(depth="width", width="depth"), "depth", infimum=0.1)
    np.testing.assert_allclose(ax.lines[-2].get_ydata(), [1.9, 0.9, 0.4])


def test_what_cannot_be_drawn_is_refused(run):
    regression = nr.solve(
        nr.Problem(nr.distributions.Empirical(PLANE, PLANE[:, 0]), nr.losses.Squared()),
        nr.embeddings.IID(3, 2).sample(4, 0), 0.1, save_at=1,
    )  # fmt: skip
    for message, call in (
        ("what", lambda: run.plot("v_1")),
        ("what", lambda: run.plot.ridges("w_4")),
        ("bins", lambda: run.plot.ridges(bins=0)),
        ("t: ", lambda: run.plot.ridges(times=[2.0])),
        ("layer", lambda: run.plot.spectra(4)),
        ("count", lambda: run.plot.spectra(count=0)),
        ("layer", lambda: run.plot.kernel(3)),
        ("latents", lambda: run.plot.kernel(latents=[np.zeros(NODES)])),
        (r"latents\[0\]", lambda: run.plot.kernel(latents=[np.zeros(3), np.zeros(NODES)])),
        ("coordinates", lambda: run.plot.kernel(
            latents=[np.zeros(NODES)] * 2, coordinates=(0, 1))),
        ("neurons", lambda: run.plot.features(neurons=0)),
        ("coordinates", lambda: run.plot.features(coordinates=(0, 3))),
        ("coordinates", lambda: run.plot.map(coordinates=(0, 3))),
        ("what", lambda: run.plot.map("risk")),
        ("output", lambda: run.plot.map(output=3)),
        ("points", lambda: run.plot.map(points=1)),
        ("target: is missing", lambda: run.plot.map("error")),
        ("x, y", lambda: run.plot.confusion(x=PLANE)),
        ("y: 3 targets", lambda: run.plot.margins(x=PLANE, y=[0, 1, 2])),
        ("bins", lambda: run.plot.calibration(bins=0)),
        ("classes", lambda: regression.plot.confusion()),
        ("along", lambda: nr.transfer.plot(xr.DataArray(), "seed")),
    ):  # fmt: skip
        with pytest.raises(nr.InvalidInput, match=message):
            call()


@pytest.mark.slow
def test_a_law_of_wide_layers_is_that_of_its_first_neurons():
    """No matrix of a million rows is formed."""
    embedding = nr.embeddings.Bidirectional(1, 3, rank=2, gain=1.0)
    network = embedding.sample(20_000, 0, kernel="factored")
    problem = nr.Problem(
        nr.distributions.Empirical([[0.5], [1.0]], [1.0, 0.0]), nr.losses.Squared()
    )
    run = nr.train(problem, network, 0.1, 0.1, 0, save_at=1)
    assert run.plot("w_2").lines[0].get_ydata().shape == (2,)
    drawn = np.asarray(run.plot.kernel(neurons=4).images[0].get_array())
    assert drawn.shape == (4, 4)
    assert len(run.plot.spectra(2, count=2).lines) == 2

"""A run as labelled data: the figures are those of equations (1), the labels those of the neurons."""

import jax
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import neuronal as nr
from neuronal.errors import InvalidInput

pytestmark = pytest.mark.usefixtures("float64")

X = np.linspace(-1, 1, 5)[:, None]
PROBLEM = nr.Problem(nr.distributions.Empirical(X, np.sin(3 * X)), nr.losses.PseudoHuber(0.5))
EMBEDDING = nr.embeddings.Bidirectional(1, 3, rank=3, gain=1.0)
RUNS = {
    "dense": lambda: nr.solve(PROBLEM, EMBEDDING, 1.0, nodes=8, save_at=3),
    "factored": lambda: nr.solve(PROBLEM, EMBEDDING, 1.0, nodes=8, kernel="factored", save_at=3),
    "sgd": lambda: nr.train(PROBLEM, EMBEDDING.sample(8, 0), 0.1, 1.0, 0, save_at=3),
}


@pytest.mark.parametrize("kind", RUNS)
def test_the_labels_contract_as_the_equations_say(kind):
    run = RUNS[kind]()
    data = run.to_xarray(weights=True, preactivations=True, sensitivities=True)
    np.testing.assert_array_equal(data.risk, run.loss)
    np.testing.assert_allclose(data.prediction, run.predict(X), rtol=1e-12)
    # Equation (1), by the names of dimensions alone.
    phi = np.tanh
    h1 = (data.w_1 * data.x).sum("input")
    h2 = (data.p_1 * data.w_2 * phi(h1)).sum("neuron_1")
    h3 = (data.p_2 * data.w_3 * phi(h2)).sum("neuron_2")
    for ours, theirs in ((h1, data.H_1), (h2, data.H_2), (h3, data.H_3), (h3, data.prediction)):
        np.testing.assert_allclose(ours.transpose(*theirs.dims), theirs, rtol=1e-10, atol=1e-12)
    # The loss's gradient, and the way back from it.
    r = (data.prediction - data.y.rename(target="output")) / 0.5
    d3 = 0.5 * r / np.sqrt(1 + r**2)
    d2 = (data.w_3 * d3).sum("output") * (1 - phi(h2) ** 2)
    d1 = (data.p_2 * data.w_2 * d2).sum("neuron_2") * (1 - phi(h1) ** 2)
    for ours, theirs in ((d3, data.Delta_3), (d2, data.Delta_2), (d1, data.Delta_1)):
        np.testing.assert_allclose(ours.transpose(*theirs.dims), theirs, rtol=1e-9, atol=1e-12)
    value = 0.25 * (np.sqrt(1 + r**2) - 1)
    risk = (data.mass * value.sum("output")).sum("sample")
    np.testing.assert_allclose(risk[[0, -1]], data.risk[[0, -1]], rtol=1e-10)
    np.testing.assert_allclose(risk, data.risk, rtol=1e-5)  # recorded within a step of rtol 1e-4


@pytest.mark.parametrize("nodes", [True, False])
def test_latents_are_those_of_the_weights(nodes):
    start = EMBEDDING.quadrature(8, key=3) if nodes else EMBEDDING.sample(8, 3)
    latents = (
        EMBEDDING.node_latents(8, key=3) if nodes else [EMBEDDING.latents(i, 8, 3) for i in (1, 2)]
    )
    run = nr.train(PROBLEM, start, 0.1, 0.2, 0, save_at=1)
    data = run.to_xarray(weights=True, latents=latents)
    leaves = [data[name].values for name in data.coords if str(name).startswith("c_")]
    again = EMBEDDING.initial_weights(jax.tree.unflatten(jax.tree.structure(latents), leaves))
    for i, w in enumerate(again, start=1):
        np.testing.assert_allclose(data[f"w_{i}"][0], w, rtol=1e-12)


def test_samples_of_ones_own():
    run = RUNS["sgd"]()
    x, y = np.array([[0.3], [0.7]]), np.array([1.0, 2.0])
    data = run.to_xarray(x, y, sensitivities=True)
    np.testing.assert_array_equal(data.prediction, run.predict(x))
    expected = run.network.sensitivities(x, y, PROBLEM.loss)
    np.testing.assert_array_equal(data.Delta_2[-1], expected[1])
    assert "y" not in run.to_xarray(x).coords
    for message, call in (
        ("y: is missing", lambda: run.to_xarray(x, sensitivities=True)),
        ("y: 3 targets", lambda: run.to_xarray(x, np.ones(3))),
        ("x: is missing", lambda: run.to_xarray(y=y)),
        ("x: takes shape", lambda: run.to_xarray(np.ones((2, 3)))),
        ("latents: takes those", lambda: run.to_xarray(weights=True, latents=[X])),
        (r"latents\[1\]", lambda: run.to_xarray(weights=True, latents=[np.ones(8), np.ones(3)])),
    ):
        with pytest.raises(InvalidInput, match=message):
            call()


def test_it_is_a_file_and_a_table(tmp_path):
    data = RUNS["sgd"]().to_xarray(preactivations=True)
    data.to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
    frame = data.prediction.to_dataframe()
    assert isinstance(frame, pd.DataFrame) and len(frame) == data.prediction.size
    with xr.open_dataset(tmp_path / "run.nc", engine="h5netcdf") as again:
        xr.testing.assert_identical(again.load(), data)

"""ONNX: onnxruntime predicts what networks and estimators predict."""

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.exceptions import NotFittedError
from streams import network

import neuronal as nr
import neuronal.interop.onnx as module
from neuronal.interop.onnx import OPSET, to_onnx

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 2))
Y = np.sin(2 * X[:, 0]) + 0.5 * X[:, 1]
CLASS = (X[:, 0] > 0.3).astype(int) + (X[:, 1] > 0.2)
FIT = {"width": 16, "learning_rate": 0.2, "max_iter": 20, "random_state": 0}


def outputs(model, x, *names):
    """By onnxruntime, from a checked model."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert [given.name for given in session.get_inputs()] == ["x"]
    assert [given.name for given in session.get_outputs()] == list(names)
    declared = [tuple(given.shape) for given in session.get_outputs()]
    results = session.run(list(names), {"x": x})
    for shape, result in zip(declared, results, strict=True):
        assert shape == ("m", *np.shape(result)[1:])
    return results


@pytest.mark.parametrize("measures", ["uniform", "weighted"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("f4", 1e-6), ("f8", 1e-12)])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_a_network_predicts_the_same(depth, dtype, tolerance, measures):
    with jax.enable_x64(dtype == "f8"):
        there = network(depth, dtype, measures)
        model = to_onnx(there)
        if dtype == "f8" and "erf" in map(str, there.activations):
            tolerance = 1e-6  # onnxruntime's Erf is in single precision
        for m in (1, 7):
            x = np.random.default_rng(m).normal(size=(m, 3)).astype(dtype)
            (prediction,) = outputs(model, x, "prediction")
            assert prediction.dtype == dtype
            np.testing.assert_allclose(prediction, there(x), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", sorted(nr.activations.ACTIVATIONS))
def test_every_activation_is_there(name, wide):
    with jax.enable_x64(wide):
        dtype = "f8" if wide else "f4"
        rng = np.random.default_rng(1)
        weights = [2 * rng.normal(size=s) for s in ((5, 2), (5, 2))]
        there = nr.Network(weights, [name, name])
        x = np.linspace(-2, 2, 24, dtype=dtype).reshape(12, 2)
        (prediction,) = outputs(to_onnx(there), x, "prediction")
        tolerance = 1e-13 if wide and name not in ("erf", "gelu") else 1e-6  # Erf is in single
        np.testing.assert_allclose(prediction, there(x), rtol=tolerance, atol=tolerance)


def test_factored_weights_are_multiplied_out():
    there = nr.embeddings.Bidirectional(2, 4, rank=4, gain=1.0).sample(32, 0, kernel="factored")
    (prediction,) = outputs(to_onnx(there), X.astype("f4"), "prediction")
    np.testing.assert_allclose(prediction, there(X), atol=1e-6)


def test_the_versions_are_those_stated():
    """The lowest format of the opset, so that older runtimes read it."""
    model = to_onnx(network(3, "f4"))
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    assert model.ir_version == 8
    assert (model.producer_name, model.producer_version) == ("neuronal", nr.__version__)


@pytest.mark.parametrize(
    ("changes", "y", "wide"),
    [
        ({}, Y, False),
        ({"depth": 2}, Y[:, None], False),
        ({"depth": 2}, np.c_[Y, -3 * X[:, 1]], True),
    ],
    ids=["one target", "a column", "two targets"],
)
def test_a_regressor_predicts_the_same(changes, y, wide):
    """In units of the data, far from standard ones, and in the shape of `predict`."""
    x, y = X * [1e3, 1e-3] + [1e5, 0], 7 * y - 1e3
    with jax.enable_x64(wide):
        fitted = nr.MeanFieldRegressor(**FIT | changes).fit(x, y)
        (prediction,) = outputs(to_onnx(fitted), x, "prediction")
        expected = fitted.predict(x)
        assert prediction.shape == expected.shape
        tolerance = 1e-12 if wide else 1e-6
        np.testing.assert_allclose(prediction, expected, rtol=tolerance)
        assert np.std(expected) > 1  # it learned something


def test_single_precision_outside_and_several_networks():
    x = (X * [1e3, 1e-3] + [1e4, 0]).astype("f4")
    for model, y in (
        (nr.MeanFieldRegressor(**FIT, n_networks=2), Y),
        (nr.MeanFieldClassifier(**FIT, n_networks=2), CLASS),
    ):
        fitted = model.fit(x, y)
        names = ("prediction",) if y is Y else ("label", "probabilities")
        last = outputs(to_onnx(fitted, dtype=np.float32), x, *names)[-1]
        expected = fitted.predict(x) if y is Y else fitted.predict_proba(x)
        assert last.dtype == np.float32
        np.testing.assert_allclose(last, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, "i8", "f8"])
def test_other_numbers_are_refused(dtype):
    model = network(2, "f4") if dtype == "f8" else nr.MeanFieldRegressor(**FIT).fit(X, Y)
    with pytest.raises(nr.InvalidInput, match="^dtype"):
        to_onnx(model, dtype)


def test_a_limit_predicts_the_same():
    changes = {"width": np.inf, "nodes": 32, "learning_rate": 0.05, "max_iter": 5}
    fitted = nr.MeanFieldRegressor(**FIT | changes).fit(X, Y)
    (prediction,) = outputs(to_onnx(fitted), X, "prediction")
    np.testing.assert_allclose(prediction, fitted.predict(X), atol=2e-6)


@pytest.mark.parametrize(
    "names",
    [
        np.array([3, -1, 7]),
        np.array([0.0, 1.0, -2.0]),
        np.array(["low", "mid", "hoch é"]),
        np.array(["low", "mid", "high"], object),
        np.array([True, False, True]),
    ],
    ids=["integers", "floats", "strings", "objects", "booleans"],
)
def test_a_classifier_predicts_the_same(names):
    y = names[CLASS]
    fitted = nr.MeanFieldClassifier(**FIT).fit(X, y)
    label, probabilities = outputs(to_onnx(fitted), X, "label", "probabilities")
    np.testing.assert_allclose(probabilities, fitted.predict_proba(X), atol=1e-6)
    assert list(label) == list(fitted.predict(X))
    assert label.dtype == (object if y.dtype.kind in "OU" else y.dtype)
    assert len(set(label)) == len(set(y))


def test_names_of_columns_are_no_hindrance():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b"])
    fitted = nr.MeanFieldRegressor(**FIT).fit(frame, Y)
    (prediction,) = outputs(to_onnx(fitted), X, "prediction")
    np.testing.assert_allclose(prediction, fitted.predict(frame), atol=1e-6)


def softplus():
    own = nr.activations.Activation(
        "tanh", lambda h: (jax.nn.softplus(h), jax.nn.sigmoid(h)), np.inf, 1.0, 0.25, True
    )
    return nr.Network([np.ones((3, 2)), np.ones((3, 1))], own)


def odd_labels():
    fitted = nr.MeanFieldClassifier(**FIT | {"max_iter": 1}).fit(X, CLASS)
    fitted.classes_ = fitted.classes_.astype("S")
    return fitted


BAD = [
    ("model: takes a Network, MeanFieldRegressor", lambda: to_onnx("a network")),
    ("activations: tanh has no ONNX operators", lambda: to_onnx(softplus())),
    ("model: its labels are of type bytes_", lambda: to_onnx(odd_labels())),
]


@pytest.mark.parametrize(("message", "call"), BAD)
def test_bad_input_is_one_message_that_names_it(message, call):
    with pytest.raises(nr.InvalidInput, match=f"^{message}"):
        call()


def test_what_is_not_fitted_is_said():
    with pytest.raises(NotFittedError):
        to_onnx(nr.MeanFieldRegressor())


def test_what_no_file_holds_is_said(monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    with pytest.raises(nr.InvalidInput, match=r"^model: its weights take .* GiB; an ONNX file"):
        to_onnx(network(5, "f4"))

"""Pipelines through skl2onnx: onnxruntime predicts what scikit-learn predicts."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

import neuronal as nr
from neuronal.interop.skl2onnx import register

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 2)).astype("f4")
Y = np.sin(2 * X[:, 0]) + 0.5 * X[:, 1]
CLASS = (X[:, 0] > 0.3).astype(int) + (X[:, 1] > 0.2)
FIT = {"width": 16, "learning_rate": 0.2, "max_iter": 20, "random_state": 0}


def run(pipeline, inputs, **options):
    """By onnxruntime, all outputs."""
    register()
    model = skl2onnx.to_onnx(pipeline, **options)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)


@pytest.mark.parametrize("y", [Y, np.c_[Y, -3 * X[:, 1]]], ids=["one target", "two targets"])
def test_a_pipeline_of_a_regressor_predicts_the_same_in_float32(y):
    """Inputs far from standard ones."""
    x = X * np.array([1e3, 1e-3], "f4") + np.array([1e4, 0], "f4")
    imputed = np.where(X > 1.5, np.float32(np.nan), x)
    model = nr.MeanFieldRegressor(**FIT, n_networks=2)
    pipeline = make_pipeline(SimpleImputer(), model).fit(imputed, y)
    kind = [("x", FloatTensorType([None, 2]))]
    (prediction,) = run(pipeline, {"x": imputed}, initial_types=kind)
    assert prediction.dtype == np.float32 and prediction.shape == (64, y.size // 64)
    expected = pipeline.predict(imputed).reshape(64, -1)
    np.testing.assert_allclose(prediction, expected, rtol=1e-6, atol=1e-6)


def test_a_pipeline_of_a_classifier_in_either_precision():
    pipeline = make_pipeline(MinMaxScaler(), nr.MeanFieldClassifier(**FIT)).fit(X, CLASS)
    for kind, x in ((FloatTensorType, X), (DoubleTensorType, X.astype("f8"))):
        given = [("x", kind([None, 2]))]
        model = pipeline[-1]
        label, probabilities = run(
            pipeline, {"x": x}, initial_types=given, options={id(model): {"zipmap": False}}
        )
        assert label.dtype == np.int64 and probabilities.dtype == x.dtype
        np.testing.assert_allclose(probabilities, pipeline.predict_proba(x), atol=2e-6)
        assert (label == pipeline.predict(x)).mean() > 0.98


@pytest.mark.parametrize("names", [np.array(["low", "mid", "high"]), np.array([3.0, -1.0, 7.0])])
def test_a_mixed_table_and_labels_of_any_kind(names):
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "word": np.where(X[:, 1] > 0, "up", "down")})
    words = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["word"]), remainder="passthrough"
    )
    pipeline = make_pipeline(words, nr.MeanFieldClassifier(**FIT)).fit(table, names[CLASS])
    kinds = [
        ("a", FloatTensorType([None, 1])),
        ("b", FloatTensorType([None, 1])),
        ("word", StringTensorType([None, 1])),
    ]
    given = {name: table[[name]].to_numpy() for name in table}
    label, maps = run(pipeline, given, initial_types=kinds)
    expected = pipeline.predict_proba(table)
    np.testing.assert_allclose(
        [[row[name] for name in pipeline.classes_] for row in maps], expected, atol=2e-6
    )
    assert (label == pipeline.predict(table)).mean() > 0.98

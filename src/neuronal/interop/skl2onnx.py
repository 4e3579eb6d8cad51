"""Bridge to skl2onnx: scikit-learn pipelines that end in an estimator of ours, as ONNX models."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..estimators.sklearn import MeanFieldClassifier, MeanFieldRegressor
from .extras import extra

with extra("skl2onnx", "onnx"):
    import skl2onnx
    from onnx import helper, numpy_helper
    from skl2onnx.common.data_types import guess_tensor_type
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

from .onnx import Graph, add_classifier, add_regressor, labels_of


def register() -> None:
    """Tell skl2onnx of the estimators, once per process: ``skl2onnx.to_onnx`` converts what holds them.

    A regressor's prediction is `(m, k)`, as that of skl2onnx's own; labels are integers or strings. Inputs
    and outputs have the numbers' type that is asked for, float32 by default in skl2onnx.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np, skl2onnx
        >>> from neuronal.interop.skl2onnx import register
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import PolynomialFeatures
        >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
        >>> model = nr.MeanFieldRegressor(width=16, max_iter=5, learning_rate=0.2, random_state=0)
        >>> pipeline = make_pipeline(PolynomialFeatures(2), model).fit(x, x[:, 0] ** 2)
        >>> register()
        >>> [put.name for put in skl2onnx.to_onnx(pipeline, x[:1]).graph.output]
        ['variable']

        ```
    """
    skl2onnx.update_registered_converter(
        MeanFieldRegressor, "NeuronalMeanFieldRegressor", _regressor_types, _regressor
    )
    skl2onnx.update_registered_converter(
        MeanFieldClassifier,
        "NeuronalMeanFieldClassifier",
        calculate_linear_classifier_output_shapes,
        _classifier,
        options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
    )


def _regressor_types(operator: Any) -> None:
    given = operator.inputs[0]
    shape = [given.get_first_dimension(), operator.raw_operator.n_outputs_]
    kind = guess_tensor_type(given.type)
    kind.shape = shape
    operator.outputs[0].set_type(kind)


def _regressor(scope: Any, operator: Any, container: Any) -> None:
    graph = Graph(f"{scope.get_unique_variable_name('neuronal')}_")
    given, (prediction,) = operator.inputs[0].full_name, operator.outputs
    dtype = _dtype(prediction)
    add_regressor(graph, operator.raw_operator, given, prediction.full_name, dtype, flat=False)
    _add(graph, container)


def _classifier(scope: Any, operator: Any, container: Any) -> None:
    graph = Graph(f"{scope.get_unique_variable_name('neuronal')}_")
    model, given = operator.raw_operator, operator.inputs[0].full_name
    label, probabilities = operator.outputs
    found = f"{graph.prefix}label"
    add_classifier(graph, model, given, (found, probabilities.full_name), _dtype(probabilities))
    if labels_of(model).dtype == object:
        graph.apply("Identity", found, name=label.full_name)
    else:  # scikit-learn takes no labels but whole numbers
        graph.cast(found, np.int64, label.full_name)
    _add(graph, container)


def _dtype(variable: Any) -> np.dtype:
    """Of the numbers that a variable of skl2onnx holds."""
    return np.dtype(
        helper.tensor_dtype_to_np_dtype(variable.type.to_onnx_type().tensor_type.elem_type)
    )


def _add(graph: Graph, container: Any) -> None:
    """The graph's nodes and constants, into the whole one."""
    for tensor in graph.constants:
        content = numpy_helper.to_array(tensor)
        flat = content.ravel().tolist() if content.dtype == object else content
        container.add_initializer(tensor.name, tensor.data_type, list(tensor.dims), flat)
    for node in graph.nodes:
        given = {part.name: helper.get_attribute_value(part) for part in node.attribute}
        name = f"{graph.prefix}{node.output[0]}"
        container.add_node(node.op_type, list(node.input), list(node.output), name=name, **given)

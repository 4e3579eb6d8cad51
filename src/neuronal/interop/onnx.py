"""Bridge to ONNX: networks and fitted estimators as graphs that other runtimes predict with.

Graphs take inputs `x` with a free number of rows `m`. They are written in operators of opset 17,
in the network's precision; onnxruntime has no double `Erf`, which is computed in single precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import activations
from ..activations import Activation
from ..checks import require
from ..errors import InvalidInput
from ..network import Network
from .extras import extra
from .scaling import Affine, affine_layers

with extra("onnx"):
    import onnx
    from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from ..estimators.sklearn import MeanFieldClassifier, MeanFieldRegressor

OPSET = 17
OPERATORS = {
    activations.tanh: "Tanh",
    activations.sigmoid: "Sigmoid",
    activations.sin: "Sin",
    activations.relu: "Relu",
}
_MOST_BYTES = 2**31 - 2**20
"""A protocol buffer holds less than 2 GiB."""


def to_onnx(
    model: Network | MeanFieldRegressor | MeanFieldClassifier,
) -> onnx.ModelProto:
    """A network or a fitted estimator as an ONNX model.

    Args:
        model: a `Network`: input `x (m, d)` in its precision, output `prediction (m, k)`.
            A `MeanFieldRegressor`: input `x (m, d)` in double precision and in the units of the
            data, output `prediction` as `predict` returns it. A `MeanFieldClassifier`: the same
            input, outputs `label (m,)`, of the labels' own type, and `probabilities (m, k)` in
            the order of `classes_`.

    Raises:
        InvalidInput: another kind of model; an activation or a kind of label that ONNX does not
            know; weights of 2 GiB or more.
        NotFittedError: the estimator is not fitted.

    !!! example
        ```python
        >>> import jax, neuronal as nr, numpy as np, onnxruntime
        >>> from neuronal.interop.onnx import to_onnx
        >>> network = nr.embeddings.Bidirectional(2, 2).sample(64, jax.random.key(0))
        >>> session = onnxruntime.InferenceSession(to_onnx(network).SerializeToString())
        >>> x = np.linspace(-1, 1, 10, dtype=np.float32).reshape(5, 2)
        >>> (prediction,) = session.run(["prediction"], {"x": x})
        >>> bool(np.allclose(prediction, network(x), atol=1e-6))
        True

        ```
    """
    if isinstance(model, Network):
        return _network(model)
    from sklearn.utils.validation import check_is_fitted

    from ..estimators.sklearn import MeanFieldClassifier, MeanFieldRegressor

    require(
        isinstance(model, MeanFieldRegressor | MeanFieldClassifier),
        f"model: takes a Network, MeanFieldRegressor or MeanFieldClassifier, got {type(model)}",
    )
    check_is_fitted(model, "network_")
    if isinstance(model, MeanFieldRegressor):
        return _regressor(model)
    return _classifier(model)


class _Graph:
    """Nodes and constants of a graph under way; every verb returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def apply(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        name = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def cast(self, value: str, dtype: Any) -> str:
        return self.apply("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def model(self, x: Any, outputs: Sequence[Any], description: str) -> onnx.ModelProto:
        """The finished model, from what its inputs and outputs are."""
        graph = helper.make_graph(self.nodes, "neuronal", [x], outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets),  # older runtimes refuse the newest
            producer_name="neuronal",
            producer_version=metadata.version("neuronal"),
            doc_string=description,
        )


def _network(network: Network) -> onnx.ModelProto:
    graph = _Graph()
    dtype = network.weights[0].dtype
    value = _layers(graph, "x", affine_layers(network), network)
    graph.apply("Identity", value, name="prediction")
    return graph.model(
        _tensor("x", dtype, ["m", network.input_dim]),
        [_tensor("prediction", dtype, ["m", network.output_dim])],
        f"A neuronal.Network of widths {network.widths}",
    )


def _regressor(model: Any) -> onnx.ModelProto:
    graph = _Graph()
    scale = model._state.targets
    value = graph.cast(_outputs(graph, model), np.float64)
    value = graph.apply("Mul", value, graph.constant(scale.std))
    value = graph.apply("Add", value, graph.constant(scale.mean))
    if model._flat:
        graph.apply("Squeeze", value, graph.constant(np.array([1])), name="prediction")
    else:
        graph.apply("Identity", value, name="prediction")
    shape = ["m"] if model._flat else ["m", model.n_outputs_]
    return graph.model(
        _tensor("x", np.float64, ["m", model.n_features_in_]),
        [_tensor("prediction", np.float64, shape)],
        f"A fitted {model}",
    )


def _classifier(model: Any) -> onnx.ModelProto:
    graph = _Graph()
    value = graph.cast(_outputs(graph, model), np.float64)
    graph.apply("Softmax", value, name="probabilities", axis=1)
    number = graph.apply("ArgMax", value, axis=1, keepdims=0)
    labels = _labels(model.classes_)
    graph.apply("Gather", graph.constant(labels), number, name="label")
    return graph.model(
        _tensor("x", np.float64, ["m", model.n_features_in_]),
        [
            _tensor("label", labels.dtype, ["m"]),
            _tensor("probabilities", np.float64, ["m", len(labels)]),
        ],
        f"A fitted {model}",
    )


def _outputs(graph: _Graph, model: Any) -> str:
    """The network's outputs from inputs in the units of the data."""
    scale = model._state.inputs
    value = graph.apply("Sub", "x", graph.constant(scale.mean))
    value = graph.apply("Div", value, graph.constant(scale.std))
    value = graph.cast(value, model.network_.weights[0].dtype)
    return _layers(graph, value, affine_layers(model.network_, bias=True), model.network_)


def _layers(graph: _Graph, value: str, layers: Sequence[Affine], network: Network) -> str:
    size = sum(layer.weight.nbytes for layer in layers)
    require(
        size <= _MOST_BYTES,
        f"model: its weights take {size / 2**30:.1f} GiB; an ONNX file holds less than 2",
    )
    for layer, activation in zip(layers, network.activations, strict=True):
        constants = [graph.constant(part) for part in layer if part is not None]
        value = graph.apply("Gemm", value, *constants, transB=1)
        value = _activation(graph, value, activation, layer.weight.dtype)
    return value


def _activation(graph: _Graph, value: str, activation: Activation, dtype: np.dtype) -> str:
    if activation == activations.identity:
        return value
    if activation in OPERATORS:
        return graph.apply(OPERATORS[activation], value)
    if activation == activations.softsign:  # the operator is not there in double precision
        size = graph.apply("Abs", value)
        below = graph.apply("Add", size, graph.constant(np.ones((), dtype)))
        return graph.apply("Div", value, below)
    if activation == activations.erf:
        single = graph.apply("Erf", graph.cast(value, np.float32))
        return graph.cast(single, dtype)
    if activation == activations.softplus:  # max(h, 0) + log(1 + exp(-|h|)), in any precision
        falling = graph.apply("Exp", graph.apply("Neg", graph.apply("Abs", value)))
        more = graph.apply("Log", graph.apply("Add", falling, graph.constant(np.ones((), dtype))))
        return graph.apply("Add", graph.apply("Relu", value), more)
    if activation == activations.square:
        return graph.apply("Mul", value, value)
    known = ", ".join(sorted(activations.ACTIVATIONS))
    raise InvalidInput(f"activations: {activation} has no ONNX operators here; {known} have")


def _labels(classes: np.ndarray) -> np.ndarray:
    """The labels in a type that ONNX has."""
    if classes.dtype.kind in "biuf":
        return classes
    require(
        all(isinstance(label, str) for label in classes),
        f"model: its labels are of type {type(classes[0]).__name__}; ONNX knows numbers and strings",
    )
    return np.array([str(label) for label in classes], object)


def _tensor(name: str, dtype: Any, shape: list[Any]) -> Any:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, shape)

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
    model: Network | MeanFieldRegressor | MeanFieldClassifier, dtype: Any = None
) -> onnx.ModelProto:
    """A network or a fitted estimator as an ONNX model.

    Pipelines with an estimator at their end are `neuronal.interop.skl2onnx`'s.

    Args:
        model: a `Network`: input `x (m, d)` in its precision, output `prediction (m, k)`.
            A `MeanFieldRegressor`: input `x (m, d)` in double precision and in the units of the
            data, output `prediction` as `predict` returns it. A `MeanFieldClassifier`: the same
            input, outputs `label (m,)`, of the labels' own type, and `probabilities (m, k)` in
            the order of `classes_`.
        dtype: of an estimator's inputs and outputs, ``float64`` if left out, or ``float32``; within, the
            network computes in its own precision.

    Raises:
        InvalidInput: another kind of model or of numbers; an activation or a kind of label that ONNX does not
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
        require(dtype is None, "dtype: a Network takes inputs of its own precision; leave it out")
        return _network(model)
    from sklearn.utils.validation import check_is_fitted

    from ..estimators.sklearn import MeanFieldClassifier, MeanFieldRegressor

    require(
        isinstance(model, MeanFieldRegressor | MeanFieldClassifier),
        f"model: takes a Network, MeanFieldRegressor or MeanFieldClassifier, got {type(model)}",
    )
    check_is_fitted(model, "network_")
    kind = np.dtype("f8" if dtype is None else dtype)
    require(
        kind in ("f4", "f8"), f"dtype: takes float32 or float64, or None for float64, got {kind}"
    )
    convert = _regressor if isinstance(model, MeanFieldRegressor) else _classifier
    return convert(model, kind)


class Graph:
    """Nodes and constants of a graph under way; every verb returns the name of its result.

    Args:
        prefix: of all names, which keeps them apart from those of a graph around this one.
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: np.ndarray) -> str:
        name = f"{self.prefix}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def apply(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        name = name or f"{self.prefix}{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def cast(self, value: str, dtype: Any, name: str | None = None) -> str:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.apply("Cast", value, name=name, to=kind)

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
    graph = Graph()
    dtype = network.weights[0].dtype
    value = _layers(graph, "x", affine_layers(network), network)
    graph.apply("Identity", value, name="prediction")
    return graph.model(
        _tensor("x", dtype, ["m", network.input_dim]),
        [_tensor("prediction", dtype, ["m", network.output_dim])],
        f"A neuronal.Network of widths {network.widths}",
    )


def _regressor(model: Any, dtype: np.dtype) -> onnx.ModelProto:
    graph = Graph()
    add_regressor(graph, model, "x", "prediction", dtype, flat=model._flat)
    shape = ["m"] if model._flat else ["m", model.n_outputs_]
    return graph.model(
        _tensor("x", dtype, ["m", model.n_features_in_]),
        [_tensor("prediction", dtype, shape)],
        f"A fitted {model}",
    )


def _classifier(model: Any, dtype: np.dtype) -> onnx.ModelProto:
    graph = Graph()
    labels = labels_of(model)
    add_classifier(graph, model, "x", ("label", "probabilities"), dtype)
    return graph.model(
        _tensor("x", dtype, ["m", model.n_features_in_]),
        [
            _tensor("label", labels.dtype, ["m"]),
            _tensor("probabilities", dtype, ["m", len(labels)]),
        ],
        f"A fitted {model}",
    )


def add_regressor(
    graph: Graph, model: Any, x: str, prediction: str, dtype: np.dtype, flat: bool
) -> None:
    """The nodes from `x (m, d)`, of any kind of numbers, to `prediction (m, k)`, or `(m,)` if flat."""
    scale = model._state.targets
    value = graph.apply("Mul", _outputs(graph, model, x), graph.constant(scale.std))
    value = graph.apply("Add", value, graph.constant(scale.mean))
    if flat:
        value = graph.apply("Squeeze", value, graph.constant(np.array([1])))
    graph.cast(value, dtype, prediction)


def add_classifier(
    graph: Graph, model: Any, x: str, names: tuple[str, str], dtype: np.dtype
) -> None:
    """The nodes from `x (m, d)`, of any kind of numbers, to the label and the probabilities."""
    label, probabilities = names
    value = graph.apply("Softmax", _outputs(graph, model, x), axis=1)
    number = graph.apply("ArgMax", value, axis=1, keepdims=0)
    graph.apply("Gather", graph.constant(labels_of(model)), number, name=label)
    graph.cast(value, dtype, probabilities)


def _outputs(graph: Graph, model: Any, x: str) -> str:
    """The mean of the networks' outputs, in double precision, from inputs in the units of the data."""
    scale = model._state.inputs
    value = graph.apply("Sub", graph.cast(x, np.float64), graph.constant(scale.mean))
    value = graph.apply("Div", value, graph.constant(scale.std))
    standard = graph.cast(value, model.network_.weights[0].dtype)
    networks = model.networks_
    parts = [
        graph.cast(_layers(graph, standard, affine_layers(n, bias=True), n), np.float64)
        for n in networks
    ]
    if len(parts) == 1:
        return parts[0]
    # onnxruntime has no Mean in double precision.
    return graph.apply(
        "Div", graph.apply("Sum", *parts), graph.constant(np.array(len(parts), "f8"))
    )


def _layers(graph: Graph, value: str, layers: Sequence[Affine], network: Network) -> str:
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


def _activation(graph: Graph, value: str, activation: Activation, dtype: np.dtype) -> str:
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
    if activation == activations.silu:
        return graph.apply("Mul", value, graph.apply("Sigmoid", value))
    if activation == activations.gelu:
        scaled = graph.apply("Mul", value, graph.constant(np.asarray(0.5**0.5, dtype)))
        below = graph.cast(graph.apply("Erf", graph.cast(scaled, np.float32)), dtype)
        half = graph.apply("Mul", value, graph.constant(np.asarray(0.5, dtype)))
        return graph.apply(
            "Mul", half, graph.apply("Add", below, graph.constant(np.ones((), dtype)))
        )
    if activation == activations.square:
        return graph.apply("Mul", value, value)
    known = ", ".join(sorted(activations.ACTIVATIONS))
    raise InvalidInput(f"activations: {activation} has no ONNX operators here; {known} have")


def labels_of(model: Any) -> np.ndarray:
    """The labels in a type that ONNX has."""
    classes = model.classes_
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

"""Activations $\\varphi_i$: those with a name (`named`), and those made of numbers or of others."""

from .base import Activation, in_words
from .named import (
    ACTIVATIONS,
    erf,
    gelu,
    get,
    identity,
    per_layer,
    relu,
    sigmoid,
    silu,
    sin,
    softplus,
    softsign,
    square,
    tanh,
)
from .own import of
from .pieces import piecewise_linear
from .scale import scaled
from .sphere import radial

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "erf",
    "gelu",
    "get",
    "identity",
    "in_words",
    "of",
    "per_layer",
    "piecewise_linear",
    "radial",
    "relu",
    "scaled",
    "sigmoid",
    "silu",
    "sin",
    "softplus",
    "softsign",
    "square",
    "tanh",
]

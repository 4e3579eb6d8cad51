"""What a picture shows of a weight: its singular values, and its values between some neurons."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from jaxtyping import Array, Float, Int

from .biases import Affine
from .dense import matrix, neurons
from .factors import Factored


@singledispatch
def singular_values(
    w: Float[Array, "n n_out"], incoming: Float[Array, "n"], outgoing: Float[Array, "n_out"]
) -> Float[np.ndarray, "r"]:
    r"""Of $w$ as an operator from $L^2(P')$ to $L^2(P)$, decreasing: those of $\sqrt{p}\, w \sqrt{p'}$.

    Of a matrix at its cubic cost, of a sum of r products at a cost linear in neurons. Biases are left out.
    """
    left, right = np.sqrt(np.asarray(incoming, float)), np.sqrt(np.asarray(outgoing, float))
    weighted = left[:, None] * np.asarray(matrix(w), float) * right
    return np.linalg.svd(weighted, compute_uv=False)


@singular_values.register(Factored)
def _(w: Factored, incoming: Array, outgoing: Array) -> Float[np.ndarray, "r"]:
    scales = np.asarray(w.s, float)
    rows = scales != 0

    def triangle(factor: Array, p: Array) -> np.ndarray:
        weighted = np.asarray(factor, float)[rows] * np.sqrt(np.asarray(p, float))
        return np.asarray(np.linalg.qr(weighted.T, mode="r"))

    left, right = triangle(w.f, incoming), triangle(w.g, outgoing)
    return np.linalg.svd((left * scales[rows]) @ right.T, compute_uv=False)


@singular_values.register(Affine)
def _(w: Affine, incoming: Array, outgoing: Array) -> Float[np.ndarray, "r"]:
    return singular_values(w.weight, incoming, outgoing)


@singledispatch
def between(
    w: Float[Array, "n n_out"], rows: Int[np.ndarray, "a"], columns: Int[np.ndarray, "b"]
) -> Float[np.ndarray, "a b"]:
    """$w$ between these incoming and those outgoing neurons, as a matrix; biases are left out."""
    return np.asarray(matrix(neurons(w, rows, columns)))


@between.register(Affine)
def _(w: Affine, rows: np.ndarray, columns: np.ndarray) -> Float[np.ndarray, "a b"]:
    return between(w.weight, rows, columns)

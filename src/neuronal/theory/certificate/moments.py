r"""Assumption 1.1: $\sup_{m \ge 1} m^{-1/2}\,\mathbb{E}[|w_i^0|^m]^{1/m} \le K$.

Write $\|\cdot\|_G$ for that supremum, a norm. Of a standard normal z in d dimensions it is
$\mathbb{E}|z|$, its value at m = 1: by Minkowski $\mathbb{E}[|z|^m]^{1/m} \le \sqrt{d}\,
\mathbb{E}[|z_1|^m]^{1/m}$ for $m \ge 2$, by Stirling $m^{-1/2}\mathbb{E}[|z_1|^m]^{1/m} \le
2^{-1/2}$ there, and $\mathbb{E}|z| \ge \sqrt{d/2}$.
"""

from __future__ import annotations

import math

import jax
import numpy as np
from jaxtyping import Float
from scipy import special

from ...embeddings import IID, AbstractEmbedding, Bidirectional
from ...embeddings.features import tanh_overlap
from .rows import MEASURED, PROVED, UNKNOWN, Finding, Row, groups, layered

_WIDTHS, _MOMENTS = (128, 512), 16


def gaussian(dim: int) -> float:
    r"""$\|z\|_G = \mathbb{E}|z| = \sqrt 2\,\Gamma((d+1)/2) / \Gamma(d/2)$ for z ~ N(0, I_d)."""
    return math.sqrt(2) * math.exp(special.gammaln((dim + 1) / 2) - special.gammaln(dim / 2))


def sampled(values: Float[np.ndarray, "n"]) -> float:
    """The supremum over m = 1..16 of a sample's own moments."""
    size = np.abs(np.asarray(values, float))
    top = float(size.max())
    if top == 0 or not math.isfinite(top):
        return top
    m = np.arange(1, _MOMENTS + 1)
    powers = np.mean((size / top) ** m[:, None], axis=1)
    return float(np.max(top * powers ** (1 / m) / np.sqrt(m)))


def moment_rows(embedding: AbstractEmbedding) -> list[Row]:
    """A row for each group of layers with equal answers."""
    if type(embedding) is Bidirectional:
        findings = _bidirectional(embedding)
    elif type(embedding) is IID:
        findings = _iid(embedding)
    else:
        findings = _measured(embedding)
    says = "sup_m m^(-1/2) E[|w_{}|^m]^(1/m) <= K"
    return [
        layered("1.1 w_{} moments", layers, says, finding) for finding, layers in groups(findings)
    ]


def _bidirectional(embedding: Bidirectional) -> list[Finding]:
    # Given c, sum_k s_k alpha'_k psi_k(c) is normal with variance sum (s_k psi_k)^2, since
    # alpha' belongs to c'; likewise the other sum. Features are below 1 / E[z tanh z] (the
    # cosines below sqrt 2).
    most = max(1 / tanh_overlap(), math.sqrt(2))
    root = math.sqrt(float(np.sum(embedding.coefficients**2)))
    how = "both sums are normal given the features, which are bounded; true of every rank"
    middle = [Finding(PROVED, 2 * g * most * root * gaussian(1), how) for g in embedding.gains]
    return [
        Finding(
            PROVED, embedding.input_scale * gaussian(embedding.input_dim), "normal, |w_1| in R^d"
        ),
        *middle,
        Finding(PROVED, gaussian(embedding.output_dim), "standard normal"),
    ]


def _iid(embedding: IID) -> list[Finding]:
    dims = [embedding.input_dim, *[1] * (embedding.depth - 2), embedding.output_dim]
    return [
        Finding(PROVED, abs(mean) * math.sqrt(dim) + std * gaussian(dim), "normal")
        for mean, std, dim in zip(embedding.means, embedding.stds, dims, strict=True)
    ]


def _measured(embedding: AbstractEmbedding) -> list[Finding]:
    key = jax.random.key(0)
    small, large = (
        [_sizes(w, i, embedding.depth) for i, w in enumerate(embedding.sample(n, key).matrices)]
        for n in _WIDTHS
    )
    findings = []
    for few, many in zip(small, large, strict=True):
        before, figure = sampled(few), sampled(many)
        how = f"of a network of width {_WIDTHS[1]}, m up to {_MOMENTS}"
        if not math.isfinite(figure) or figure > 1.5 * before:
            how += f"; it grows with the sample ({before:.3g} at width {_WIDTHS[0]})"
            findings.append(Finding(UNKNOWN, figure, how))
        else:
            findings.append(Finding(MEASURED, figure, how))
    return findings


def _sizes(w: jax.Array, index: int, depth: int) -> np.ndarray:
    """|w_i^0| over neurons: Euclidean over inputs and over outputs."""
    values = np.asarray(w, float)
    if index in (0, depth - 1):
        return np.linalg.norm(values, axis=1)
    return values.reshape(-1)

r"""Assumption 1.1: $\sup_{m \ge 1} m^{-1/2}\,\mathbb{E}[|w_i^0|^m]^{1/m} \le K$.

The embedding answers; the norm and what it is of a Gaussian is in `neuronal.embeddings.moments`.
"""

from __future__ import annotations

from ...embeddings import AbstractEmbedding
from .rows import Row, groups, layered


def moment_rows(embedding: AbstractEmbedding) -> list[Row]:
    """A row for each group of layers with equal answers."""
    says = "sup_m m^(-1/2) E[|w_{}|^m]^(1/m) <= K"
    return [
        layered("1.1 w_{} moments", layers, says, finding)
        for finding, layers in groups(embedding.moments())
    ]

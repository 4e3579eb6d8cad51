r"""Directions in which measures are perturbed: those that matter most one by one, the rest at random.

The empirical measure of n neurons leaves $p$ by $n^{-1/2} \delta$, $\mathrm{Cov}\,\delta =
\mathrm{diag}\,p - p p^T = A A^T$ with $A = \mathrm{diag}(\sqrt p)\,(I - \sqrt p \sqrt p^T)$. A quadratic
form in $\delta$ has the mean $\sum_j h(A q_j)$ over an orthonormal basis $q$. The leading ones
are taken as they are and the rest is estimated from random $g \sim N(0, I)$ in their complement
(Hutchinson's estimate after deflation; Meyer, Musco, Musco and Woodruff, Hutch++, 2021): without
bias whatever the leading ones are. They are the singular vectors of the
influences that neurons have with the weights held (`neuronal.influences`) at several times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Drawn(NamedTuple):
    """Signed measures of one layer.

    Attributes:
        deltas: `(S, n)`.
        fixed: how many of them, the first, count in full; of the others the mean counts.
    """

    deltas: Float[np.ndarray, "S n"]
    fixed: int


def neuron_directions(
    measure: Float[np.ndarray, "n"],
    influences: Sequence[Float[np.ndarray, "_ n"]],
    leading: int,
    random: int,
    rng: np.random.Generator,
) -> Drawn:
    """Directions of a hidden layer; a whole basis, without any at random, where that is no more.

    Args:
        influences: rows of functions of neurons, one array per time; their scale counts.
    """
    root = np.sqrt(np.asarray(measure, np.float64) / np.sum(measure, dtype=np.float64))
    if np.count_nonzero(root) - 1 <= leading + random:
        basis = _complement(root[:, None], np.diag((root > 0).astype(float)))
        return Drawn(basis.T * root, basis.shape[1])
    found = np.concatenate([_sketch(rows, leading, rng) for rows in influences]).T * root[:, None]
    found -= np.outer(root, root @ found)
    left, sizes, _ = np.linalg.svd(found, full_matrices=False)
    rank = int(np.sum(sizes > 1e-8 * sizes[0]))
    basis = left[:, : min(leading, rank)]
    draws = rng.standard_normal((len(root), random))
    for known in (root[:, None], basis):
        draws -= known @ (known.T @ draws)
    return Drawn(np.concatenate([basis, draws], axis=1).T * root, basis.shape[1])


def noise_directions(
    response: Response, leading: int, random: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "S steps 2 m"], int]:
    r"""Paths of noise in the law of the samples, two signed measures for each step, and how many are fixed.

    Each measure has the covariance $\mathrm{diag}\,q - q q^T$. The leading ones are those that move the
    prediction most by `response`.
    """
    found = response.gradients(2 * leading + 8, rng)
    shape = found.shape[1:]
    right, sizes = np.linalg.svd(found.reshape(len(found), -1), full_matrices=False)[2:0:-1]
    rank = int(np.sum(sizes > 1e-8 * sizes[0]))
    basis = right[: min(leading, rank)]
    draws = rng.standard_normal((random, right.shape[1]))
    draws -= (draws @ basis.T) @ basis
    paths = np.concatenate([basis, draws]).reshape(-1, *shape)
    root = response.root
    return root * (paths - (paths @ root)[..., None] * root), len(basis)


@dataclass(frozen=True)
class Response:
    r"""How noise in the samples moves the prediction, in the approximation of a given tangent kernel.

    $d\,\delta\hat y = -K\,(q \mathcal{L}''\,\delta\hat y\,dt + \mathcal{L}'\,d\zeta)$, with the kernel at
    a few times and interpolated between them. It only chooses directions; where the kernel is not
    known, none is better than another.

    Attributes:
        times: ends of steps.
        looks, kernels: times, and the kernel at each, `(m k, m k)`.
        slope, curvature, weights: of the loss along the limit, at the ends of steps.
    """

    times: Float[np.ndarray, "K"]
    looks: Float[np.ndarray, "a"]
    kernels: Float[np.ndarray, "a mk mk"] | None
    slope: Float[np.ndarray, "K m k"]
    curvature: Float[np.ndarray, "K m k k"]
    weights: Float[np.ndarray, "m"]

    @property
    def root(self) -> Float[np.ndarray, "m"]:
        """The square root of the law of the samples."""
        return np.sqrt(self.weights)

    def gradients(
        self, count: int, rng: np.random.Generator
    ) -> Float[np.ndarray, "count steps 2 m"]:
        """Derivatives of random combinations of all predictions in the noise, in its standard form."""
        steps, m, k = self.slope.shape
        if self.kernels is None:
            return np.zeros((1, steps - 1, 2, m))
        size = np.diff(self.times)
        found = np.zeros((count, len(size), 2, m))
        adjoint = np.zeros((m * k, count))
        scale = np.repeat(self.root, k)[:, None]
        for j in range(len(size), 0, -1):
            kernel = self._kernel(self.kernels, self.times[j])
            adjoint += scale * rng.standard_normal((m * k, count)) * np.sqrt(size[j - 1])
            bent = np.einsum("m,mkl->mkl", self.weights, self.curvature[j])
            back = np.einsum("mkl,mln->mkn", bent, kernel.reshape(m, k, m * k)).reshape(m * k, -1)
            before = np.linalg.solve(np.eye(m * k) + size[j - 1] * back, adjoint)
            # The noise enters evenly, and by more at the end than at the beginning, of the step.
            for mode, seen in enumerate((adjoint + before, (adjoint - before) / np.sqrt(3))):
                found[:, j - 1, mode] = self._kick(j, kernel, seen / 2, size[j - 1])
            adjoint = before
        return found

    def _kick(
        self, j: int, kernel: np.ndarray, adjoint: np.ndarray, size: float
    ) -> Float[np.ndarray, "count m"]:
        pulled = (kernel @ adjoint).reshape(*self.slope.shape[1:], -1)
        by_sample = np.einsum("mk,mkc->cm", self.slope[j], pulled) * np.sqrt(size)
        scaled = by_sample * self.root
        return scaled - (scaled @ self.root)[:, None] * self.root

    def _kernel(self, kernels: np.ndarray, t: float) -> Float[np.ndarray, "mk mk"]:
        i = int(np.clip(np.searchsorted(self.looks, t) - 1, 0, len(self.looks) - 2))
        share = (t - self.looks[i]) / (self.looks[i + 1] - self.looks[i])
        return (1 - share) * kernels[i] + share * kernels[i + 1]


def _sketch(
    rows: Float[np.ndarray, "q n"], leading: int, rng: np.random.Generator
) -> Float[np.ndarray, "_ n"]:
    """Few random combinations of many rows, which span nearly what the largest do."""
    count = 2 * leading + 8
    if len(rows) <= count:
        return rows
    return rng.standard_normal((count, len(rows))) @ rows / np.sqrt(count)


def _complement(
    known: Float[np.ndarray, "n a"], within: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "n b"]:
    """An orthonormal basis of what `within` spans and `known`, orthonormal, does not."""
    left, sizes, _ = np.linalg.svd(within - known @ (known.T @ within))
    return left[:, : int(np.sum(sizes > 1e-8))]

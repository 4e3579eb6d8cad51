r"""A wider network in the middle of training: neurons split into copies that learn apart.

A neuron of measure p and c copies of it of measure p/c are the same measure: the network computes the
same function and, since the velocity of a weight holds no measure of its own two ends, gradient
flow and SGD move every copy as the neuron itself would have moved. Splitting alone adds nothing. So
the copies' outgoing weights are set apart by displacements whose mean over the copies of a neuron
is zero,

$$w_{i+1}(c_i^a, \cdot) = w_{i+1}(c_i, \cdot) + \sigma\, \zeta^a_i(\cdot), \qquad \sum_a \zeta^a_i = 0 .$$

Averages over a layer are linear in its outgoing weights, and copies have equal $H_i$: every $H_i$
and the prediction stay as they are, exactly, for any $\sigma$. Sensitivities do not, so
that copies part at once. Means over copies of the velocities are the old velocities, so
that by Jensen's inequality no layer's is smaller in $L^2(P)$ than it was, and the risk falls at
least as fast as before.

Splitting is that of Net2Net (Chen, Goodfellow and Shlens, arXiv 1511.05641), which adds small noise;
that the outgoing side can be set apart at no loss is used by LEMON (Wang et al., arXiv
2310.07999). Here $\zeta$ is Gaussian with the covariance of the layer's own outgoing functions,
the smoothed bootstrap (Silverman and Young, Biometrika 74, 1987): noise independent from weight to weight
would average out over a wide layer.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from ..checks import hidden_sizes, key_of, require, shown
from ..kernels.dense import mapped
from ..network import Network


def grow(
    network: Network,
    widths: int | Sequence[int],
    key: PRNGKeyArray | int,
    spread: float = 1.0,
) -> Network:
    r"""A wider network that computes the same function and learns on with more freedom.

    Each neuron becomes copies that share its measure, as many as keep measures most even; the
    copies' outgoing weights are displaced, with mean zero over the copies of a neuron.
    `nr.train(..., since=t)` or `nr.solve(..., since=t)` go on from there.

    Args:
        network: a network at any time of its training, `run.at(t)` or `run.network`.
        widths: of the hidden layers, one number or one per layer, none below the present ones; they
            need not be multiples: measures take up the difference.
        key: of the displacements.
        spread: $\sigma$, their standard deviation in units of that of the layer's outgoing
            functions over its neurons. 0 splits only: such copies stay equal for ever.

    Returns:
        the network; copies follow each other, and factored weights stay factored.

    Raises:
        InvalidInput: a width below the present one, or not L - 1 of them; a negative spread.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> rng = np.random.default_rng(0)
        >>> net = nr.Network([rng.normal(size=(8, 2)), rng.normal(size=(8, 1))])
        >>> x = rng.normal(size=(5, 2))
        >>> wide = nr.grow(net, 20, key=0)
        >>> wide.widths, bool(np.allclose(wide(x), net(x), atol=1e-6))
        ((20,), True)

        ```
    """
    require(isinstance(network, Network), "network: takes a Network, as Trajectory.network is")
    sizes = hidden_sizes("widths", widths, network.depth)
    for n, old in zip(sizes, network.widths, strict=True):
        require(
            n >= old, f"widths: takes {old} or more, the present width, got {n}; resample narrows"
        )
    require(
        bool(np.isfinite(spread)) and spread >= 0,
        f"spread: takes a number >= 0, got {shown(spread)}",
    )
    key = key_of(key)
    first, *rest = network.weights
    old = [np.asarray(p) for p in network.measures]
    splits = [
        _split(p.astype(float), n, jax.random.fold_in(key, 2 * i))
        for i, (p, n) in enumerate(zip(old, sizes, strict=True))
    ]
    weights = [first[splits[0].parent]]
    for i, (w, split) in enumerate(zip(rest, splits, strict=True)):
        above = splits[i + 1].parent if i + 1 < len(splits) else slice(None)
        noise = jax.random.fold_in(key, 2 * i + 1)
        weights.append(_widened(w, old[i], split, above, spread, noise))
    measures = [
        p[s.parent] / s.copies[s.parent].astype(p.dtype) for p, s in zip(old, splits, strict=True)
    ]
    return Network(weights, network.activations, measures, network.unit)


class _Split(NamedTuple):
    """Copies of each old neuron, and the old neuron of each new one, in order."""

    copies: Int[np.ndarray, "n"]
    parent: Int[np.ndarray, "n_new"]


def _split(p: Float[np.ndarray, "n"], count: int, key: PRNGKeyArray) -> _Split:
    """Copies one by one to the neuron whose copies have the largest measure; ties at random."""
    copies = np.ones(len(p), int)
    order = np.asarray(jax.random.permutation(key, len(p)))
    shares = [(-p[j], int(tie), j) for j, tie in enumerate(order)]
    heapq.heapify(shares)
    for _ in range(count - len(p)):
        _, tie, j = shares[0]
        copies[j] += 1
        heapq.heapreplace(shares, (-p[j] / copies[j], tie, j))
    return _Split(copies, np.repeat(np.arange(len(p)), copies))


def _widened(
    w: Any,
    measure: Float[np.ndarray, "n"],
    split: _Split,
    above: Int[np.ndarray, "m_new"] | slice,
    spread: float,
    key: PRNGKeyArray,
) -> Any:
    """Outgoing weights of the copies: rows displaced, columns those of the copies above."""
    return mapped(w, lambda rows: _displaced(rows, measure, split, spread, key), above)


def _displaced(
    rows: Float[np.ndarray, "n q"],
    measure: Float[np.ndarray, "n"],
    split: _Split,
    spread: float,
    key: PRNGKeyArray,
) -> Float[np.ndarray, "n_new q"]:
    """Rows of the copies, each `spread` of the rows' own covariance away from its parent's."""
    root = np.linalg.qr(np.sqrt(measure)[:, None] * (rows - measure @ rows), mode="r")
    count = len(split.parent)
    noise = np.asarray(jax.random.normal(key, (count, len(root)), rows.dtype)) @ root
    first = np.cumsum(split.copies) - split.copies  # copies follow each other
    mean = np.add.reduceat(noise, first) / split.copies[:, None].astype(rows.dtype)
    # Less their mean, c draws have 1 - 1/c of their variance; a single copy is not displaced.
    c = np.maximum(split.copies, 2)
    scale = np.where(split.copies > 1, np.sqrt(c / (c - 1)), 0).astype(rows.dtype)
    apart = spread * scale[split.parent, None] * (noise - mean[split.parent])
    return rows[split.parent] + apart.astype(rows.dtype)

r"""Assumption 1.2: $(w_i(\cdot, C_i), w_{i+1}(C_i, \cdot))$ has full support in $L^2(P_{i-1})
\times L^2(P_{i+1})$; at $i = 1$ $(w_1(C_1), w_2(C_1, \cdot))$ in $\mathbb{R}^d \times L^2(P_2)$.

Full support is a property of infinitely many neurons, so it is proved or refuted by argument.
What finitely many neurons, or a finite rank, reach of it is measured: how far a target
(incoming, outgoing) is from the nearest neuron and from the neurons' span.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import ArrayLike, Float

from ...bounds.finding import MEASURED, VIOLATED
from ...checks import require, shown
from ...embeddings import AbstractEmbedding
from ...network import Network
from .rows import Row

Targets = tuple[ArrayLike, ArrayLike]
"""Functions of a layer's neighbours at the limit's nodes: incoming `(t, n_{i-1})` (`(t, d)` for
i = 1) and outgoing `(t, n_{i+1})` (`(t, k)` for i = L - 1)."""

MOST = 128
"""Neurons whose span is taken: beyond that the cost grows and the span hardly does."""
_LAYERS = 6
_RESOLVED = 1e-5
_RANDOM = 16
_FREQUENCY = 1.5


@dataclass(frozen=True)
class Reach:
    """Distances of t targets, each as a share of the target's norm.

    Attributes:
        forward, backward: of the incoming and of the outgoing function to the span of the
            neurons' own, `(t,)`.
        joint: of the pair to the span of the neurons' pairs, `(t,)`.
        nearest: of the pair to the nearest neuron, `(t,)`.
        rank: dimension of the span of the pairs, to rounding.
    """

    forward: Float[np.ndarray, "t"]
    backward: Float[np.ndarray, "t"]
    joint: Float[np.ndarray, "t"]
    nearest: Float[np.ndarray, "t"]
    rank: int


def reach(network: Network, layer: int, targets: Targets, most: int = MOST) -> Reach:
    r"""How far targets are from the neurons of a layer, in $L^2(P_{i-1}) \times L^2(P_{i+1})$.

    Args:
        network: the limit on nodes, at any time (`Trajectory.at`).
        layer: i, 1..L-1.
        most: neurons whose span is taken, the first of the layer.

    Raises:
        InvalidInput: no such layer, or targets of another shape.
    """
    require(1 <= layer < network.depth, f"layer: takes 1..{network.depth - 1}, got {shown(layer)}")
    incoming, outgoing = _neurons(network, layer)
    f, h = (np.atleast_2d(np.asarray(t, float)) for t in targets)
    sizes = (incoming.shape[1], outgoing.shape[1])
    require(
        (f.shape[1], h.shape[1]) == sizes and len(f) == len(h),
        f"targets: layer {layer} takes incoming (t, {sizes[0]}) and outgoing (t, {sizes[1]}), "
        f"got {f.shape} and {h.shape}",
    )
    before, after = (np.sqrt(p) for p in _measures(network, layer))
    incoming, outgoing, f, h = incoming * before, outgoing * after, f * before, h * after
    pairs, both = np.hstack([incoming, outgoing]), np.hstack([f, h])
    square = np.sum(pairs**2, axis=1) - 2 * both @ pairs.T
    incoming, outgoing, pairs = (rows[:most] for rows in (incoming, outgoing, pairs))
    digits = float(np.finfo(network.weights[0].dtype).eps)
    joint, rank = distance_to_span(pairs, both, digits)
    nearest = np.sqrt(np.maximum(square.min(axis=1) + np.sum(both**2, axis=1), 0))
    return Reach(
        distance_to_span(incoming, f, digits)[0],
        distance_to_span(outgoing, h, digits)[0],
        joint,
        nearest / np.maximum(np.linalg.norm(both, axis=1), 1e-300),
        rank,
    )


def distance_to_span(
    rows: Float[np.ndarray, "n D"], targets: Float[np.ndarray, "t D"], digits: float
) -> tuple[Float[np.ndarray, "t"], int]:
    """Distance of each target to the span of `rows`, as a share of its norm; the span's rank.

    Directions below `digits` (the rows' relative precision) times the largest are rounding.
    The span is found from the rows' Gram matrix, many times faster than from their singular
    value decomposition, and good to singular values of 1e-5 of the largest.
    """
    squares, vectors = np.linalg.eigh(rows @ rows.T)
    threshold = max(max(rows.shape) * digits, _RESOLVED)
    kept = squares > threshold**2 * max(float(squares[-1]), 1e-300)
    basis = (vectors[:, kept] / np.sqrt(squares[kept])).T @ rows
    rest = targets - (targets @ basis.T) @ basis
    norms = np.maximum(np.linalg.norm(targets, axis=1), 1e-300)
    return np.linalg.norm(rest, axis=1) / norms, len(basis)


def random_targets(
    network: Network, layer: int, x: Float[np.ndarray, "m d"], count: int = _RANDOM, seed: int = 0
) -> Targets:
    r"""Random functions of what neighbouring neurons compute, as large as the neurons' own.

    $\sqrt2\cos(z + b)$ with $z$ a random average over x of $H_{i-1}(x, \cdot)$, respectively
    $H_{i+1}(x, \cdot)$: the next layer sees a neuron through such averages alone. Toward
    inputs and outputs: normal vectors.
    """
    rng = np.random.default_rng([seed, layer])
    h = network.preactivations(x)
    incoming, outgoing = _neurons(network, layer)
    before, after = _measures(network, layer)

    def functions(values: np.ndarray | None, own: np.ndarray, measure: np.ndarray) -> np.ndarray:
        if values is None:
            drawn = rng.normal(size=(count, own.shape[1]))
        else:
            z = rng.normal(size=(count, len(values))) @ values
            z = z - (z @ measure)[:, None]
            z = z / np.sqrt(np.maximum(z**2 @ measure, 1e-300))[:, None]
            phases = rng.uniform(0, 2 * np.pi, (count, 1))
            drawn = np.sqrt(2) * np.cos(_FREQUENCY * z + phases)
        sizes = np.sqrt(np.mean(own**2 @ measure))
        return drawn * sizes / np.sqrt(np.maximum(drawn**2 @ measure, 1e-300))[:, None]

    seen = None if layer == 1 else np.asarray(h[layer - 2], float)
    fed = None if layer == network.depth - 1 else np.asarray(h[layer], float)
    return functions(seen, incoming, before), functions(fed, outgoing, after)


def diversity_rows(
    embedding: AbstractEmbedding,
    networks: Mapping[float, Network],
    x: Float[np.ndarray, "m d"],
    targets: Mapping[int, Targets] | None = None,
) -> list[Row]:
    """The argument, and unless it refutes diversity, the reach at each time of `networks`.

    Args:
        targets: of some layers, measured beside the random ones.
    """
    says = "(w_i(., C_i), w_{i+1}(C_i, .)) has full support, i < L"
    answer = Row("1.2 diversity", says, *embedding.diversity())
    if answer.status == VIOLATED:
        return [answer]
    # Of a deep network some layers, the first and the last among them.
    layers = sorted({round(i) for i in np.linspace(1, embedding.depth - 1, _LAYERS)})
    of_layer = {i: [random_targets(w, i, x) for w in networks.values()] for i in layers}
    rows = [answer, *_reach_rows("random targets", networks, of_layer)]
    if targets:
        given = {i: [pair] * len(networks) for i, pair in targets.items()}
        rows += _reach_rows("given targets", networks, given)
    return rows


def _reach_rows(
    whose: str, networks: Mapping[float, Network], targets: Mapping[int, Sequence[Targets]]
) -> list[Row]:
    times = list(networks)
    parts = ("forward", "backward", "joint", "nearest")
    worst = {part: np.zeros(len(times)) for part in parts}
    layer_of = dict.fromkeys(parts, min(targets))
    detail: dict[str, list[float]] = {"time": times}
    for layer, pairs in targets.items():
        found = [reach(w, layer, pair) for w, pair in zip(networks.values(), pairs, strict=True)]
        for part in parts:
            means = np.array([float(np.mean(getattr(r, part))) for r in found])
            detail[f"layer {layer} {part}"] = means.tolist()
            if means[0] > worst[part][0]:
                layer_of[part] = layer
            worst[part] = np.maximum(worst[part], means)
        detail[f"layer {layer} rank"] = [float(r.rank) for r in found]

    def when(part: str) -> str:
        first = f"{worst[part][0]:.3g} at t = {times[0]:g}"
        return first + (f", {worst[part][-1]:.3g} at t = {times[-1]:g}" if len(times) > 1 else "")

    share = f"distance of {whose}, share of their norm, worst layer"
    span = (
        f"{share}: of pairs; forward {when('forward')} (layer {layer_of['forward']}), backward "
        f"{when('backward')} (layer {layer_of['backward']})"
    )
    near = f"{share} ({layer_of['nearest']}): {when('nearest')}"
    kind = whose.split(" ", 1)[0]
    return [
        Row(f"1.2 span, {kind}", "distance of targets to the neurons' span", MEASURED,
            float(worst["joint"][-1]), span, detail=detail),
        Row(f"1.2 nearest, {kind}", "distance of targets to the nearest neuron", MEASURED,
            float(worst["nearest"][-1]), near),
    ]  # fmt: skip


def _neurons(network: Network, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """Functions of the neurons that have mass: incoming `(n, n_{i-1})`, outgoing `(n, n_{i+1})`."""
    w = network.matrices
    incoming = w[0] if layer == 1 else w[layer - 1].T
    massive = np.asarray(network.measures[layer - 1]) > 0
    return np.asarray(incoming, float)[massive], np.asarray(w[layer], float)[massive]


def _measures(network: Network, layer: int) -> tuple[np.ndarray, np.ndarray]:
    before = network.measures[layer - 2] if layer > 1 else np.ones(network.weights[0].shape[1])
    last = layer == network.depth - 1
    after = np.ones(network.output_dim) if last else network.measures[layer]
    return np.asarray(before, float), np.asarray(after, float)

"""How the weights of a run are kept, dense or factored, and why."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from ..checks import choice, hidden_sizes, require
from ..embeddings import AbstractEmbedding
from ..kernels.compression import as_factors, with_room_to_grow
from ..network import Network
from ..problem import Problem
from ..vocabulary import KERNELS

FACTORED_FROM = 2048
"""Neurons per layer from which factored kernels pay: there, with 32 data points and compilation, a
run takes as long on either (benchmarks/factored.py); more of either makes dense ones the slower."""
DENSE_BELOW = 4096
"""Neurons per layer below which dense kernels are looked at where samples differ much: they fit memory."""
PER_ROW = 40
"""Neurons per layer and row of a velocity from which factored kernels pay: a step brings the rows of all its
stages back to few at a cost cubic in them. At 2048 neurons 64, 128 and 240 digits take 1.6, 5.8 and 10 times
as long as on dense kernels, and SGD on 1347 of them, whose rank goes to 1465 in 60 steps, 66 times."""
_FEW, _SAMPLES, _SMALL = 256, 512, 1e-5


def check_kernels(problem: Problem, start: AbstractEmbedding | Network) -> None:
    """Raise `InvalidInput` for a network of factored weights with a motion that takes matrices."""
    require(
        not problem.carried or not isinstance(start, Network) or not start.factored,
        f"network: its weights are factored, and {problem.carried} takes dense ones: steps of "
        "factored ones carry nothing besides; take network.with_weights(network.matrices)",
    )


def choose_kernel(
    start: AbstractEmbedding | Network,
    nodes: int | Sequence[int],
    kernel: str,
    problem: Problem | None = None,
    data_nodes: int | None = None,
) -> tuple[str, str]:
    """``dense`` or ``factored``, and why.

    Args:
        problem: that is learned, if its motion has a say.
        data_nodes: of $E_Z$, by which samples are told apart; left out, samples do not count.

    Raises:
        InvalidInput: an unknown kernel, or factored ones that start or motion cannot have.
    """
    choice("kernel", kernel, KERNELS)
    if problem is not None and problem.carried:
        check_kernels(problem, start)
        require(kernel != "factored", f"kernel: {problem.carried} takes 'dense', or 'auto'")
        return "dense", f"as {problem.carried} takes"
    if isinstance(start, Network):
        known = start.factored
        sizes = start.widths
    else:
        known, sizes = start.factored, hidden_sizes("nodes", nodes, start.depth)
    if start.depth == 2:
        require(kernel != "factored", "kernel: at L = 2 no layer has a kernel to factor")
        return "dense", "two layers have no weights between neurons"
    if kernel == "factored":
        require(
            known or isinstance(start, Network),
            f"kernel: the initial weights of {type(start).__name__} are known as functions of pairs "
            "only, not as factors; take 'dense'",
        )
        return kernel, "as asked"
    if kernel == "dense":
        require(not (known and isinstance(start, Network)), "kernel: the network's are factored")
        return kernel, "as asked"
    if isinstance(start, Network):
        return ("factored" if known else "dense"), "as the network's weights are kept"
    if not known:
        return "dense", f"the initial weights of {type(start).__name__} have no known factors"
    smallest = min(n * m for n, m in itertools.pairwise(sizes)) ** 0.5
    if smallest < FACTORED_FROM:
        return "dense", f"fewer than {FACTORED_FROM} neurons a layer"
    if problem is not None and data_nodes is not None and smallest < DENSE_BELOW:
        rows = _independent(start, problem.quadrature(data_nodes)[0])
        if smallest < PER_ROW * rows:
            return (
                "dense",
                f"fewer than {PER_ROW} neurons a layer for each of {rows} samples unlike others",
            )
    return "factored", f"{FACTORED_FROM} neurons a layer or more, and the start is low-rank"


def _independent(start: AbstractEmbedding, x: Float[Array, "m d"]) -> int:
    """How many samples the first layer's neurons tell apart: the rows that a velocity takes, or more."""
    few = start.quadrature(_FEW, kernel="factored")
    seen = x[:: -(-len(x) // _SAMPLES)].astype(few.weights[0].dtype)
    scales = np.linalg.svd(np.asarray(few.forward(seen)[1][0], float), compute_uv=False)
    tails = np.sqrt(np.cumsum(scales[::-1] ** 2)[::-1])
    return int(np.sum(tails > _SMALL * tails[0]))


SGD_COPIES = 2
"""Matrices between layers that SGD holds at once, at least: before a step and after it."""


def ode_copies(solver: Any) -> int:
    """Matrices between layers that the ODE holds at once, at least, whatever the solver.

    A Runge-Kutta method holds the velocities of its stages and four more (Heun 6, Tsit5 11): the
    weights of the start, those now, those of a stage, and the product that becomes a velocity.
    Of methods without a tableau, start and now alone are known, unless they state a number of
    their own, as `neuronal.RKC` does; ``auto`` begins with Tsit5.
    """
    import diffrax  # takes long to import, and SGD needs none of it

    solver = getattr(solver, "explicit", solver)
    if (own := getattr(solver, "copies", None)) is not None:
        return own
    stages = getattr(getattr(solver, "tableau", None), "num_stages", 0)
    if stages > 1:
        return stages + 4
    kind = solver if isinstance(solver, type) else type(solver)
    return 4 if issubclass(kind, diffrax.Euler) else 2


def network_with_room(network: Network) -> Network:
    """Factored weights as singular value decompositions, with rows for the rank to grow into."""
    first, *middle, last = network.weights
    pairs = itertools.pairwise(network.measures)
    grown = [with_room_to_grow(w, p, q) for w, (p, q) in zip(middle, pairs, strict=True)]
    return network.with_weights((first, *grown, last))


def network_as_factors(network: Network) -> Network:
    """Matrices between layers as factors, by their singular value decomposition.

    Raises:
        InvalidInput: matrices that several processes share.
    """
    first, *middle, last = network.weights
    return network.with_weights((first, *map(as_factors, middle), last))

"""Chizat, Oyallon and Bach: at a large scale of the output a network is its own linearisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..activations import scaled as scaled_activation
from ..distributions import Empirical
from ..drivers.ode.solve import solve
from ..embeddings import IID
from ..losses import Squared
from ..network import Network
from ..problem import Problem
from ..schedules import constant
from ..theory.tangent import tangent_kernel
from .figures import rms, slope, wave
from .panels import power_law
from .rows import Row
from .work import Work

UNTIL, INPUT_STD = 3.0, 2.0
EXACT: dict[str, Any] = {"save_at": 1, "rtol": 1e-9, "atol": 1e-12, "solver": "tsit5"}


def projected(network: Network, x: Float[np.ndarray, "m d"]) -> Network:
    """The least change of $w_L$ that makes the output 0 at the inputs, without any symmetry."""
    *first, last = (np.asarray(w) for w in network.matrices)
    features = np.asarray(network.forward(jnp.asarray(x))[1][-2]) / last.shape[0]
    return Network(
        [*first, last - np.linalg.pinv(features) @ (features @ last)], network.activations
    )


def linearised(
    kernel: Float[np.ndarray, "m m"], y: Float[np.ndarray, "m"], q: Float[np.ndarray, "m"]
) -> Float[np.ndarray, "m"]:
    """The kernel's flow from 0 at MF time `UNTIL`, squared loss, by the eigenvectors of K q."""
    root = np.sqrt(q)
    values, vectors = np.linalg.eigh(root[:, None] * kernel * root)
    share = -np.expm1(-np.maximum(values, 0) * UNTIL)
    return vectors @ (share * (vectors.T @ (root * y))) / root


def arcsine_kernel(x: Float[np.ndarray, "m d"], std: float) -> Float[np.ndarray, "m m"]:
    r"""Tangent kernel of erf at L = 2, in closed form: $w_1 \sim N(0, \sigma^2 I)$, $w_2 \sim N(0, 1)$."""
    s = std**2 * x @ x.T
    one = 1 + 2 * np.diag(s)
    product = np.outer(one, one)
    values = (2 / np.pi) * np.arcsin(2 * s / np.sqrt(product))
    slopes = (4 / np.pi) / np.sqrt(product - 4 * s**2)
    return values + (x @ x.T) * slopes


def rows(fast: bool) -> Iterator[Row]:
    """See `WORK`."""
    width, scales = (32, (4.0, 8.0, 16.0)) if fast else (64, (4.0, 8.0, 16.0, 32.0, 64.0))
    law = wave(8)
    x, y, q = (np.asarray(part) for part in law.quadrature(1))
    y = y[:, 0]

    def scaled(network: Network, scale: float) -> tuple[np.ndarray, float]:
        # For the squared loss F_a is the risk of h itself with targets y / a.
        problem = Problem(Empirical(x, y / scale), Squared())
        end = solve(problem, network, UNTIL, **EXACT).network
        moved = [
            np.mean((np.asarray(a) - np.asarray(b)) ** 2)
            for a, b in zip(network.matrices, end.matrices, strict=True)
        ]
        return scale * np.asarray(end(x))[:, 0], float(np.sqrt(np.sum(moved)))

    first = IID(2, 2, activation="erf", std=(INPUT_STD, 1.0)).sample(width, 0).doubled()
    yield _scale(Problem(law, Squared()), first, scaled)
    count = 4096 if fast else 16384
    embedding = IID(2, 2, activation="erf", std=(INPUT_STD, 1.0))
    nodes = embedding.quadrature(count).doubled()
    closed = arcsine_kernel(x, INPUT_STD)
    kernel = np.asarray(tangent_kernel(nodes, x))[:, 0, :, 0]
    yield Row(
        "the tangent kernel of the limit",
        "arcsine formulas (Williams 1997), L = 2, erf",
        0.0,
        float(np.max(np.abs(kernel - closed)) / np.max(closed)),
        0.01,
        f"largest difference of `tangent_kernel` on {count} Sobol nodes from the closed form, over its "
        "largest entry",
    )
    ends, _ = scaled(nodes, 64.0)
    yield Row(
        "the limit at scale 64 follows the closed-form kernel's flow",
        "its theorem on the linearised model, as we computed it",
        0.0,
        float(np.max(np.abs(ends - linearised(closed, y, q)))),
        0.01,
        f"largest difference of predictions at t = {UNTIL:g} between `solve` and NumPy's "
        "eigenvectors of the "
        "closed form",
    )
    for depth in (2, 3):
        embedding = IID(2, depth, std=(INPUT_STD, *[1.0] * (depth - 1)), activation="erf")
        network = embedding.sample(width, 1).doubled()
        yield from _exponents(
            f"L = {depth}, doubled start", network, scales, -2.0, scaled, (x, y, q)
        )
    plain = projected(IID(2, 2, activation="erf", std=(INPUT_STD, 1.0)).sample(width, 2), x)
    far = tuple(4 * scale for scale in scales)
    yield from _exponents("L = 2, output 0 without symmetry", plain, far, -1.0, scaled, (x, y, q))


def _scale(problem: Problem, network: Network, scaled) -> Row:
    """phi_L = a h and xi = 1/a^2, as the source has it, against targets y / a."""
    scale = 3.0
    last = Network(
        network.matrices,
        (*network.activations[:-1], scaled_activation(scale)),
        network.measures,
    )
    source = Problem(problem.distribution, problem.loss, schedules=constant(scale**-2))
    x = problem.quadrature(1).x
    theirs = np.asarray(solve(source, last, UNTIL, **EXACT).network(x))[:, 0]
    return Row(
        "scaling the output by a is scaling the targets by 1/a",
        "definition of F_a",
        0.0,
        float(np.max(np.abs(theirs - scaled(network, scale)[0]))),
        1e-6,
        "predictions at the end with phi_L = 3 h, xi = 1/9, against targets y/3 (an identity of the "
        "squared loss)",
    )


def _exponents(
    what: str, network: Network, scales: tuple[float, ...], expected: float, scaled, data
) -> Iterator[Row]:
    x, y, q = data
    kernel = np.asarray(tangent_kernel(network, x))[:, 0, :, 0]
    flow = linearised(kernel, y, q)
    ends = [scaled(network, scale) for scale in scales]
    distances = [[float(rms(prediction - flow, q))] for prediction, _ in ends]
    yield Row(
        f"{what}: distance from the kernel's flow, exponent of a",
        "Theorem 2.3"
        if expected == -1
        else "as we computed it: odd orders in 1/a vanish by symmetry",
        expected,
        slope(scales, np.asarray(distances)),
        0.1,
        f"predictions at t = {UNTIL:g}, a = {scales[0]:g} to {scales[-1]:g}, from NumPy's "
        "eigenvectors of the "
        "network's own tangent kernel",
        panel=power_law(
            what, "scale $a$", "distance", scales, {"": np.asarray(distances)}, expected
        ),
    )
    yield Row(
        f"{what}: weights move as 1/a",
        "its theorem on the linearised model, as we computed it",
        -1.0,
        slope(scales, np.asarray([[moved] for _, moved in ends])),
        0.05,
        "root mean square displacement, summed over layers",
    )


WORK = Work(
    title="On lazy training in differentiable programming",
    reference="Chizat, Oyallon and Bach 2019, arXiv 1812.07956",
    settings="erf, w_1 ~ N(0, 4), the others N(0, 1), 8 inputs (x, 1), sin 3x, to t = 3; 64 "
    "neurons, and 16384 nodes of "
    "the limit.",
    step="scale a of the output, F_a = R(a h) / a^2",
    scaling="phi_L = a h, xi = 1/a^2",
    out_of_reach="Out of reach: VGG on CIFAR-10.",
    rows=rows,
)

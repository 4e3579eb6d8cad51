r"""The kernel flow: training where the tangent kernel stays as it is at the start.

The network linearised in its weights moves in function space, $\partial_t f(x) = -\mathbb{E}_Z[K_t(x, X)\,
\partial_2\mathcal{L}(Y, f(X))]$ with $K_t = \sum_i \xi_i(t) K_i$ of the initial weights. It is what a
network of large output scale $\alpha$ does ($\varphi_L = \alpha h$, $\xi_i = 1/\alpha^2$): the lazy limit of
Chizat, Oyallon and Bach (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..checks import positive, require
from ..distributions import Samples
from ..drivers.recording import record_times
from ..losses import Loss
from ..network import Network
from ..problem import Problem
from ..schedules import Schedule, at, constant_value
from .tangent import layer_kernels


@dataclass(frozen=True)
class KernelFlow:
    """The kernel flow at some times.

    Attributes:
        times: MF times, `(T,)`.
        loss: the risk, `(T,)`.
        predictions: at the inputs asked for, `(T, m, k)`.
    """

    times: Float[np.ndarray, "T"]
    loss: Float[np.ndarray, "T"]
    predictions: Float[np.ndarray, "T m k"]

    def __repr__(self) -> str:
        last = f"t = {self.times[0]:g}..{self.times[-1]:g}, loss {self.loss[-1]:.4g}"
        return f"KernelFlow({last})"


def kernel_flow(
    network: Network,
    problem: Problem,
    until: float,
    x: ArrayLike | None = None,
    save_at: int | ArrayLike | None = None,
    *,
    data_nodes: int = 256,
    rtol: float = 1e-7,
    atol: float = 1e-9,
) -> KernelFlow:
    r"""Train the network linearised at its weights.

    With the squared loss and constant rates by the eigenvectors of the kernel, else by an ODE of the
    predictions.

    Args:
        network: at the start.
        problem: what is learned; its schedules are the rates of the layers.
        until: MF time at which to stop.
        x: inputs at which to predict; the nodes of the data if left out.
        save_at: MF times to record, or a number of equal intervals (64 if left out).
        data_nodes: quadrature nodes of $E_Z$; a finite law is taken whole and exactly.
        rtol, atol: tolerances of a step's error in the predictions.

    Raises:
        InvalidInput: arguments that do not fit, or a problem with terms of the motion.

    !!! example
        ```python
        >>> import numpy as np, neuronal as nr
        >>> data = nr.distributions.Empirical([[0.0, 1.0], [1.0, 1.0]], [1.0, -1.0])
        >>> network = nr.embeddings.IID(2, 2).sample(64, key=0)
        >>> flow = nr.kernel_flow(network, nr.Problem(data, nr.losses.Squared()), until=500.0)
        >>> bool(flow.loss[-1] < 1e-3 * flow.loss[0])
        True

        ```
    """
    require(isinstance(network, Network), "network: takes a Network")
    require(isinstance(problem, Problem), "problem: takes a Problem")
    problem.check(network)
    require(
        not problem.outside(network.depth),
        "problem: the kernel flow is that of equation (2), without decay or other terms",
    )
    positive("rtol", rtol)
    positive("atol", atol)
    times = record_times(save_at, 0.0, until)
    data = problem.quadrature(data_nodes, network.weights[0].dtype)
    inputs = data.x if x is None else network.inputs(x)
    among = layer_kernels(network, data.x)
    apart = layer_kernels(network, inputs, data.x)
    start = network(data.x), network(inputs)
    schedules = problem.layer_schedules(network.depth)
    rates = [constant_value(schedule) for schedule in schedules]
    form = problem.loss.interval_form()
    known = [rate for rate in rates if rate is not None]
    if form is not None and form.is_residual and len(known) == len(rates):
        kernels = [sum(r * k for r, k in zip(known, of, strict=True)) for of in (among, apart)]
        fitted, predicted = _by_eigenvectors(kernels, start, data, times)
    else:
        at_times = jnp.asarray(times, data.x.dtype)
        tolerances = jnp.asarray(rtol, data.x.dtype), jnp.asarray(atol, data.x.dtype)
        fitted, predicted = _by_steps(
            (among, apart), start, data, problem.loss, schedules, at_times, tolerances
        )
    risk = [data.weights @ problem.loss(data.y, jnp.asarray(f, data.x.dtype)) for f in fitted]
    return KernelFlow(times, np.asarray(risk, float), np.asarray(predicted))


def _by_eigenvectors(
    kernels: Sequence[Any],
    start: tuple[Array, Array],
    data: Samples,
    times: Float[np.ndarray, "T"],
) -> tuple[Float[np.ndarray, "T n k"], Float[np.ndarray, "T m k"]]:
    r"""$f_t = f_0 - K Q^{1/2} \frac{1 - e^{-A t}}{A} Q^{1/2} (f_0 - y)$ with $A = Q^{1/2} K Q^{1/2}$."""
    n, k = start[0].shape
    root = np.repeat(np.sqrt(np.asarray(data.weights, float)), k)
    among, apart = (np.asarray(kernel, float).reshape(-1, n * k) for kernel in kernels)
    values, vectors = np.linalg.eigh(root[:, None] * among * root)
    values = np.maximum(values, 0.0)
    gap = vectors.T @ (root * np.asarray(start[0] - data.y, float).ravel())
    # (1 - exp(-a t)) / a, which is t at a = 0
    rates = np.maximum(values, np.finfo(float).tiny)
    shares = np.where(values > 0, -np.expm1(-times[:, None] * rates) / rates, times[:, None])
    moved = root * ((shares * gap) @ vectors.T)
    found = []
    for kernel, before in zip((among, apart), start, strict=True):
        found.append(np.asarray(before, float) - (moved @ kernel.T).reshape(-1, *before.shape))
    return found[0], found[1]


@eqx.filter_jit
def _by_steps(
    kernels: tuple[list[Array], list[Array]],
    start: tuple[Array, Array],
    data: Samples,
    loss: Loss,
    schedules: Sequence[Schedule],
    times: Float[Array, "T"],
    tolerances: tuple[Float[Array, ""], Float[Array, ""]],
) -> tuple[Float[Array, "T n k"], Float[Array, "T m k"]]:
    def velocity(t: Array, f: tuple[Array, Array], args: None) -> tuple[Array, ...]:
        push = data.weights[:, None] * loss.gradient(data.y, f[0])
        rates = at(schedules, t)
        total = [sum(r * k for r, k in zip(rates, of, strict=True)) for of in kernels]
        return tuple(-jnp.tensordot(kernel, push, axes=2) for kernel in total)

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(velocity),  # pyright: ignore[reportArgumentType]
        diffrax.Tsit5(),
        times[0],
        times[-1],
        None,
        start,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=tolerances[0], atol=tolerances[1]),
        max_steps=1_000_000,
    )
    assert solution.ys is not None
    return solution.ys

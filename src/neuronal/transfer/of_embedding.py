r"""Runs of networks drawn from an embedding, by the velocity that `train` and `solve` use.

With averages in place of sums the influence of a hidden layer is the root mean square of $\Delta^H_i$, for
$\partial_{H_i}$ of a mean over samples is $\Delta^H_i / n_i$; and the layer's own effect is
$\mathbb{E}[\dot w_i\,\varphi_{i-1}]$ times $\epsilon$. In the limit none of them depends on n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import dynamics
from ..checks import require
from ..distributions import Empirical, Samples
from ..embeddings import AbstractEmbedding
from ..kernels import average_incoming
from ..losses.base import Loss
from ..network import Network
from ..problem import Problem
from .records import PROBES, Layer, Part, Run

_NODES = 256
"""Of a law that is none of data."""


@dataclass(frozen=True)
class Functional(Loss):
    r"""$\langle y, \hat y \rangle$: what probing steps descend, $\hat y$ moving against y."""

    def __call__(
        self, y: Float[Array, "m k"], prediction: Float[Array, "m k"]
    ) -> Float[Array, "m"]:
        return jnp.sum(y * prediction, axis=1)

    def gradient(
        self, y: Float[Array, "m k"], prediction: Float[Array, "m k"]
    ) -> Float[Array, "m k"]:
        return y

    def infimum(self, y: Float[Array, "m c k"], weights: Float[Array, "m c"]) -> Float[Array, "m"]:
        return jnp.full(len(y), -jnp.inf)


def run_of(
    embedding: AbstractEmbedding, problem: Problem, rate: float, width: int, seed: int, steps: int
) -> Run:
    """A run of one width on the problem's nodes.

    Raises:
        InvalidInput: an embedding and a problem that do not fit, or a motion beyond velocities.
    """
    problem.check(embedding)
    beyond = problem.beyond_velocity
    require(not beyond, f"batch: its problem has {beyond}, of which steps are no velocity alone")
    network = embedding.sample(width, jax.random.fold_in(jax.random.key(0), seed))
    data = problem.quadrature(_NODES, network.weights[0].dtype)
    eps = jnp.asarray(rate, data.x.dtype)
    seen = jax.tree.map(np.asarray, _probed(network, problem, data, eps))
    trained = jax.tree.map(np.asarray, _trained(network, problem, data, eps, steps))
    layers, parts = {}, {}
    below, name_of = 0, "layer {}".format
    for i, n in enumerate((*network.widths, network.output_dim)):
        name, size = name_of(i + 1), len(data.x) * n
        layer = layers[name] = Layer(size, below)
        for figure in ("inputs", "outputs", "influence", "influence_below"):
            setattr(layer, figure, [float(v) for v in seen[figure][:, i]])
        layer.moved = [float(v) for v in trained["moved"][:, i]]
        part = Part(name, "w", f"{name}.w", 2, float(seen["start"][i]), degree=1.0)
        part.shrink = float(seen["shrink"][i])
        part.effects = [float(v) for v in seen["effects"][:, i]]
        parts[f"{name}.w"], below = part, size
    run = Run(layers, parts, felt=[float(v) for v in seen["felt"]])
    for figure in ("prediction", "change", "loss"):
        setattr(run, figure, [float(v) for v in trained[figure]])
    return run


@eqx.filter_jit
def _probed(network: Network, problem: Problem, data: Samples, rate: Array) -> dict[str, Array]:
    """Figures of the layers over probing steps, `(PROBES, L)`."""
    towards = jax.random.normal(jax.random.key(1), (len(data.x), network.output_dim))
    samples = data._replace(y=towards.at[1:].set(0).astype(data.x.dtype))
    law = Empirical(data.x, samples.y)
    probing = Problem(law, Functional(), problem.schedules, problem.decay, problem.more_terms)
    still = _velocity(probing, network, samples._replace(y=jnp.zeros_like(samples.y)), rate * 0)
    # v = -c w, by least squares
    shares = [-jnp.sum(v * w) / jnp.sum(w * w) for w, v in zip(network.weights, still, strict=True)]

    def step(weights: dynamics.Kernels, number: Array) -> tuple[dynamics.Kernels, dict[str, Array]]:
        state = network.with_weights(weights)
        velocity = _velocity(probing, state, samples, number * rate)
        drawn = [rate * (v + c * w) for w, v, c in zip(weights, velocity, shares, strict=True)]
        return _moved(weights, velocity, rate), _look(state, samples, drawn)

    _, found = jax.lax.scan(step, network.weights, jnp.arange(PROBES))
    return found | {
        "start": jnp.stack([_rms(w) for w in network.weights]),
        "shrink": rate * jnp.stack(shares),
    }


def _look(network: Network, samples: Samples, steps: list[Array]) -> dict[str, Array]:
    """Figures of the layers, and what each weight's step alone does to its preactivation."""
    outputs, values, slopes = network.forward(samples.x)
    down, averages = dynamics.backward_with_averages(
        network.weights, network.measures, slopes, samples.y
    )
    first = network.unit.seen(network.weights[0] + steps[0], samples.x) - outputs[0]
    pairs = zip(steps[1:], network.measures, values, strict=False)
    effects = [first, *(average_incoming(step, p, h) for step, p, h in pairs)]
    sizes = lambda layers: jnp.stack([_rms(layer) for layer in layers])
    return {
        "inputs": sizes([samples.x, *values[:-1]]),
        "outputs": sizes(outputs),
        "influence": sizes(down),
        "influence_below": sizes([jnp.zeros(1), *averages]),
        "effects": sizes([effect[:1] for effect in effects]),
        "felt": _rms(samples.y),
    }


@eqx.filter_jit
def _trained(
    network: Network, problem: Problem, data: Samples, rate: Array, steps: int
) -> dict[str, Array]:
    """Steps on the problem's loss, and how far preactivations move."""
    start, values, _ = network.forward(data.x)
    first = values[-1]

    def step(weights: dynamics.Kernels, number: Array) -> tuple[dynamics.Kernels, dict[str, Array]]:
        state = network.with_weights(weights)
        outputs, values, _ = state.forward(data.x)
        found = {
            "moved": jnp.stack([_rms(z - z0) for z, z0 in zip(outputs, start, strict=True)]),
            "prediction": _rms(values[-1]),
            "change": _rms(values[-1] - first),
            "loss": problem.loss(data.y, values[-1]) @ data.weights,
        }
        return _moved(weights, _velocity(problem, state, data, number * rate), rate), found

    return jax.lax.scan(step, network.weights, jnp.arange(steps + 1))[1]


def _velocity(problem: Problem, network: Network, data: Samples, t: Any) -> dynamics.Weights:
    return problem.motion(network).velocity(jnp.asarray(t, data.x.dtype), network.weights, data)


def _moved(weights: dynamics.Kernels, velocity: dynamics.Weights, rate: Array) -> dynamics.Kernels:
    return tuple(w + rate * v for w, v in zip(weights, velocity, strict=True))


def _rms(values: Array) -> Array:
    return jnp.sqrt(jnp.mean(jnp.square(values)))

r"""Bridge to Optax: mean-field steps of a `Network` in a loop of your own.

The gradient of an empirical loss carries the measures of both layers of a weight, $\partial_{w_i(j,
j')} \mathcal{L} = p_{i-1}(j)\,p_i(j')\,\Delta^w_i(j, j')$ (inputs and outputs are not averaged over,
so the first and the last layer carry one). Divided by them it is $\Delta^w_i$, whatever the width.
A neuron of measure zero, carried along in a limit, has the gradient zero, which tells nothing of
its velocity: such networks are refused here, and `neuronal.train` and `neuronal.solve` move them.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..checks import is_known, positive, require
from ..kernels import grows
from ..motion.strengths import Strengths, strengths
from ..network import Network
from ..schedules import Schedules, check_schedules, per_layer
from .extras import extra
from .scaling import require_linear

with extra("optax"):
    import optax


def trainable(network: Network) -> Network:
    """True for the weights, False for the measures: a filter for `eqx.partition`.

    Only other optimisers than those here need it, which would train the measures too.

    !!! example
        ```python
        >>> import equinox as eqx, jax, neuronal as nr
        >>> from neuronal.interop.optax import trainable
        >>> network = nr.embeddings.Bidirectional(2, 3).sample(64, jax.random.key(0))
        >>> weights, fixed = eqx.partition(network, trainable(network))
        >>> weights.measures, [w.shape for w in weights.weights]
        ((None, None), [(64, 2), (64, 64), (64, 1)])

        ```
    """
    everything = jax.tree.map(lambda _: True, network)
    no = (False,) * len(network.measures)
    return eqx.tree_at(lambda n: n.measures, everything, no)


def scale_by_mean_field(network: Network) -> optax.GradientTransformation:
    r"""Gradients with respect to a `Network` into $\Delta^w_i$; those of measures into zeros.

    To put into an `optax.chain` of your own, first: `optax.trace(0.9)` and `optax.scale(-eps)`
    behind it are SGD with momentum in mean-field scaling.

    Args:
        network: the one trained, whose measures are taken. Gradients may be with respect to all of it
            (`eqx.filter_grad`) or to its part by `trainable`.

    Raises:
        InvalidInput: factored weights; neurons of measure zero; a first layer that is not linear.
    """
    require_linear(network)
    for i, w in enumerate(network.weights):
        require(
            not grows(w),
            f"weights[{i}]: factored; take network.with_weights(network.matrices)",
        )
    for i, p in enumerate(network.measures):
        require(
            not is_known(p) or bool(jnp.all(p > 0)),
            f"measures[{i}]: has neurons of measure zero, whose velocity a gradient does not tell; "
            "nr.train and nr.solve move them",
        )
    inverse = [1 / p for p in network.measures]
    one = jnp.ones((), inverse[0].dtype)
    # w_1 (n_1, d), w_i (n_{i-1}, n_i), w_L (n_{L-1}, k)
    rows = [inverse[0], *inverse]
    columns = [one, *inverse[1:], one]

    def init(params: Any) -> Any:
        return optax.EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        require(isinstance(updates, Network), f"updates: takes a Network, got {type(updates)}")
        weights = tuple(
            g if g is None else g * p[:, None] * q  # None: a layer that is not trained
            for g, p, q in zip(updates.weights, rows, columns, strict=True)
        )
        return jax.tree.map(jnp.zeros_like, updates).with_weights(weights), state

    return optax.GradientTransformation(init, update)


def mean_field(
    network: Network,
    learning_rate: float,
    schedules: Schedules = None,
    decay: Strengths = None,
) -> optax.GradientTransformation:
    r"""The steps of `neuronal.train`: $-\epsilon\,\xi_i(k\epsilon)\,(\Delta^w_i + \lambda_i w_i)$.

    Args:
        network: the one trained, whose measures are taken.
        learning_rate: $\epsilon$, the MF time of a step.
        schedules: $\xi_i$: one callable of MF time for all layers, or one per layer; 1 if left out.
        decay: $\lambda_i$, as `Problem` takes it; `update` then takes the network as `params`.

    Raises:
        InvalidInput: a rate that is not positive; schedules or decays that are not one per layer;
            factored weights; neurons of measure zero; `update` without `params` where weights decay.

    !!! example
        ```python
        >>> import equinox as eqx, jax, jax.numpy as jnp, neuronal as nr
        >>> from neuronal.interop.optax import mean_field
        >>> network = nr.embeddings.Bidirectional(2, 3).sample(64, jax.random.key(0))
        >>> optimiser = mean_field(network, learning_rate=0.1)
        >>> state = optimiser.init(network)
        >>> x, y = jnp.ones((8, 2)), jnp.ones((8, 1))
        >>> loss = lambda network: jnp.mean(nr.losses.Squared()(y, network(x)))
        >>> updates, state = optimiser.update(eqx.filter_grad(loss)(network), state)
        >>> bool(loss(eqx.apply_updates(network, updates)) < loss(network))
        True

        ```
    """
    eps = positive("learning_rate", learning_rate)
    depth = network.depth
    layers: tuple[Any, ...] = per_layer(schedules, depth)
    given = strengths("decay", decay)
    decays: tuple[Any, ...] = (None,) * depth if given is None else per_layer(given, depth, "decay")
    check_schedules("schedules", layers)
    check_schedules("decay", decays if given is not None else ())
    scale = scale_by_mean_field(network)
    dtype = network.weights[0].dtype

    def init(params: Any) -> Any:
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        scaled: Any = scale.update(updates, optax.EmptyState())[0]
        require(
            given is None or isinstance(params, Network),
            "params: takes the network where weights decay, as update(gradients, state, network)",
        )
        t = state.count.astype(dtype) * eps
        now = scaled.weights if given is None else params.weights
        weights = tuple(
            g
            if g is None
            else -(eps * jnp.asarray(xi(t), dtype))
            * (g if strength is None else g + jnp.asarray(strength(t), dtype) * w)
            for xi, strength, g, w in zip(layers, decays, scaled.weights, now, strict=True)
        )
        return scaled.with_weights(weights), optax.ScaleByScheduleState(state.count + 1)

    return optax.GradientTransformation(init, update)

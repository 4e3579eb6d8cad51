"""Named regression targets, so that a configuration file stays data and runs no code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclass(frozen=True)
class Target:
    """f of `x (m, d)`, shown as `formula`; which d it takes says `neuronal.vocabulary.TARGETS`."""

    function: Callable[[Float[Array, "m d"]], Float[Array, "m"]]
    formula: str


def _sin4x_cos9x(x: Array) -> Array:
    return jnp.sin(4 * x[:, 0]) + x[:, 0] * jnp.cos(9 * x[:, 0]) / 2


def _sine(x: Array) -> Array:
    return jnp.sin(jnp.pi * x[:, 0])


def _waves(x: Array) -> Array:
    return jnp.sin(3 * x[:, 0]) * jnp.cos(2 * x[:, 1])


def _single_index(x: Array) -> Array:
    return jnp.sin(2 * jnp.sum(x, axis=1) / x.shape[1] ** 0.5)


def _quadratic(x: Array) -> Array:
    return jnp.sum(x * x, axis=1) / x.shape[1]


TARGETS: dict[str, Target] = {
    "sin4x_cos9x": Target(_sin4x_cos9x, "sin 4x + x cos(9x) / 2"),
    "sine": Target(_sine, "sin(pi x)"),
    "waves": Target(_waves, "sin(3 x1) cos(2 x2)"),
    "single_index": Target(_single_index, "sin(2 (x1 + ... + xd) / sqrt d)"),
    "quadratic": Target(_quadratic, "|x|^2 / d"),
}

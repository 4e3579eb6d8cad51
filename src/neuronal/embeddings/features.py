r"""Bounded features $\psi_k$, $\chi_k$ of latents whose span is dense in $L^2(P_i)$.

The k-th feature does not depend on the rank at which a series is cut, and uses finitely many
coordinates. Three of four carry signal: $\tanh$ of a direction of `u` (first layer) or of
one coordinate (later layers), scaled so that $\mathbb{E}[z \psi(z)] = 1$. Every fourth, and
all those beyond the coordinates there are, are cosines of random frequency and phase over all
of a growing prefix of coordinates: these alone have dense span as the rank grows, since the
trigonometric functions do.

Between middle layers a feature carries the coordinate of its own number, so that a signal keeps its
number from layer to layer and no depth loses one. Directions of `u` and outputs have no number
there: they take the features that carry one after the other.
"""

from __future__ import annotations

from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import integrate, stats

MIX_EVERY = 4

Slots = tuple[int | None, ...]


@lru_cache(maxsize=1)
def tanh_overlap() -> float:
    r"""$\mathbb{E}[z \tanh z]$ for a standard normal z, 0.6057."""
    return 2 * integrate.quad(lambda z: z * np.tanh(z) * stats.norm.pdf(z), 0, 12)[0]


def in_turn(rank: int, coordinates: int | None = None) -> Slots:
    """For each of `rank` features the coordinate that it carries, the next one; None if it mixes."""
    slots: list[int | None] = []
    carried = 0
    for k in range(rank):
        mixes = _mixes(k) or (coordinates is not None and carried >= coordinates)
        slots.append(None if mixes else carried)
        carried += not mixes
    return tuple(slots)


def own(rank: int) -> Slots:
    """The same where coordinates are numbered as the features: each carries its own."""
    return tuple(None if _mixes(k) else k for k in range(rank))


def _mixes(k: int) -> bool:
    return (k + 1) % MIX_EVERY == 0


def directional(u: Float[Array, "n d"], rank: int) -> Float[Array, "n rank"]:
    r"""Features of the first layer's standardised weight `u`: $\tanh\langle\omega_k, u\rangle$."""
    slots = in_turn(rank)
    directions = np.stack([_direction(slot, u.shape[1]) for slot in slots if slot is not None], 1)
    return _features(u @ jnp.asarray(directions, u.dtype), u, slots)


def coordinatewise(
    carried: Float[Array, "n a"], others: Float[Array, "n b"], slots: Slots
) -> Float[Array, "n rank"]:
    r"""Features of a latent: $\tanh(\text{carried}_{k})$ for k in `slots`, cosines of all between."""
    # Interleaved, so that a prefix holds coordinates of both kinds.
    shared = min(carried.shape[1], others.shape[1])
    pairs = jnp.stack([carried[:, :shared], others[:, :shared]], axis=2)
    everything = jnp.concatenate(
        [pairs.reshape(len(carried), -1), carried[:, shared:], others[:, shared:]], axis=1
    )
    numbers = np.array([slot for slot in slots if slot is not None], int)
    return _features(carried[:, numbers], everything, slots)


def _features(
    carried: Float[Array, "n carriers"], c: Float[Array, "n D"], slots: Slots
) -> Float[Array, "n rank"]:
    """tanh of what is carried, and where a slot mixes sqrt(2) cos(<omega, c> + phase)."""
    mixing = np.array([slot is None for slot in slots])
    values = jnp.tanh(carried) / tanh_overlap()
    waves = [_wave(int(k), c.shape[1]) for k in np.flatnonzero(mixing)]
    if waves:
        omegas = jnp.asarray(np.stack([omega for omega, _ in waves], axis=1), c.dtype)
        phases = jnp.asarray([phase for _, phase in waves], c.dtype)
        cosines = np.sqrt(2) * jnp.cos(c @ omegas + phases)
        values = jnp.concatenate([values, cosines], axis=1)
    order = np.argsort(np.argsort(mixing, kind="stable"), kind="stable")
    return values[:, order]


@lru_cache(maxsize=4096)
def _wave(k: int, dim: int) -> tuple[Float[np.ndarray, "dim"], float]:
    """Frequency and phase of the k-th cosine, on the first of `dim` coordinates."""
    rng = np.random.default_rng([k, 1])
    prefix = min(dim, 2 + k)
    # Frequencies of every size, so that their set is dense; most are of order one.
    omega = rng.normal(size=2 + k)[:prefix] * np.exp(0.5 * rng.normal()) / np.sqrt(prefix)
    return np.pad(omega, (0, dim - prefix)), float(rng.uniform(0, 2 * np.pi))


@lru_cache(maxsize=4096)
def _frame(block: int, dim: int) -> Float[np.ndarray, "dim dim"]:
    """The `block`-th random orthonormal frame; the first is the coordinate axes."""
    if block == 0:
        return np.eye(dim)
    q, r = np.linalg.qr(np.random.default_rng([block, dim]).normal(size=(dim, dim)))
    return q * np.sign(np.diag(r))


def _direction(slot: int, dim: int) -> Float[np.ndarray, "dim"]:
    block, axis = divmod(slot, dim)
    # Later frames look at higher frequencies of u.
    return _frame(block, dim)[:, axis] * (1 + block / 2)

r"""The spectral radius of a velocity's Jacobian, by the power method on exact products.

Sommeijer, Shampine and Verwer (1998) take differences of velocities for products $J v$; here forward
differentiation gives them, so that no length of a difference has to be chosen in single precision.
A product costs about two velocities. The gradient of a risk in $L^2(P)$ has a symmetric Jacobian, so that
norms grow to the radius from below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

ENOUGH = 0.02
"""Growth of the estimate in one product, relative, at which it is taken."""
MOST_PRODUCTS = 40


class Spectrum(NamedTuple):
    """What is known of a Jacobian's spectrum.

    Attributes:
        radius: an estimate of the spectral radius, from below; 1 / MF time.
        direction: of norm 1, near the eigenvector of the eigenvalue that is largest.
        products: Jacobian-vector products taken for it.
    """

    radius: Float[Array, ""]
    direction: PyTree[Array]
    products: Int[Array, ""]


def power_method(
    product: Callable[[Any], Any],
    norm: Callable[[Any], Array],
    scaled: Callable[[Any, Array], Any],
    direction: PyTree[Array],
    enough: float = ENOUGH,
) -> Spectrum:
    """The spectral radius, from a direction to begin with.

    Args:
        product: $v -> J v$, linear.
        norm, scaled: the norm of a direction, and a direction times a number.
        direction: not zero, of any length; of the structure that `product` returns.
        enough: growth of the estimate in one product, relative, at which it is taken.
    """

    def again(now: tuple[Spectrum, Array]) -> Array:
        found, before = now
        grows = jnp.abs(found.radius - before) > enough * found.radius
        return ((found.products < 2) | grows) & (found.products < MOST_PRODUCTS)

    def once(now: tuple[Spectrum, Array]) -> tuple[Spectrum, Array]:
        found, _ = now
        after = product(found.direction)
        size = norm(after)
        # A direction that J sends to zero is kept: nothing is stiff there.
        after = jax.tree.map(
            lambda new, old: jnp.where(size > 0, new, old),
            scaled(after, 1 / jnp.where(size > 0, size, 1)),
            found.direction,
        )
        return Spectrum(size, after, found.products + 1), found.radius

    size = norm(direction)
    unit = scaled(direction, 1 / jnp.where(size > 0, size, 1))
    zero = jnp.zeros_like(size)
    start = Spectrum(zero, unit, jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(again, once, (start, zero))[0]

"""What a law tells of its X: the answers that Assumption 1 needs of it."""

from __future__ import annotations

import abc
import math

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ..bounds.finding import MEASURED, PROVED, VIOLATED, Finding

_SAMPLES = 4096

UNBOUNDED = Finding(VIOLATED, math.inf, "a Gaussian exceeds every K with positive probability")


class FactsOfX(eqx.Module):
    """Facts of a law of X; those here are what can be said of any law, or of a finite one.

    A method that overrides one of these is marked by `neuronal.bounds.proofs.proof`, unless it
    holds for every subclass.
    """

    @abc.abstractmethod
    def _inputs(self, key: PRNGKeyArray, m: int) -> Float[Array, "m d"]:
        """`m` independent X."""

    def support(self) -> Float[np.ndarray, "n d"] | None:
        """All X of positive probability, in any order, perhaps repeated; None if not finite.

        A law that gives them has `quadrature` give the law itself.
        """
        return None

    def norm_bound(self) -> Finding:
        r"""K with $|X| \le K$ almost surely; measured on 4096 samples if it is not known."""
        x = self.support()
        if x is not None:
            largest = float(np.linalg.norm(x, axis=1).max())
            return Finding(PROVED, largest, "largest of the finitely many inputs")
        x = np.asarray(self._inputs(jax.random.key(0), _SAMPLES), float)
        largest = float(np.linalg.norm(x, axis=1).max())
        how = f"largest of {_SAMPLES} samples; this law has no proven bound"
        return Finding(MEASURED, largest, how)

    def has_constant(self) -> bool:
        """Whether a coordinate of X is known to be a constant other than 0."""
        x = self.support()
        return x is not None and bool(np.any(np.all(x == x[0], axis=0) & (x[0] != 0)))

    def reflected_pairs(self) -> float | None:
        """How many pairs x, -x the law charges (0 counts as one); None if that is not known."""
        x = self.support()
        if x is None:
            return None
        x = np.unique(x + 0.0, axis=0)
        first = np.argmax(x != 0, axis=1)
        sign = np.where(x[np.arange(len(x)), first] < 0, -1.0, 1.0)[:, None]
        merged = len(x) - len(np.unique(x * sign + 0.0, axis=0))
        return merged + int(np.any(np.all(x == 0, axis=1)))

r"""What a function states of itself on intervals, so that its constants can be proved.

An activation, a loss or a schedule carries its form; `neuronal.bounds.proofs.certified` holds
the constants that it declares against the form's suprema.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .intervals import Interval

Extension = Callable[[Interval], Interval]
"""An interval extension of a function f of one number: its values on a box, or more."""


@dataclass(frozen=True)
class ActivationForm:
    r"""Interval extensions of $\varphi$, $\varphi'$ and of an a.e. $\varphi''$, up to signs.

    Attributes:
        of: the function that computes $(\varphi, \varphi')$: the form proves nothing of another.
        value, first, second: None where no finite bound exists, for the reason `why_not`, or, if that
            is empty, where none is proved. A Lipschitz constant of
            $\varphi'$ is $\sup|\varphi''|$: $\varphi'$ is absolutely continuous wherever
            `second` is given. A bounded $\varphi$ is continuous and not constant.
        nonzero: why $\varphi'$ vanishes nowhere, or None, likewise.
        misses: which functions the span of $\varphi(\langle u, \cdot\rangle)$ lacks where x and
            -x both occur, such as the even ones for an odd $\varphi$; empty if that is not known.
        taylor: $\varphi$ is analytic at 0 and all odd Taylor coefficients are nonzero.
        linear: $\varphi$ is linear.
        dense: of an unbounded $\varphi$: why the span of $\varphi(\langle u, \cdot\rangle)$ is
            dense if X is bounded and has a constant coordinate; or empty.
        spans: likewise, why $\{\varphi \circ f : f \in L^2\}$ has dense span; or empty.
        why_not: the reason where something is unbounded or not Lipschitz or zero.
    """

    of: Callable[..., Any]
    value: Extension | None
    first: Extension | None
    second: Extension | None
    nonzero: str | None
    misses: str = ""
    taylor: bool = False
    linear: bool = False
    dense: str = ""
    spans: str = ""
    why_not: str = ""

    def decides(self, part: str) -> bool:
        """Whether it says of `value`, `first`, `second` or `nonzero` how it is."""
        return getattr(self, part) is not None or self.why_not != ""


@dataclass(frozen=True)
class LossForm:
    r"""$\partial_2\mathcal{L}$ and its derivative, as a function of one real number u, on intervals.

    Attributes:
        gradient: None where it has no bound.
        slope: its derivative.
        number: what u is.
        scale: factor of the gradient (losses with a `delta` are taken in units of it).
        is_residual: where `gradient` is None: $\partial_2\mathcal{L}$ is u itself, the residual.
    """

    gradient: Extension | None
    slope: Extension
    number: str
    scale: float = 1.0
    is_residual: bool = False


@dataclass(frozen=True)
class ScheduleForm:
    r"""Interval extensions of $\xi$ and of its a.e. derivative, up to signs.

    They are functions of one real number, such as t over a horizon, over the whole line, of
    which $t \ge 0$ is a part.
    """

    value: Extension
    slope: Extension


def constant(h: Interval, value: float) -> Interval:
    """The extension of a constant function."""
    return Interval(np.full_like(h.low, value), np.full_like(h.high, value))

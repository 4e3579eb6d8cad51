r"""An activation $\varphi_i$ with what Assumption 1.1 and 1.4 ask of it.

An `Activation` states its bound $\sup|\varphi|$, the bound and the Lipschitz constant of
its derivative, whether $\varphi'$ vanishes nowhere (asked of $\varphi_L$), and whether it
is *non-obstructive*: $\{\varphi \circ f : f \in L^2\}$ has dense span in $L^2$. A constant
that does not exist is ``inf``; such an activation may be used and is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from types import FunctionType

import jax
from jaxtyping import Array, Float

from ..bounds.forms import ActivationForm
from ..checks import of_shape, require, results


@dataclass(frozen=True)
class Activation:
    r"""A scalar function, applied element by element.

    Attributes:
        name: how configuration files call it.
        value_and_derivative: $h \mapsto (\varphi(h), \varphi'(h))$; both passes need both,
            and the derivative is often cheap given the value.
        bound: $\sup |\varphi|$.
        derivative_bound: $\sup |\varphi'|$.
        derivative_lipschitz: Lipschitz constant of $\varphi'$.
        derivative_nonzero: $\varphi'(h) \ne 0$ for every $h$.
        non_obstructive: Assumption 1.4; a bounded, continuous, non-constant function is.
        form: the same on intervals, from which `certify` proves the constants; those of an
            activation without one are measured. It does not count in comparisons.
        kinks: the places where $\varphi'$ jumps, as far as they are known.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.activations.tanh.bound, nr.activations.tanh.derivative_bound
        (1.0, 1.0)

        ```
    """

    name: str
    value_and_derivative: Callable[[Array], tuple[Array, Array]]
    bound: float
    derivative_bound: float
    derivative_lipschitz: float
    derivative_nonzero: bool
    non_obstructive: bool = True
    form: ActivationForm | None = field(default=None, compare=False)
    kinks: tuple[float, ...] = ()

    @property
    def proven_form(self) -> ActivationForm | None:
        """`form`, if it is that of this very function: `dataclasses.replace` may change one."""
        form = self.form
        return form if form is not None and form.of is self.value_and_derivative else None

    def __call__(self, h: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return self.value_and_derivative(h)[0]

    def derivative(self, h: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return self.value_and_derivative(h)[1]

    def __repr__(self) -> str:
        return self.name


def in_words(items: Iterable[object]) -> str:
    """Items of layers in a row: equal ones that follow each other once, and six words at most.

    !!! example
        ```python
        >>> import neuronal as nr
        >>> nr.activations.in_words(["tanh", "tanh", "identity"])
        'tanh x 2, identity'

        ```
    """
    runs = [(word, len(list(run))) for word, run in groupby(map(_word, items))]
    words = [word if count == 1 else f"{word} x {count}" for word, count in runs]
    return ", ".join(words if len(words) <= 6 else [*words[:4], "...", words[-1]])


def _word(item: object) -> str:
    """A number to four digits, a function by its name, and anything else as it prints itself."""
    if isinstance(item, float):
        return f"{item:.4g}"
    return item.__name__ if isinstance(item, FunctionType) else str(item)


def check(activation: Activation) -> None:
    """Raise `InvalidInput` for a user's own that does not give two arrays of the shape it gets."""
    name = f"activation {activation.name!r}: value_and_derivative"
    takes = "takes an array h of any shape to (phi(h), phi'(h)), each of that shape"
    given = results(name, takes, activation.value_and_derivative, of_shape(2, 3))
    shapes = [getattr(part, "shape", None) for part in jax.tree.leaves(given)]
    require(
        isinstance(given, tuple | list) and shapes == [(2, 3)] * 2,
        f"{name}: {takes}, got shapes {shapes} for (2, 3)",
    )

r"""Units: the first layer as a function, $H_1(x, c) = h(w_1(c), x)$ (`Unit`), and kinds of them.

`Linear` is the paper's, $h(w, x) = \langle w, x \rangle$. With any other, $w_1(c) \in \mathbb{R}^p$ are
the unit's parameters, whatever the coordinates of x.
"""

from .amplitude import Amplitude, Homogeneous
from .base import Unit
from .functions import Functions
from .linear import Linear
from .localised import Dirichlet, Gaussian

__all__ = [
    "Amplitude",
    "Dirichlet",
    "Functions",
    "Gaussian",
    "Homogeneous",
    "Linear",
    "Unit",
]

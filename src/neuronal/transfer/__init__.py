r"""One learning rate for every width and depth: found where a run is cheap, handed on.

A rate $\epsilon$ in mean-field time belongs to no width: a network follows its limit (section 2.1 of
the paper), so that what is best at width 64 is best at 8192. It would belong to a depth, since each
of the $L - 2$ middle layers moves the function: with $\xi_i = 1/(L-2)$ there and 1 on the first
and last (`schedules.depth_balanced`) their sum does not grow with L, and one rate serves all depths.
Theorem 2 asks for $\xi_L = 1$ alone. A run has a given number of steps, its budget of samples,
so that a rate also settles how much mean-field time it covers.
"""

from ..recipes import (
    RATES,
    OfDepth,
    Recipe,
    ascend,
    bidirectional_for,
    final_risk,
    increasing,
    run_schedules,
)
from .checkup import Check
from .doctor import check
from .faults import Fault
from .scanning import plot, scan
from .tuning import Tuned, tune

__all__ = [
    "RATES",
    "Check",
    "Fault",
    "OfDepth",
    "Recipe",
    "Tuned",
    "ascend",
    "bidirectional_for",
    "check",
    "final_risk",
    "increasing",
    "plot",
    "run_schedules",
    "scan",
    "tune",
]

"""The works that the mean-field theory of networks stands on, each run with its claims checked.

`run` returns rows: a claim, where it is stated, the value that the claim or an independent computation
gives, the figure of this package, and whether the two agree. `neuronal works` prints them.
"""

from .catalogue import names, run
from .rows import Row
from .work import Work

__all__ = ["Row", "Work", "names", "run"]

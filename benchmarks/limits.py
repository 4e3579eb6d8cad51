"""README's and the guides' limits, solved by two checkouts in turn: how long does one wait?

    python -m benchmarks.limits OLD [NEW]

OLD and NEW are roots of checkouts (NEW: this one), each a process of its own that finds no compiled programs.
The first call compiles them; then calls are repeated, a round of both at a time, and ratios are
of medians.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from .checkouts import Checkout, revision
from .common import report
from .limit_work import LIMITS

ROUNDS = 3


def main(old: str = "", new: str = ".", rounds: int = ROUNDS, only: str = "") -> None:
    if not old:
        print(__doc__)
        return
    roots = old, new
    pair = [Checkout(Path(r).resolve(), "limit_work", NEURONAL_CACHE="off") for r in roots]
    revisions = [revision(root) for root in roots]
    rows = []
    for name in LIMITS:
        if only not in name:
            continue
        first = [float(checkout.ask(name)) for checkout in pair]
        times = np.array([[float(c.ask(name)) for c in pair] for _ in range(rounds)])
        before, after = np.median(times, axis=0)
        row = {"limit": name, "first, old": first[0], "first, new": first[1]}
        row |= {"first, new / old": first[1] / first[0], "old, s": before, "new, s": after}
        rows.append(row | {"new / old": after / before})
        print(json.dumps(rows[-1], default=float), flush=True)
    report(
        "limits",
        f"README's and the guides' limits, revision {revisions[1]} beside {revisions[0]}",
        rows,
        f"seconds of the first call, which compiles, and medians of {rounds} more in which both ran in turn",
    )


if __name__ == "__main__":
    main(*sys.argv[1:3], only=sys.argv[3] if len(sys.argv) > 3 else "")

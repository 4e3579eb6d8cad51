"""``python -m benchmarks [NAME ...]``: run the claims named, or all; tables and JSON.

The peers need extras: ``pip install torch==2.13.0`` (a CPU build) before
``pip install -e '.[benchmarks]'``; `transfer` also ``pip install --no-deps mup``.
"""

from __future__ import annotations

import importlib
import sys

NAMES = (
    "online_sgd", "batch_sgd", "dense_rhs", "depths", "digits", "iid_escape", "iid_limit", "theorem2",
    "width_rate", "coupling", "corollary3", "estimators", "factored", "wide_sgd", "accuracy",
    "transfer", "diffrax_limit", "resampling", "growth", "sharding", "gpu",
)  # fmt: skip


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"unknown: {', '.join(unknown)}; one of {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

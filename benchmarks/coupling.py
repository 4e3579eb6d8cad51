"""Section 4's coupling at L = 3, 4, 5: exponents in the width and in the learning rate.

The same numbers as ``neuronal couple examples/coupling.toml``.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile

from neuronal.experiments import load
from neuronal.experiments.couple import couple_systems
from neuronal.report import coupling

from .common import report

EXAMPLE = pathlib.Path(__file__).parent.parent / "examples" / "coupling.toml"


def main() -> None:
    experiment = load(EXAMPLE)
    section = experiment.coupling

    def tell(words: str, share: float) -> None:
        print(f"{100 * share:.0f} % {words}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        data = couple_systems(experiment, folder, on_run=tell)
    rows = []
    for i, label in enumerate(data.system.values):
        for quantity, in_width, in_rate in coupling.rates(data, i):
            assert in_width and in_rate, "the example couples several widths and rates"
            row = {"system": str(label), "distance": quantity, "in n": in_width.slope}
            row |= {"n low": in_width.low, "n high": in_width.high, "in eps": in_rate.slope}
            rows.append(row | {"eps low": in_rate.low, "eps high": in_rate.high})
    report(
        "coupling",
        f"exponents of coupling distances, widths {section.widths}, learning rates "
        f"{section.learning_rates}, {section.seeds} seeds, t <= {experiment.run.until:g}",
        rows,
        "in n: flow of the network's own neurons to the limit; in eps: SGD (batch 1) to that flow, at "
        f"the largest width; 95 % jackknife intervals over seeds; limit on {section.nodes} Sobol nodes "
        f"with {section.carried} carried neurons per layer",
    )


if __name__ == "__main__":
    main()

"""The works that the theory stands on: their claims, measured in the full runs.

A row is one claim: the value that the claim or an independent computation gives, the package's figure,
and by how much it may differ. `python -m benchmarks.works NAME ...` renews those named alone. The page on
the works has their settings, and how each claim was checked.
"""

from __future__ import annotations

import json

from neuronal.works import names, run
from neuronal.works.catalogue import full_name
from neuronal.works.rows import VIOLATED

from .common import RESULTS, report

KEPT = RESULTS / "works.json"


def flat(name: str, row: dict) -> dict:
    """A row of the table of all."""
    sign = {"<=": "≤ ", ">=": "≥ "}.get(row["relation"], "")
    short = {"work": name, "claim": row["claim"], "stated": f"{sign}{row['stated']:.4g}"}
    return short | {key: row[key] for key in ("figure", "tolerance", "status", "seconds")}


def main(arguments: list[str] | None = None) -> None:
    chosen = [full_name(name) for name in arguments or names()]
    kept = json.loads(KEPT.read_text(encoding="utf-8"))["works"] if KEPT.exists() else {}
    for name in chosen:
        found = run(name, done=lambda row: print(row.status, row.claim))
        kept[name] = [row.as_dict() for row in found]
        kept = {each: kept[each] for each in names() if each in kept}
        table = [flat(each, row) for each, of in kept.items() for row in of]
        violated = sum(row["status"] == VIOLATED for row in table)
        report(
            "works",
            f"{len(table)} claims of {len(kept)} works, {violated} of them violated",
            table,
            "seconds on two cores with nothing else running; what a work compiled the next ones found",
            works=kept,
        )


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])

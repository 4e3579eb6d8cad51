"""``python -m benchmarks [NAME ...]``: run the claims named, or all; tables and JSON.

The peers need extras: ``pip install torch==2.13.0`` (a CPU build) before
``pip install -e '.[benchmarks]'``; `transfer` also ``pip install --no-deps mup``.
"""

from __future__ import annotations

import ast
import importlib
import pathlib
import sys


def claims() -> tuple[str, ...]:
    """The modules beside this one that have a `main`; read, not imported: some need the peers."""
    found = []
    for path in sorted(pathlib.Path(__file__).parent.glob("[!_]*.py")):
        statements = ast.parse(path.read_text(encoding="utf-8")).body
        if any(isinstance(s, ast.FunctionDef) and s.name == "main" for s in statements):
            found.append(path.stem)
    return tuple(found)


NAMES = claims()


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

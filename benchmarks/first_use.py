"""What a user waits for at first: a first fit, a grid of fits, the command line.

Every row is a fresh process. *no programs*: none are kept from before; *programs kept*: a process before had
the same to do. *fit*: seconds of `fit` alone; *process*: with the interpreter's start and imports. The
grid's 12 fits (4 values of `alpha`, 3 folds) stand beside 12 times a repeated fit on as many rows.
scikit-learn's MLP of the same width and depth is the peer, in turn with ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from .common import report

ROUNDS, ROWS, COLUMNS = 5, 500, 20
DATA = f"""
import json, time
from sklearn.datasets import make_{{kind}} as make
x, y = make({ROWS}, {COLUMNS}, random_state=0)
began = time.perf_counter()
"""
OURS = "import neuronal as nr\nmodel = nr.MeanField{name}(random_state=0)\n"
PEER = (
    "from sklearn.neural_network import MLP{name} as MLP\n"
    "model = MLP(hidden_layer_sizes=(256, 256), random_state=0)\n"
)
FIT = (
    "began = time.perf_counter()\nmodel.fit(x, y)\nprint(json.dumps(time.perf_counter() - began))\n"
)
GRID = """
import numpy as np
from sklearn.model_selection import GridSearchCV
began = time.perf_counter()
GridSearchCV(model, {"alpha": [0.0, 1e-4, 1e-3, 1e-2]}, cv=3, refit=False).fit(x, y)
grid = time.perf_counter() - began
rows = 2 * len(x) // 3
repeated = []
for _ in range(5):
    began = time.perf_counter()
    model.fit(x[:rows], y[:rows])
    repeated.append(time.perf_counter() - began)
print(json.dumps([grid, 12 * float(np.median(repeated))]))
"""
KINDS = {"regression": "Regressor", "classification": "Classifier"}


def process(arguments: list[str], folder: Path, cache: str) -> tuple[float, str]:
    """Wall seconds of a process, and what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment | {"NEURONAL_CACHE": cache},
    )
    if done.returncode not in (0, 2):
        raise RuntimeError(done.stderr)
    return time.perf_counter() - began, done.stdout


def main(rounds: int = ROUNDS) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "wrong.toml").write_text("[problem]\nloss = 'none'\n")
        for kind, of in KINDS.items():
            code = DATA.format(kind=kind)
            ours = code + OURS.format(name=of) + FIT
            peer = code + PEER.format(name=of) + FIT
            kept = str(folder / kind)
            process(["-c", ours], folder, kept)
            times: dict[str, list[tuple[float, float]]] = {}
            for _ in range(rounds):
                for what, program, cache in (
                    ("no programs", ours, "off"), ("programs kept", ours, kept), ("peer", peer, "off")
                ):  # fmt: skip
                    whole, printed = process(["-c", program], folder, cache)
                    times.setdefault(what, []).append((json.loads(printed), whole))
            middle = {what: np.median(of_what, axis=0) for what, of_what in times.items()}
            for what in ("no programs", "programs kept"):
                row = {"what": f"first fit, {kind}, {what}", "fit, s": middle[what][0]}
                row |= {"process, s": middle[what][1], "peer, fit, s": middle["peer"][0]}
                rows.append(row | {"peer, process, s": middle["peer"][1]})
            model = code + OURS.format(name=of)
            for what, cache in (("no programs", "off"), ("programs kept", kept + "-grid")):
                if cache != "off":
                    process(["-c", model + GRID], folder, cache)
                whole, printed = process(["-c", model + GRID], folder, cache)
                grid, repeated = json.loads(printed)
                row = {"what": f"grid of 12 fits, {kind}, {what}", "fit, s": grid}
                rows.append(row | {"process, s": whole, "over 12 repeated fits": grid / repeated})
        commands = {
            "neuronal --help": ["--help"],
            "neuronal run, a file refused": ["run", "wrong.toml"],
        }
        for what, arguments in commands.items():
            walls = [
                process(["-m", "neuronal", *arguments], folder, "off")[0] for _ in range(rounds)
            ]
            rows.append({"what": what, "process, s": float(np.median(walls))})
    columns = dict.fromkeys(key for row in rows for key in row)
    report(
        "first_use",
        f"what is waited for at first, {ROWS} rows of {COLUMNS} columns",
        [{key: row.get(key, "") for key in columns} for row in rows],
        f"medians of {rounds} processes each, of grids one",
    )


if __name__ == "__main__":
    main()

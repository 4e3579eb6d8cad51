"""Two checkouts side by side: are trajectories equal bit for bit, and is the new one as fast?

    python -m benchmarks.checkouts OLD [NEW]

OLD and NEW are roots of checkouts (NEW: this one). Each runs in a process of its own. Trajectories of
`train` and `solve` are compared in float64 and float32 on the same machine; online SGD, SGD in batches
and the dense right-hand side are timed in turn, a round of both at a time, and ratios are of medians.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .common import show

ROUNDS = 11
TIMED = ("online 1024", "online 2048", "batch 1024", "velocity 1024", "velocity 2048")


class Checkout:
    """A process that runs work of this folder, a module of that name, with the package of one checkout."""

    def __init__(self, root: Path, work: str = "checkout_work", **settings: str):
        here = Path(__file__).resolve()
        path = f"{root / 'src'}{os.pathsep}{here.parents[1]}"
        environment = {**os.environ, "PYTHONPATH": path, **settings}
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{work}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def ask(self, words: str) -> str:
        """The answer to a line of words."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{words!r}: the checkout's process ended")
        return answer.strip()


def revision(root: str) -> str:
    """The commit of a checkout, in short."""
    words = ["git", "-C", root, "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()


def compared(old: Checkout, new: Checkout) -> Iterator[dict]:
    """A row per trajectory and precision."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.npz" for name in ("old", "new")]
        for checkout, file in zip((old, new), files, strict=True):
            checkout.ask(f"trajectories {file}")
        before, after = (dict(np.load(file)) for file in files)
    for name in before:
        a, b = before[name], after[name]
        same = a.shape == b.shape and a.tobytes() == b.tobytes()
        gap = float(np.max(np.abs(a - b))) if a.shape == b.shape else float("nan")
        yield {
            "what": name,
            "old": "",
            "new": "",
            "new / old": "equal bits" if same else f"differs by {gap:.1e}",
        }


def timed(old: Checkout, new: Checkout, rounds: int) -> Iterator[dict]:
    """A row per thing timed."""
    for what in TIMED:
        for checkout in (old, new):
            checkout.ask(what)  # compiles
        times = np.array([[float(c.ask(what)) for c in (old, new)] for _ in range(rounds)])
        a, b = np.median(times, axis=0)
        yield {
            "what": f"{what}, ms",
            "old": f"{1e3 * a:.3f}",
            "new": f"{1e3 * b:.3f}",
            "new / old": f"{b / a:.3f}",
        }


def main(old: str = "", new: str = ".", rounds: int = ROUNDS) -> None:
    if not old:
        print(__doc__)
        return
    pair = [Checkout(Path(root).resolve()) for root in (old, new)]
    revisions = [revision(root) for root in (old, new)]
    rows = [*compared(*pair), *timed(*pair, rounds)]
    show(
        "checkouts",
        f"revision {revisions[1]} beside {revisions[0]}",
        rows,
        "trajectories: final weights, risks and predictions; times: medians of rounds in which both ran",
    )


if __name__ == "__main__":
    main(*sys.argv[1:3])

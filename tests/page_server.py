"""Runs pages of the documentation, each in a process forked from this one: imported is once.

A line of the input names a page and a file for its blocks; the exit code of its process is printed.
"""

import json
import os
import pickle
import runpy
import sys
import traceback
from pathlib import Path

import jax  # noqa: F401
import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt  # noqa: F401

import neuronal as nr

USED = [nr.solve, nr.train, nr.couple, nr.certify, nr.fluctuations, nr.pictures, nr.embeddings]
"""Imports are lazy."""

SHOWN = Path(__file__).resolve().parents[1] / "docs" / "shown.py"


def run(page, found):
    """Write what came of a page's blocks, drawn in light alone."""
    blocks = runpy.run_path(str(SHOWN))["ran"](page, ["light"])
    found.write_bytes(pickle.dumps(list(map(tuple, blocks))))


def serve():
    for line in sys.stdin:
        page, found = map(Path, json.loads(line))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.dup2(2, 1)
                run(page, found)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()

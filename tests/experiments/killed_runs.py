"""Kill an experiment at random moments, go on with it, and compare it with one never disturbed.

`python tests/experiments/killed_runs.py KIND [COUNT] [SIGNAL]` prints what was found as JSON. The
commands run in children forked from this process before JAX has computed anything, so that a try
costs no import.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import tomli_w
import xarray as xr

from neuronal import cli
from neuronal.experiments import legs, load

SYSTEM = {"label": "L = 3", "embedding": "bidirectional", "depth": 3, "rank": 4}
BASE = {
    "name": "killed",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [SYSTEM],
    "limit": {"enabled": False, "nodes": 256, "data_nodes": 16, "rtol": 1e-4},
    "run": {"until": 6.0, "records": 60, "checkpoints": 4},
}
LIMIT = BASE["limit"] | {"enabled": True}
KINDS = {
    "train": {"networks": {"widths": [256], "seeds": [0, 1], "learning_rate": 0.01}},
    "dense": {"limit": LIMIT | {"kernel": "dense", "rtol": 1e-7}},
    "factored": {"limit": LIMIT | {"kernel": "factored"}},
    "couple": {
        "limit": LIMIT,
        "coupling": {
            "widths": [16, 32], "learning_rates": [0.1], "seeds": 2, "nodes": 64, "carried": 8,
            "records": 4,
        }
    },
}  # fmt: skip


def forked(arguments: list[str], words: Path) -> int:
    """The process of a command in a group of its own, its output in a file."""
    if pid := os.fork():
        return pid
    os.setsid()
    output = os.open(words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["neuronal", *arguments]
    code = 1
    try:
        cli.main()
        code = 0
    except SystemExit as stopped:
        code = stopped.code or 0
    finally:
        os._exit(code if isinstance(code, int) else 1)


def begun(folder: Path, pid: int) -> float:
    """The moment at which a command has saved something in the folder, or has ended."""
    saved = [folder / "checkpoints", folder / "coupling-runs"]
    while not any(file for place in saved for file in place.rglob("*.npz")):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(0.002)
    return time.monotonic()


def computed(folder: Path) -> bool:
    return any(folder.glob("*.nc"))


def ended(pid: int) -> int:
    """Its exit code; that of a shell for one that a signal killed."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else 128 - status


def numbers(folder: Path) -> dict[str, bytes]:
    """All numbers of a run but its seconds, bit for bit, and those of its last states."""
    found = {}
    for file in sorted(folder.glob("*.nc")):
        data = xr.load_dataset(file, engine="h5netcdf")
        for name, variable in data.variables.items():
            if "seconds" not in name and variable.dtype.kind in "if":
                found[f"{file.name} {name}"] = np.ascontiguousarray(variable.values).tobytes()
    for file in sorted((folder / "checkpoints").glob("*.npz")):
        if ".previous" not in file.name:
            with np.load(file) as data:
                found |= {f"{file.name} {n}": data[n].tobytes() for n in data if n != "header"}
    return found


def tries(kind: str, count: int, number: int, home: Path) -> dict:
    """What became of `count` tries."""
    file = home / "killed.toml"
    file.write_text(tomli_w.dumps(BASE | KINDS[kind]))
    load(file)
    legs.SAVE_EVERY = 0.0  # at every record, so that moments fall into the writing
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(home / "programs"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    verb = "couple" if kind == "couple" else "run"
    more = [] if kind == "couple" else ["--resume"]

    def command(folder: Path) -> list[str]:
        return [verb, str(file), "--out", str(folder), "--quiet", *more]

    for name in ("first", "whole"):  # the first compiles for all
        pid = forked(command(home / name), home / "words")
        began = begun(home / name, pid)
        while not computed(home / name) and not os.waitid(
            os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
        ):
            time.sleep(0.002)
        whole = time.monotonic() - began
        assert ended(pid) == 0, (home / "words").read_text()
    expected = numbers(home / "whole")
    rng = random.Random(0)
    found = {"kind": kind, "computing, s": round(whole, 2), "tries": [], "equal": 0}
    for i in range(count):
        folder = home / f"try{i}"
        moments, codes, words = [], [], []
        for _ in range(1 + i % 2):  # every other one twice
            moments.append(round(rng.uniform(0, whole), 3))
            pid = forked(command(folder), home / "words")
            begun(folder, pid)  # while it computes and saves, not while it starts
            time.sleep(moments[-1])
            os.killpg(pid, number)
            codes.append(ended(pid))
            words.append((home / "words").read_text().strip())
        left = sorted(p.name for p in (folder / "checkpoints").glob("*"))
        inside = not computed(folder)
        # A finished coupling is refused a second time: there is nothing to go on with.
        again = inside or kind != "couple"
        last = ended(forked(command(folder), home / "words")) if again else 0
        told = (home / "words").read_text()
        reached = numbers(folder)
        same = last == 0 and reached == expected
        found["equal"] += same
        found["tries"].append({"at": moments, "codes": codes, "left": len(left), "equal": same})
        found["tries"][-1] |= {"words": words, "inside": inside}
        if not same:
            other = [name for name in expected if reached.get(name) != expected[name]]
            found["tries"][-1] |= {"last": last, "told": told[-500:], "other": other}
    return found


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    count = int(rest[0]) if rest else 20
    number = signal.Signals[f"SIG{rest[1]}"] if len(rest) > 1 else signal.SIGKILL
    with tempfile.TemporaryDirectory() as home:
        print(json.dumps(tries(kind, count, number, Path(home))))

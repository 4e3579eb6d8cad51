"""`neuronal warmup` compiles what a run needs, and leaves nothing else."""

import os
import subprocess
import sys

import jax
import pytest
import tomli_w

from neuronal import programs

CONTENT = {
    "name": "tiny",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "a", "embedding": "bidirectional", "depth": 3, "rank": 2}],
    "limit": {"nodes": 16, "data_nodes": 8},
    "networks": {"widths": [8], "learning_rate": 0.1},
    "run": {"until": 2.0, "records": 4, "checkpoints": 2},
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(tomli_w.dumps(CONTENT))
    return path


@pytest.mark.slow
def test_a_run_finds_all_that_a_rehearsal_compiled(file, tmp_path):
    # Every program is kept, however fast a busy machine compiled it.
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "programs"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }

    def command(*words):
        arguments = [sys.executable, "-m", "neuronal", *map(str, words)]
        done = subprocess.run(
            arguments, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        return {p.name for p in (tmp_path / "programs").rglob("*-cache")}

    warm = command("warmup", file)
    assert warm and {p.name for p in tmp_path.iterdir()} == {"tiny.toml", "programs"}
    new = command("run", file, "--quiet") - warm
    assert len(new) <= len(warm) / 10, (sorted(new), len(warm))


def test_nowhere_to_keep_programs_is_refused(file, call, monkeypatch):
    monkeypatch.setenv(programs.VARIABLE, "off")
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        code, _, err = call("warmup", file)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert code == 2 and "NEURONAL_CACHE" in err


def test_a_file_that_is_refused_is_refused_before_anything_compiles(file, call, tmp_path):
    (tmp_path / "bad.toml").write_text("bogus = 1")
    code, _, err = call("warmup", file, tmp_path / "bad.toml")
    assert code == 2 and "bogus" in err

"""Fixtures that several test files use."""

import atexit
import os
import shutil
import sys
import tempfile

# Before JAX is imported, and by the process that starts the workers: what one of them compiles
# the others take, and processes that tests start.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    programs = tempfile.mkdtemp(prefix="neuronal-programs-")
    atexit.register(shutil.rmtree, programs, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = programs
os.environ |= {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# One worker a core: more threads of OpenMP (PyTorch, scikit-learn) would wait for each other.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# Programs of tests run for moments: LLVM's optimisations and fused emitters take three times as long to
# compile as they save; nor is a program cut in parts for cores that other workers need.
os.environ["XLA_FLAGS"] = " ".join(
    [
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
        "--xla_cpu_use_fusion_emitters=false",
        "--xla_cpu_parallel_codegen_split_count=1",
        os.environ.get("XLA_FLAGS", ""),  # the last one counts
    ]
)

import jax
import pytest

from neuronal import cli


@pytest.fixture(autouse=True, scope="module")
def _programs_of_one_file():
    """Drop compiled programs: each maps memory, and a process that maps 65530 pieces crashes."""
    yield
    jax.clear_caches()


@pytest.fixture
def float64():
    """Double precision for one test; a whole file asks for it by `pytestmark`."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Run the command line in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments):
        monkeypatch.setattr(sys, "argv", ["neuronal", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return called

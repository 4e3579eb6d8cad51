"""Fixtures that several test files use."""

import sys

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

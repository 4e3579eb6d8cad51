"""The examples of all docstrings run, and print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import neuronal
from neuronal.errors import InvalidInput

SRC = Path(neuronal.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(SRC.parent).with_suffix("").parts)
    for path in SRC.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    try:
        module = importlib.import_module(name)
    except (ImportError, InvalidInput) as error:
        if "interop" not in name:
            raise
        pytest.skip(f"{name} needs an extra: {error}")
    tried = doctest.testmod(module)
    assert tried.attempted > 0 and tried.failed == 0

"""The examples of all docstrings run, and print what they say."""

import doctest
import importlib
import inspect
import re
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
    if ">>> import torch" in inspect.getsource(module):
        pytest.importorskip("torch")
    tried = doctest.testmod(module)
    assert tried.attempted > 0 and tried.failed == 0


def public():
    """Names that the package offers, and those of its modules: functions and classes that are made."""
    for name in neuronal.__all__:
        thing = getattr(neuronal, name)
        inner = getattr(thing, "__all__", ()) if inspect.ismodule(thing) else ()
        offered = [(f"{name}.{n}", getattr(thing, n)) for n in inner] or [(name, thing)]
        yield from ((n, v) for n, v in offered if callable(v) and not inspect.isabstract(v))


def test_every_public_name_has_an_example():
    """In its own docstring, or as `nr.NAME(` in another's; things that functions return are shown there."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in SRC.rglob("*.py"))
    lines = "\n".join(re.findall(r"^ *(?:>>>|\.\.\.) .*", text, re.MULTILINE))
    returned = set(re.findall(r"-> (?:tuple\[)?(\w+)", text))
    without = [
        name
        for name, thing in public()
        if ">>>" not in (thing.__doc__ or "")
        and f"nr.{name}(" not in lines
        and name.rsplit(".", 1)[-1] not in returned
        and not (isinstance(thing, type) and issubclass(thing, Exception | Warning))
    ]
    apart = {  # of packages; of a check
        "datasets.keel", "datasets.diamonds", "datasets.fair", "records.MLflow",
        "records.TensorBoard", "transfer.Fault",
    }  # fmt: skip
    assert set(without) <= apart

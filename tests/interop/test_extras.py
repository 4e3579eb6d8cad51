"""The package does not need what its bridges lead to, and says how to get it."""

import importlib
import subprocess
import sys

import pytest

BRIDGES = ["torch", "onnx", "optax"]


@pytest.mark.slow
def test_importing_the_package_imports_no_extra():
    code = (
        "import neuronal.cli, neuronal.experiments.sweep, sys; neuronal.MeanFieldRegressor; "
        "print(sorted({'torch', 'onnx', 'onnxruntime', 'optax', 'distributed'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def fresh(monkeypatch):
    """Bridges not imported yet; what is imported in the test is forgotten after it."""
    for name in ("torch", "onnx", "optax", "sequential"):
        monkeypatch.delitem(sys.modules, f"neuronal.interop.{name}", raising=False)
        monkeypatch.delattr(f"neuronal.interop.{name}", raising=False)


@pytest.mark.parametrize("name", BRIDGES)
def test_a_missing_library_is_named_with_its_remedy(name, fresh, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"pip install 'neuronal\[{name}\]'") as caught:
        importlib.import_module(f"neuronal.interop.{name}")
    assert caught.value.name == name


def test_a_library_that_misses_something_of_its_own_speaks_for_itself(fresh, monkeypatch, tmp_path):
    (tmp_path / "optax.py").write_text("import a_module_that_is_not_there")
    monkeypatch.delitem(sys.modules, "optax", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there") as caught:
        importlib.import_module("neuronal.interop.optax")
    assert "pip" not in str(caught.value)
    monkeypatch.delitem(sys.modules, "optax", raising=False)

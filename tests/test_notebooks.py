"""The notebooks: each runs from a fresh kernel, and is committed with its outputs and nothing private."""

import re
import runpy
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
EXECUTE = runpy.run_path(str(FOLDER / "execute.py"))
NOTEBOOKS = EXECUTE["notebooks"]()


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def named(path):
    return path.stem


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_runs_from_a_fresh_kernel(path):
    """A cell that raises fails; so does one that warns."""
    ran = EXECUTE["executed"](path)
    assert [o for o in outputs(ran) if o.output_type == "stream" and o.name == "stderr"] == []
    assert sum("image/png" in o.get("data", {}) for o in outputs(ran)) >= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_is_committed_as_run(path):
    """In order, with figures of moderate size, and without paths, times or versions of a machine."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    images = [o.data["image/png"] for o in outputs(notebook) if "image/png" in o.get("data", {})]
    assert len(images) >= 2
    assert max(map(len, images)) < 200_000
    assert all(o.output_type != "error" and o.get("name") != "stderr" for o in outputs(notebook))
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert set(notebook.metadata.language_info) == {"name"}
    texts = [
        str(o.get("text", "")) + str(o.get("data", {}).get("text/plain", ""))
        for o in outputs(notebook)
    ]
    assert not re.search(r"(^|[\s'\"(])/[a-z]+/|[A-Z]:\\", "\n".join(texts))
    assert not re.search(r"object at 0x", "\n".join(texts))


def test_every_notebook_is_a_page():
    pages = (FOLDER.parents[1] / "mkdocs.yml").read_text(encoding="utf-8")
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        assert f"notebooks/{path.name}" in pages

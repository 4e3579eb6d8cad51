"""The notebooks: each runs from a fresh kernel, and is committed with the outputs of today's code alone."""

import math
import re
import runpy
from itertools import repeat
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


NUMBER = re.compile(r"-?\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b")


def texts(notebook):
    """What each cell of code printed, and what its other outputs are, images by their size alone."""
    return [
        "".join(o.get("text", "") or o.data.get("text/plain", "") for o in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def tolerances(notebook):
    """Of numbers in each cell of code: 1 %, or what its metadata say of a cell that roundings decide."""
    code = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [cell.metadata.get("tolerance", 0.01) for cell in code]


def are_close(one, other, tolerance=0.01):
    """Whole numbers alike; others to the tolerance, or to 1.5 units of the last digit printed."""
    if one == other:
        return True
    if not {".", "e"} & set(one + other):
        return False
    digits, _, exponent = one.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    return math.isclose(float(one), float(other), rel_tol=tolerance, abs_tol=1.5 * unit)


def differences(committed, ran, tolerances):
    """The cells whose output is another: words apart from numbers have to be the same."""
    found = []
    for i, (before, now, most) in enumerate(zip(committed, ran, tolerances, strict=True)):
        numbers = NUMBER.findall(before), NUMBER.findall(now)
        alike = NUMBER.sub("0", before) == NUMBER.sub("0", now)
        if not alike or not all(map(are_close, *numbers, repeat(most))):
            found.append(f"cell {i + 1}:\n{before}\nis now\n{now}")
    return found


OPTIONS = (
    "--xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_parallel_codegen_split_count=1"
)
"""Of what tests ask of XLA what spares time and hardly changes a rounding: at the edge of stability these
count, and what is committed was computed with all optimisations."""


@pytest.fixture(autouse=True)
def _programs_nearly_as_users_have_them(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_runs_from_a_fresh_kernel_to_the_outputs_committed(path):
    """A cell that raises fails; so does one that warns. If outputs are others: docs/notebooks/execute.py."""
    ran = EXECUTE["executed"](path)
    assert [o for o in outputs(ran) if o.output_type == "stream" and o.name == "stderr"] == []
    assert sum("image/png" in o.get("data", {}) for o in outputs(ran)) >= 2
    committed = nbformat.read(path, as_version=4)
    found = differences(texts(committed), texts(ran), tolerances(committed))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("now", "alike"),
    [
        ("width 32: accuracy 91.9 %, error 1.3e-3", True),
        ("width 32: accuracy 95.6 %, error 1.3e-3", False),
        ("width 32: accuracy 91.3 %, error 1.4e-3", True),
        ("width 32: accuracy 91.3 %, error 1.5e-3", False),
        ("width 33: accuracy 91.3 %, error 1.3e-3", False),
        ("width 32: accuracy 91.3 %, errors 1.3e-3", False),
        ("width 32: accuracy 91.3 %, error -1.3e-3", False),
        ("width 32: accuracy 91.3 %, error", False),
        ("", False),
    ],
)
def test_outputs_are_compared_number_by_number(now, alike):
    committed = "width 32: accuracy 91.3 %, error 1.3e-3"
    assert (differences([committed], [now], [0.01]) == []) == alike
    assert differences([committed], [committed], [0.01]) == []


def test_a_cell_may_say_how_far_its_numbers_go():
    before, now = ["rate 0.8, 95.8 %"], ["rate 1.6, 93.8 %"]
    assert differences(before, now, [0.01]) and not differences(before, now, [0.5])
    assert differences(before, ["rate 3.2, 93.8 %"], [0.5])


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
    assert all(set(cell.metadata) <= {"tags", "tolerance"} for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert set(notebook.metadata.language_info) == {"name"}
    printed = "\n".join(texts(notebook))
    assert not re.search(r"(^|[\s'\"(])/[a-z]+/|[A-Z]:\\", printed)
    assert not re.search(r"object at 0x", printed)
    assert not re.search(r"\d m?s\b", printed)


def test_every_notebook_is_a_page():
    pages = (FOLDER.parents[1] / "mkdocs.yml").read_text(encoding="utf-8")
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        assert f"notebooks/{path.name}" in pages

"""The rules of the house (CONTRIBUTING.md), read off the files."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import neuronal

SRC = Path(neuronal.__file__).parent
ROOMS = [
    "errors", "vocabulary", "files", "records", "pictures", "programs", "checks", "bounds", "activations",
    "losses", "schedules", "quadrature", "kernels", "units", "dynamics", "network",
    "distributions", "embeddings", "datasets", "motion", "problem", "sharding", "drivers",
    "communication", "recipes", "widths", "theory", "transfer", "saving", "estimators", "interop",
    "experiments", "report", "runs", "works", "cli", "__main__",
]  # fmt: skip
"""From the ground up: each may import what stands before it."""
STORAGE = {"Factored", "Delayed"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(SRC.rglob("*.py")):
        parts = path.relative_to(SRC.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(name: str, path: Path) -> set[str]:
    """Modules of the package that a module imports, anywhere in it, for types too."""
    known = dict(modules())
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
                up = up[: len(up) - node.level + 1]
                base = ".".join([*up, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                found.add(full if full in known else base)
    return {n for n in found if n == "neuronal" or n.startswith("neuronal.")} - {name}


GRAPH = {name: imported(name, path) for name, path in modules()}
PATHS = dict(modules())


def reached(name: str) -> set[str]:
    found, waiting = set(), list(GRAPH[name])
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += GRAPH.get(other, ())
    return found


def test_the_top_floor_is_small():
    files = list(SRC.glob("*.py"))
    assert len([p for p in files if not p.name.startswith("_")]) <= 14, sorted(
        p.name for p in files
    )
    folders = {
        p.name for p in SRC.iterdir() if p.is_dir() and p.name not in ("__pycache__", "gallery")
    }
    named = {p.stem for p in files} - {"__init__"}
    assert folders | named == set(ROOMS)


@pytest.mark.parametrize("name", [n for n in GRAPH if n != "neuronal"])
def test_no_module_imports_itself_by_way_of_others(name):
    assert name not in reached(name)


def test_arrows_point_down():
    for name, others in GRAPH.items():
        file = PATHS[name].relative_to(SRC).as_posix()
        room = name.split(".")[1] if name != "neuronal" else ""
        for other in others:
            if not room or other == "neuronal":
                assert not room, f"{file} imports the package's face"
                continue
            there = other.split(".")[1]
            assert ROOMS.index(there) <= ROOMS.index(room), f"{file} imports {other}"


def test_no_name_hides_a_module():
    for info in pkgutil.walk_packages(neuronal.__path__, "neuronal."):
        if not info.ispkg:
            continue
        package = importlib.import_module(info.name)
        for module in pkgutil.iter_modules(package.__path__):
            found = vars(package).get(module.name)
            assert found is None or isinstance(found, types.ModuleType), (info.name, module.name)
    for module in pkgutil.iter_modules(neuronal.__path__):
        found = vars(neuronal).get(module.name)
        assert found is None or isinstance(found, types.ModuleType), module.name


def test_only_kernels_ask_how_weights_are_stored():
    for path in PATHS.values():
        file = path.relative_to(SRC).as_posix()
        if file.startswith("kernels/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
                asked = {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
                assert not asked & STORAGE, f"{file}:{node.lineno}"


def test_modules_are_read_in_one_sitting():
    for path in PATHS.values():
        lines = path.read_text(encoding="utf-8").count("\n")
        assert lines <= 350, f"{path.relative_to(SRC)}: {lines} lines"


def test_the_map_of_the_paper_names_files_that_are_there():
    words = neuronal.theory.__doc__ or ""
    for token in ("(1)", "(2)", "(3)", "(4)", "1.1", "1.2", "1.3", "1.4", "Theorem 1", "Theorem 2",
                  "Corollary 3", "section 4"):  # fmt: skip
        assert token in words
    for name in __import__("re").findall(r"`((?:neuronal|certificate|theory)\.[\w.]+)`", words):
        full = {
            "neuronal": name,
            "theory": f"neuronal.{name}",
            "certificate": f"neuronal.theory.{name}",
        }
        importlib.import_module(full[name.split(".")[0]])


COLLECT = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
import pytest
sys.exit(pytest.main(["--collect-only", "-q", "-n0", "-m", "", "-p", "no:cacheprovider"]))
"""


def required(project: dict, extra: str) -> set[str]:
    """Names of the distributions that an extra asks for, by way of other extras too."""
    found = set()
    for line in project["optional-dependencies"][extra]:
        name, extras = re.match(r"([\w.-]+)(?:\[(.*?)\])?", line).groups()
        if name == project["name"]:
            found |= set().union(*(required(project, other) for other in extras.split(",")))
        else:
            found.add(name.lower())
    return found


@pytest.mark.slow
def test_tests_are_collected_where_their_own_extra_alone_is_installed():
    """As by the README's command: what only developers have is asked for within tests, which skip."""
    root = SRC.parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    others = set().union(*(required(project, e) for e in extras)) - required(project, "test")
    assert {"torch", "playwright"} <= others
    installed = packages_distributions()
    hidden = [m for m, of in installed.items() if {d.lower() for d in of} <= others]
    assert {"torch", "playwright"} & installed.keys() <= set(hidden)
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, *hidden], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]

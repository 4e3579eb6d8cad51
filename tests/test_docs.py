"""The documentation: its code runs, its tables name every field, its figures are those measured."""

import re
import runpy
import tomllib
import types
import typing
from pathlib import Path

import mktestdocs
import pytest
import yaml
from matplotlib.testing.compare import compare_images
from pydantic import BaseModel

import neuronal
from neuronal.experiments import examples as bundled
from neuronal.experiments.config import Experiment, parse

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def named(path):
    return str(path.relative_to(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=named)
def test_the_code_of_a_page_runs(page):
    if any("import torch" in block for block in blocks(page, "python")):
        pytest.importorskip("torch")
    mktestdocs.check_md_file(page, memory=True)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "toml")], ids=named)
def test_the_experiments_of_a_page_are_valid(page):
    for block in blocks(page, "toml"):
        parse(tomllib.loads(block), page.name)


def sections(model):
    """A configuration's tables, itself included, wherever they stand in its annotations."""
    yield model
    for field in model.model_fields.values():
        waiting = [field.annotation]
        while waiting:
            kind = waiting.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from sections(kind)
            elif not isinstance(kind, types.GenericAlias) or typing.get_args(kind):
                waiting += [k for k in typing.get_args(kind) if not isinstance(k, str)]


def test_every_field_of_an_experiment_is_explained():
    text = (ROOT / "docs" / "guide" / "experiment.md").read_text(encoding="utf-8")
    tables = set(Experiment.model_fields) - {"name", "title", "description"}
    for name in tables:
        assert f"[{name}]" in text
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    fields = {name for model in sections(Experiment) for name in model.model_fields}
    assert fields - explained - tables == {"kind"} - explained


def test_every_example_is_described():
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+)\.toml`", text)) == set(bundled.examples())


def test_ci_runs_the_test_command_of_the_readme():
    install_and_run, install_and_test = (b.strip() for b in blocks(ROOT / "README.md", "bash")[:2])
    assert "neuronal gallery" in install_and_run
    assert "pytest" in install_and_test
    assert install_and_test in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_figures_of_the_readme_are_those_measured():
    """If they are not: python docs/hooks.py."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert HOOKS["with_figures"](text) == text


HOOKS = runpy.run_path(str(ROOT / "docs" / "hooks.py"))
FIGURES = runpy.run_path(str(ROOT / "docs" / "figures.py"))


@pytest.mark.parametrize("name", FIGURES["FIGURES"])
def test_the_pictures_are_drawn_from_what_was_measured(name, tmp_path):
    """If they are not: python docs/figures.py."""
    FIGURES["draw"](name, tmp_path / name)
    assert compare_images(str(ROOT / "docs" / "assets" / name), str(tmp_path / name), tol=1) is None


def test_every_picture_of_a_page_is_drawn():
    shown = {
        Path(address).name
        for page in PAGES
        for address in re.findall(
            r"!\[[^]]*\]\(([^)]+)\)", HOOKS["on_page_markdown"](page.read_text(encoding="utf-8"))
        )
    }
    assert shown == set(FIGURES["FIGURES"])
    assert {path.name for path in (ROOT / "docs" / "assets").glob("*.*g")} == shown


def test_the_paper_is_cited_as_in_citation():
    """Its title and year wherever a page names it; the version and licence are the package's."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    paper = cited["preferred-citation"]
    names = [author["family-names"] for author in paper["authors"]]
    for page in (ROOT / "README.md", ROOT / "docs" / "index.md"):
        text = " ".join(page.read_text(encoding="utf-8").replace("*", "").split())
        assert f"{paper['title']} ({paper['year']})" in text, named(page)
        assert all(name in text for name in names)
    for page in PAGES:
        text = " ".join(page.read_text(encoding="utf-8").split())
        years = re.findall(rf"{names[0]} and {names[1]} \((\d+)\)", text)
        assert set(years) <= {str(paper["year"])}, named(page)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert cited["version"] == neuronal.__version__
    assert cited["license"] == project["license"]
    assert cited["title"] == f"{project['name']}: {project['description']}".replace(
        " The ", " the "
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {project['name']}\n\n{project['description']}:")


def test_the_risks_told_of_transfer_are_those_measured():
    text = (ROOT / "docs" / "guide" / "transfer.md").read_text(encoding="utf-8")
    told = re.findall(r"\d\.\de-4", " ".join(text.split()))
    risk = {
        (p["kind"], p["width"], p["depth"]): p["risk"]
        for p in FIGURES["record"]("transfer")["points"]
    }
    wide = [risk[kind, 1024, 3] for kind in ("mup", "standard", "ours")]
    deep = [risk[kind, 512, 32] for kind in ("mup", "standard", "ours")]
    assert len(told) == 6
    assert list(map(float, told[3:])) == pytest.approx(deep, rel=0.02)
    assert list(map(float, told[:3])) == pytest.approx(wide, rel=0.15)  # "about": of three widths

"""The documentation: its code runs, its tables name every field, its figures are those measured."""

import json
import re
import runpy
import tomllib
import types
import typing
from pathlib import Path

import pytest
import yaml
from matplotlib.testing.compare import compare_images
from pydantic import BaseModel
from test_notebooks import NUMBER, are_close

import neuronal
from neuronal.experiments import examples as bundled
from neuronal.experiments.config import Experiment, parse

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def named(path):
    return str(path.relative_to(ROOT))


SHOWN = runpy.run_path(str(ROOT / "docs" / "shown.py"))


def alike(shown, printed):
    """The same words, and numbers to 2 %, whole ones to 2: steps are counted; times are not compared."""
    one, other = (
        " ".join(re.sub(r"\b(in|after) \d[\d.]* s\b|\bETA [\d:]+", "in no time", text).split())
        for text in (shown, printed)
    )
    pairs = list(zip(NUMBER.findall(one), NUMBER.findall(other), strict=False))
    close = lambda a, b: (
        abs(int(a) - int(b)) <= 2 if {*a, *b} <= {*"-0123456789"} else are_close(a, b, 0.02)
    )
    return NUMBER.sub("0", one) == NUMBER.sub("0", other) and all(close(*pair) for pair in pairs)


@pytest.mark.parametrize(
    ("printed", "same"),
    [
        ("risk 0.1001 in 7 steps\n", True),
        ("risk 0.1000 in 8 steps", True),
        ("risk 0.1100 in 7 steps", False),
        ("risk 0.1000 in 12 steps", False),
        ("risks 0.1000 in 7 steps", False),
        ("risk 0.1000", False),
    ],
)
def test_outputs_are_compared_by_words_and_numbers(printed, same):
    assert alike("risk 0.1000 in 7 steps", printed) == same
    assert alike("done in 3.5 s", "done in 12 s")
    assert alike("risk 1 after 3.5 s, ETA 0:01:00", "risk 1 after 0.5 s, ETA 0:00:01")


SECONDS = json.loads((ROOT / "docs" / "seconds.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", SHOWN["pages"](), ids=named)
def test_a_page_shows_what_its_code_prints(page):
    for match in SHOWN["BLOCK"].finditer(page.read_text(encoding="utf-8")):
        if re.search(r"^(?:    )?print\(", match["code"], re.MULTILINE):
            assert match["output"], f"python docs/shown.py {named(page)}"


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


@pytest.mark.parametrize("name", FIGURES["files"]())
def test_the_pictures_are_drawn_from_what_was_measured(name, tmp_path):
    """If they are not: python docs/figures.py."""
    FIGURES["draw"](name, tmp_path / name)
    assert compare_images(str(ROOT / "docs" / "assets" / name), str(tmp_path / name), tol=1) is None


def test_every_picture_of_a_page_is_drawn():
    """By `docs/figures.py` or by the page's own code, and each is shown, light and dark."""
    shown, drawn = set(), {f"assets/{name}" for name in FIGURES["files"]()}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        whole = HOOKS["on_page_markdown"](text)
        for address in re.findall(r"!\[[^]]*\]\(([^)#]+)[^)]*\)", whole):
            path = (page.parent / address).resolve().relative_to(ROOT / "docs").as_posix()
            shown.add(path)
            light, dark = path.replace("-dark.png", ".png"), path.replace(".png", "-dark.png")
            assert page.name == "README.md" or (
                {light} & shown and Path(ROOT / "docs" / light).exists()
            )
            assert "-dark" in path or Path(ROOT / "docs" / dark).exists(), path
        for match in SHOWN["BLOCK"].finditer(text):
            names = [name for name, _ in SHOWN["IMAGE"].findall(match["images"] or "")]
            drawn |= {
                (page.parent / name).resolve().relative_to(ROOT / "docs").as_posix()
                for name in names
            }
    assert shown == drawn
    kept = (ROOT / "docs" / "assets").rglob("*.png")
    assert {path.relative_to(ROOT / "docs").as_posix() for path in kept} == shown


def test_pages_say_how_long_their_code_takes():
    hooks = runpy.run_path(str(ROOT / "docs" / "hooks.py"))
    assert set(SECONDS) == {named(page) for page in SHOWN["pages"]()}
    for page, told in SECONDS.items():
        assert "of a processor" in hooks["taken"](page) and told > 0
    assert hooks["taken"]("docs/benchmarks.md") == ""


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


def test_ranks_told_of_real_tables_are_those_measured():
    text = (ROOT / "docs" / "guide" / "estimators.md").read_text(encoding="utf-8")
    told = text.partition("## Beside what else is picked")[2]
    kept = FIGURES["record"]("keel")
    ranks = sorted(row["mean rank"] for row in kept["rows"])
    numbers = [float(number) for number in re.findall(r"\d\.\d\d\b", told)]
    assert numbers == pytest.approx([*ranks, kept["critical_difference"]], abs=0.0051)
    assert f"on {len(kept['sets'])} tables" in told
    (boosting,) = (row for row in kept["rows"] if row["method"] == "boosting")
    assert f"ahead of ours on {boosting['sets where ours is behind']} of them" in told
    gaps = re.findall(r"`(\w+)` \(\.(\d\d)\)", told)
    assert len(gaps) == 6
    for name, gap in gaps:
        scores = kept["sets"][name]
        assert abs(scores["ours"] - scores["boosting"]) == pytest.approx(
            float(f".{gap}"), abs=0.0051
        )

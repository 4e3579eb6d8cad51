"""The page of a sweep: every point, its words escaped, in a table that sorts, and all curves."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
import xarray as xr
from browser import is_sound
from pages import outside, read

from neuronal.experiments import parse
from neuronal.pictures import style
from neuronal.report import comparisons
from neuronal.report import sweep as page

CONFIGURATION = {
    "name": "made",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "<b>a", "embedding": "bidirectional", "depth": 3}],
    "networks": {"widths": [4, 8]},
    "run": {"until": 10.0},
}


@pytest.fixture(scope="module")
def data():
    """A rate times a word: four points, of which the last failed."""
    risk = np.arange(1.0, 9.0).reshape(2, 2, 1, 2, 1)
    limit = np.array([[[0.5], [0.25]], [[2e-5], [0.125]]])
    risk[1, 1], limit[1, 1] = np.nan, np.nan
    fields = ("networks.learning_rate", "systems.embedding")
    names = [["r1,<i>", "r1,$x"], ["r10,<i>", "r10,$x"]]
    return xr.Dataset(
        {
            "risk": ((*fields, "system", "width", "seed"), risk),
            "limit_risk": ((*fields, "system"), limit),
            "folder": (fields, names),
            "status": (fields, [["finished"] * 2, ["finished", "failed"]]),
            "error": (fields, [["", ""], ["", "<script>no</script>"]]),
            "tries": (fields, [[1, 1], [1, 3]]),
            "seconds": (fields, [[1.0, 2.0], [3.0, 0.5]]),
        },
        coords={
            fields[0]: [1.0, 10.0], fields[1]: ["<i>", "$x"], "system": ["<b>a"], "width": [4, 8],
            "seed": [0],
        },
        attrs={
            "name": "made", "title": "A & B", "description": "", "neuronal_version": "0",
            "configuration": parse(CONFIGURATION).to_toml(), "jax_version": "0", "cpus": 2,
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """Two of the points have results, and one of these a page."""
    home = tmp_path_factory.mktemp("sweep")
    t = np.linspace(0, 10, 5)
    for name in ("r1,<i>", "r10,<i>"):
        (home / name).mkdir()
        run = xr.Dataset(
            {"limit_risk": (("system", "time"), [np.exp(-t)])},
            coords={"system": ["<b>a"], "time": t},
        )
        run.to_netcdf(home / name / "results.nc", engine="h5netcdf")
    (home / "r1,<i>" / "report.html").write_text("one")
    return home


@pytest.fixture(scope="module")
def text(data, folder):
    return page.write(data, folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown(text):
    return read(text)


def test_each_point_and_system_has_a_row_with_keys_that_sort(text, shown):
    assert len(shown.rows) == 4
    keys = lambda row: [cell.key for cell in row if cell.key is not None]
    assert keys(shown.rows[2])[:4] == ["10.0", "2e-05", "5.0", "6.0"]
    assert "finished" in [cell.text for cell in shown.rows[0]]
    assert ("failed", "failed") in [(cell.kind, cell.text) for cell in shown.rows[3]]
    assert keys(shown.rows[3]).count("") == 3
    pages = [row[-2].text for row in shown.rows]
    assert pages == ["report", "–", "–", "–"]
    assert 'href="r1%2C%3Ci%3E/report.html"' in text
    assert text.count("<th><button>") == 10  # two fields, four words, three risks, error
    assert "1 of 4 points failed" in shown.words


def test_words_are_escaped_and_nothing_comes_from_outside(text, shown, folder):
    assert "&lt;script&gt;no&lt;/script&gt;" in text and "&lt;b&gt;a" in text
    assert text.count("<script") == 1 and "<i>" not in text and "<b>a" not in text
    assert outside(shown) == ["r1%2C%3Ci%3E/report.html"]
    assert "url(" not in text and "@import" not in text
    assert len(list((folder / "figures").glob("sweep-*.pdf"))) == 3


def test_figures_compare_by_each_field_and_by_time(shown):
    assert [c.split(". ", 1)[1].split(",")[0] for c in shown.captions] == [
        "Final risk against networks.learning_rate",
        "Final risk against systems.embedding",
        "Risk of all points against mean-field time",
    ]
    for image in shown.images:
        assert ET.fromstring(image).tag.endswith("svg")


def test_the_page_is_readable_in_a_browser(text, folder):
    is_sound(folder / "sweep.html")


def test_a_line_per_combination_of_the_other_fields(data):
    with style.using(style.LIGHT):
        figure = comparisons.final_risks(data, "networks.learning_rate", style.LIGHT)
    (axis,) = figure.axes
    assert axis.get_xscale() == "log" and axis.get_yscale() == "log"
    found = {tuple(line.get_ydata()) for line in axis.lines if np.isfinite(line.get_ydata()).all()}
    assert found == {(0.5, 2e-5), (2.0, 6.0)}  # the limit and the widest; of "$x" one is missing
    assert len(axis.lines) == 4
    alone = data.isel({"systems.embedding": [0]})
    with style.using(style.LIGHT):
        figure = comparisons.final_risks(alone, "networks.learning_rate", style.LIGHT)
    assert len(figure.axes[0].lines) == 3  # the limit and both widths


def test_a_sweep_of_which_all_failed_has_a_page(data, tmp_path):
    failed = data.copy()
    for name in ("risk", "limit_risk"):
        failed[name] = failed[name] * np.nan
    failed["error"] = (failed.error.dims, np.full((2, 2), "no"))
    rows = read(page.page(failed, tmp_path)).rows
    assert [(row[-1].kind, row[-1].text) for row in rows] == [("how", "no")] * 4


def test_of_very_many_curves_some_are_drawn(folder):
    run = xr.open_dataset(folder / "r1,<i>" / "results.nc", engine="h5netcdf")
    few = comparisons.thinned([({"a": i}, run) for i in range(1000)])
    assert len(few) == 300 and few[0][0] == {"a": 0} and few[-1][0] == {"a": 999}

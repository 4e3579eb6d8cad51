"""Rows and their page: a status that follows from the numbers, and every number on the page."""

import json
import math

import pytest

import neuronal as nr
from neuronal.works import Row, catalogue, command, names, page
from neuronal.works.work import Work


def row(figure, relation="=", stated=1.0, tolerance=0.5, **more):
    return Row(f"of {figure}", "here", stated, figure, tolerance, "by hand", relation, **more)


@pytest.mark.parametrize(
    ("figure", "relation", "status"),
    [
        (1.5, "=", "measured"),
        (0.5, "=", "measured"),
        (1.6, "=", "violated"),
        (0.4, "=", "violated"),
        (1.5, "<=", "measured"),
        (1.6, "<=", "violated"),
        (-9.0, "<=", "measured"),
        (0.5, ">=", "measured"),
        (0.4, ">=", "violated"),
        (9.0, ">=", "measured"),
        (math.nan, "=", "violated"),
        (math.nan, "<=", "violated"),
        (math.nan, ">=", "violated"),
    ],
)
def test_the_status_follows_from_the_numbers(figure, relation, status):
    assert row(figure, relation).status == status
    assert row(figure, relation, decided=False).status == "unknown"


@pytest.fixture
def made(monkeypatch):
    """A work of two rows in the place of one of the names."""
    rows = lambda fast: iter([row(1.0 if fast else 2.0), row(7.0, "<=", decided=False)])
    work = Work("A title", "N. N. 2020", "settings <&", "step", "scaling", "out", rows)
    monkeypatch.setattr(catalogue, "work", lambda name: work)
    monkeypatch.setattr(page, "work", lambda name: work)
    monkeypatch.setattr(command, "work", lambda name: work)


def test_a_run_gives_rows_in_order_with_their_seconds(made):
    seen = []
    found = nr.works.run("aoy19", fast=True, done=seen.append)
    assert [r.status for r in found] == ["measured", "unknown"] and seen == found
    assert all(r.seconds >= 0 for r in found)
    assert nr.works.run("aoy19")[0].status == "violated"


def test_the_page_and_the_numbers_hold_every_row(made, tmp_path):
    found = {"aoy19": nr.works.run("aoy19", fast=True)}
    path = page.write(found, tmp_path, fast=True)
    text = path.read_text(encoding="utf-8")
    for r in found["aoy19"]:
        assert r.claim in text and r.status in text
    assert "settings &lt;&amp;" in text and "http" not in text
    kept = json.loads((tmp_path / "works.json").read_text())
    assert kept["fast"] and [r["figure"] for r in kept["works"]["aoy19"]] == [1.0, 7.0]


def test_the_command_prints_rows_and_tells_violated_ones_by_its_code(made, call, tmp_path):
    code, out, err = call("works", "aoy19", "--fast")
    assert (code, err) == (0, "")
    assert "of 1.0" in out and "measured" in out and "unknown" in out
    assert (tmp_path / "runs" / "works" / "works.html").is_file()
    code, out, err = call("works", "aoy19", "--out", tmp_path / "there", "--quiet")
    assert (code, out, err) == (1, "", "")
    assert json.loads((tmp_path / "there" / "works.json").read_text())["fast"] is False


def test_an_unknown_work_is_told(call):
    code, _, err = call("works", "none")
    assert code == 2 and "name: takes one of MMN18" in err and "got 'none'" in err
    assert len(names()) == 10


def test_a_name_may_be_in_any_letters():
    assert {catalogue.full_name(name.upper()) for name in names()} == set(names())

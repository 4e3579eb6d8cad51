"""Scikit-learn's displays of the estimators lead to their documentation, where its address is known."""

import html.parser
import importlib.metadata
from email.message import Message
from pathlib import Path

import pytest

import neuronal as nr
from neuronal.estimators import link

ROOT = Path(__file__).resolve().parents[2]
MODELS = [nr.MeanFieldRegressor(), nr.MeanFieldClassifier()]


def links(model):
    """Where a display leads to."""
    found = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda tag, given: found.append(dict(given).get("href"))
    parser.feed(model._repr_html_())
    return [address for address in found if address]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("site", "begins"),
    [
        ("https://example.org/neuronal/", "https://example.org/neuronal"),
        ("file:///home/x/my site{0}", "file:///home/x/my%20site%7B0%7D"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_a_display_leads_to_the_api_page(model, site, begins, monkeypatch):
    monkeypatch.setenv(link.VARIABLE, site)
    name = f"neuronal.{type(model).__name__}"
    assert links(model) == [f"{begins}/api/estimators.html#{name}"]
    page = (ROOT / "docs" / "api" / "estimators.md").read_text(encoding="utf-8")
    assert f"::: {name}\n" in page  # whose anchor that is


@pytest.mark.parametrize(
    ("addresses", "found"),
    [
        ([], []),
        (["Source, https://example.org/source"], []),
        (["Source, https://no", "Documentation, https://a.org"], ["https://a.org/api/estimators"]),
    ],
)
def test_without_a_variable_the_metadata_tell(addresses, found, monkeypatch):
    told = Message()
    for address in addresses:
        told["Project-URL"] = address
    monkeypatch.delenv(link.VARIABLE, raising=False)
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: told)
    assert [address.partition(".html")[0] for address in links(MODELS[0])] == found


def test_an_estimator_of_somebody_else_is_not_documented_here(monkeypatch):
    class Theirs(nr.MeanFieldRegressor):
        pass

    monkeypatch.setenv(link.VARIABLE, "https://example.org")
    assert links(Theirs()) == []

"""A page as a reader has it: tables, figures, links and anchors, by the standard library's parser."""

from __future__ import annotations

import html.parser
from base64 import b64decode
from dataclasses import dataclass, field

VOID = {"meta", "link", "img", "source", "wbr", "br"}


@dataclass
class Cell:
    text: str
    kind: str
    key: str | None
    head: str | None


@dataclass
class Page(html.parser.HTMLParser):
    """Read by `read`; every element is closed where it has to be."""

    open: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    images: list[bytes] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    words: str = ""

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.anchors.append(given["id"])
        for name in ("href", "src", "srcset"):
            if name in given:
                self.links.append(given[name])
        for name in ("src", "srcset"):
            if given.get(name, "").startswith("data:image/svg+xml;base64,"):
                self.images.append(b64decode(given[name].split(",", 1)[1]))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and "tbody" in self.open:
            cell = Cell("", given.get("class", ""), given.get("data-key"), given.get("data-head"))
            self.rows[-1].append(cell)
        if tag == "figcaption":
            self.captions.append("")
        if tag == "summary":
            self.summaries.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.open)

    def handle_data(self, data):
        if self.open and self.open[-1] in ("style", "script"):
            return
        self.words += data
        if "tbody" in self.open and ("td" in self.open or "th" in self.open):
            self.rows[-1][-1].text += data
        if "figcaption" in self.open:
            self.captions[-1] += data
        if "summary" in self.open:
            self.summaries[-1] += data


def read(text):
    """A page that is well formed, its anchors unique and its contents leading to them."""
    page = Page()
    page.feed(text)
    assert page.open == []
    page.rows = [row for row in page.rows if row]
    plain = lambda words: " ".join(words.split())
    page.captions, page.summaries = [[*map(plain, of)] for of in (page.captions, page.summaries)]
    page.words = plain(page.words)
    for row in page.rows:
        for cell in row:
            cell.text = plain(cell.text)
    assert len(set(page.anchors)) == len(page.anchors)
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside <= set(page.anchors)
    return page


def outside(page):
    """What the page asks for or leads to, besides itself, its own images and the files beside it."""
    own = ("#", "data:image/svg+xml;base64,", "figures/")
    return [link for link in page.links if not link.startswith(own)]

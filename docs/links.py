"""Check the links of the built site: `python docs/links.py SITE`.

Every address inside the site has to lead to a file there, and its anchor to a place of that file; a
link to a notebook has to lead to its page, not to the raw file. Nothing outside the site is asked for.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

ADDRESSES = {"href", "src", "poster", "data"}
"""Attributes that hold an address."""


class Link(NamedTuple):
    """An address on a page, and whether it is there to be downloaded."""

    address: str
    download: bool


class Page(HTMLParser):
    """The links of a page, and the anchors that it has.

    Attributes:
        links: of all elements, in order.
        anchors: the identifiers of its elements.
    """

    def __init__(self, text: str):
        super().__init__()
        self.links: list[Link] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {given[key] or "" for key in ("id", "name") if key in given}
        # A canonical address and the like are for machines, and outside.
        self.links += [
            Link(value, "download" in given)
            for key, value in attrs
            if key in ADDRESSES and value is not None
        ]

    handle_startendtag = handle_starttag


def dead(site: Path) -> tuple[list[str], int]:
    """What is wrong, a line per link, and how many links inside the site were followed."""
    pages = {
        path: Page(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
    }
    faults, followed = [], 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link.address)
            if parts.scheme or parts.netloc:
                continue
            followed += 1
            fault = reason(site, path, link, pages)
            if fault:
                faults.append(f"{path.relative_to(site)}: {link.address}: {fault}")
    return faults, followed


def reason(site: Path, path: Path, link: Link, pages: dict[Path, Page]) -> str:
    """Why a link from the page at `path` leads nowhere; empty if it does lead somewhere."""
    parts = urlsplit(link.address)
    address = unquote(parts.path)
    target = (
        site / address.lstrip("/") if address.startswith("/") else path.parent / address
    )
    target = Path(target if address else path).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(site):
        return "leaves the site"
    if not target.is_file():
        return "no such file"
    if target.suffix == ".ipynb" and not link.download:
        return "a raw notebook, not its page"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "no such anchor"
    return ""


def main(folder: str) -> int:
    """Print what is wrong; 0 if nothing is."""
    faults, followed = dead(Path(folder).resolve())
    for fault in faults:
        print(fault)
    print(f"links followed {followed}, dead {len(faults)}")
    return int(bool(faults) or followed == 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

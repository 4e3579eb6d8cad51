"""Check in Chromium that no equation or signature of the built site is cut: `python docs/widths.py SITE`.

Pages are opened from their files, without a network. At 1280 pixels every displayed equation and every
signature fits its column; at 390 a wider one scrolls within its own box, whose edge is shaded. At both no
page is wider than the window, every formula is typeset, and nothing is asked of the network.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, NARROW = 1280, 390
"""Widths of the window in pixels: of a laptop, where nothing scrolls, and of a telephone."""

MEASURE = r"""
(mayScroll) => {
  const faults = [];
  const shown = (element) => element.getClientRects().length > 0;
  const text = (element) =>
    (element.querySelector("annotation") ?? element).textContent.trim().slice(0, 60);
  const tell = (what, element) => faults.push(`${what}: ${text(element)}`);
  const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const cut = (box) => box.scrollWidth > box.clientWidth + 1;
  const outside = (box) => {
    const { left, right } = box.getBoundingClientRect();
    return left < -1 || right > window.innerWidth + 1;
  };
  const isBoxed = (element) => {
    for (let at = element.parentElement; at !== null; at = at.parentElement)
      if (scrolls(at) && !outside(at)) return true;
    return false;
  };

  const equations = [...document.querySelectorAll(".katex-display")].filter(shown);
  const signatures = [...document.querySelectorAll(".doc-signature code")].filter(shown);
  for (const box of [...equations, ...signatures]) {
    if (outside(box) && !isBoxed(box)) tell("outside the window", box);
    if (box.scrollHeight > box.clientHeight + 1) tell("cut above or below", box);
    if (!cut(box)) continue;
    if (!mayScroll) tell("wider than its column", box);
    else if (!scrolls(box)) tell("cut and does not scroll", box);
    else if (equations.includes(box) && getComputedStyle(box).backgroundImage === "none")
      tell("scrolls and does not show it", box);
  }
  const inline = [...document.querySelectorAll(".katex")].filter(
    (formula) => shown(formula) && formula.closest(".katex-display") === null);
  for (const formula of inline)
    if (outside(formula) && !isBoxed(formula)) tell("outside the window", formula);

  for (const element of document.querySelectorAll(".arithmatex"))
    if (element.querySelector(".katex") === null) tell("not typeset", element);
  for (const element of document.querySelectorAll(".katex-error")) tell("no formula", element);
  for (const cell of document.querySelectorAll(".jp-RenderedMarkdown")) {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll(".katex, code, pre").forEach((element) => element.remove());
    if (copy.textContent.includes("$")) tell("not typeset", cell);
  }
  const width = document.documentElement.scrollWidth;
  if (width > window.innerWidth) faults.push(`the page is ${width} pixels wide`);
  return { faults, equations: equations.length, signatures: signatures.length };
}
"""


def browser_path() -> str | None:
    """The Chromium of this machine."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def faults(site: Path) -> tuple[list[str], dict[str, int]]:
    """What is cut, a line each, and how many equations and signatures were looked at."""
    found: list[str] = []
    counts = {"equations": 0, "signatures": 0}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path(), args=[*QUIET]
        )
        for width in (WIDE, NARROW):
            for path, measured in measurements(browser, site, width):
                where = f"{path.relative_to(site)} at {width} pixels"
                found += [f"{where}: {fault}" for fault in measured["faults"]]
                for kind in counts:
                    counts[kind] += measured[kind]
        browser.close()
    return found, counts


def measurements(
    browser: Browser, site: Path, width: int
) -> Iterator[tuple[Path, dict]]:
    """Each page in a window of that width, with what `MEASURE` says of it."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":  # its addresses begin at a server's root
            continue
        asked.clear()
        page.goto(path.as_uri())
        page.evaluate("document.fonts.ready.then(() => null)")
        measured = page.evaluate(MEASURE, width < WIDE)
        outside = {
            url for url in asked if not url.startswith(("file:", "data:", "blob:"))
        }
        measured["faults"] += [f"asks the network for {url}" for url in sorted(outside)]
        yield path, measured
    page.close()


def main(folder: str) -> int:
    """Print what is cut; 0 if nothing is, 2 if there is no Chromium."""
    if browser_path() is None:
        print(
            f"no browser: one of {', '.join(BROWSERS)} has to be on the path",
            file=sys.stderr,
        )
        return 2
    found, counts = faults(Path(folder).resolve())
    for fault in found:
        print(fault)
    looked = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    print(f"looked at {looked} (at {WIDE} and {NARROW} pixels), faults {len(found)}")
    return int(bool(found) or 0 in counts.values())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""A page in Chromium, wide and narrow, light and dark: what is too wide, and what is too faint to read."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path

import pytest

WIDTHS = Path(__file__).resolve().parents[1] / "docs" / "widths.py"
"""The documentation's own check, which knows how Chromium is found and started."""

LOOK = r"""
() => {
  const faults = [];
  const shown = (element) => element.getClientRects().length > 0;
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const contrast = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const element of document.querySelectorAll("body *")) {
    if (!shown(element) || getComputedStyle(element).visibility === "hidden") continue;
    const { left, right } = element.getBoundingClientRect();
    const words = element.textContent.trim().slice(0, 40);
    if (left < -1 || right > window.innerWidth + 1) faults.push(`outside: ${element.tagName} ${words}`);
    if (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "visible")
      faults.push(`scrolls: ${element.tagName} ${words}`);
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== "");
    if (!own) continue;
    const ratio = contrast(numbers(getComputedStyle(element).color), ground(element));
    if (ratio < 4.5) faults.push(`faint, ${ratio.toFixed(2)}: ${element.tagName} ${words}`);
  }
  const width = document.documentElement.scrollWidth;
  if (width > window.innerWidth) faults.push(`the page is ${width} pixels wide`);
  const images = [...document.images].map((image) => {
    if (image.naturalWidth === 0) faults.push(`no image: ${image.alt.slice(0, 40)}`);
    return image.currentSrc;
  });
  return { faults, images, plots: document.querySelectorAll(".js-plotly-plot").length };
}
"""


@dataclass(frozen=True)
class Seen:
    """A page in one window: faults, images chosen, what it asked for elsewhere, and Plotly's plots."""

    faults: list[str]
    images: list[str]
    asked: list[str]
    plots: int


def looks(path: Path) -> dict[tuple[int, str], Seen]:
    """The page in each window, by its width in pixels and its colours; skips where there is no Chromium."""
    api = pytest.importorskip("playwright.sync_api")
    widths = runpy.run_path(str(WIDTHS))
    if widths["browser_path"]() is None:
        pytest.skip("no Chromium on this machine; .ci/run installs it")
    found = {}
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=widths["browser_path"](), args=[*widths["QUIET"]]
        )
        for width in (widths["WIDE"], widths["NARROW"]):
            for colours in ("light", "dark"):
                page = browser.new_page(
                    viewport={"width": width, "height": 900}, color_scheme=colours
                )
                asked: list[str] = []
                page.on("request", lambda request, asked=asked: asked.append(request.url))
                page.goto(path.resolve().as_uri())
                page.wait_for_function("[...document.images].every((image) => image.complete)")
                seen = page.evaluate(LOOK)
                outside = [url for url in asked if not url.startswith(("file:", "data:"))]
                found[width, colours] = Seen(seen["faults"], seen["images"], outside, seen["plots"])
                page.close()
        browser.close()
    return found


def is_sound(path: Path) -> dict[tuple[int, str], Seen]:
    """`looks`, where no window has a fault and each has images of its own."""
    found = looks(path)
    assert {at: seen.faults + seen.asked for at, seen in found.items()} == {at: [] for at in found}
    several = [tuple(seen.images) for seen in found.values() if seen.images]
    assert len(set(several)) == len(several)
    return found

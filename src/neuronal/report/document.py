"""The skeleton that every page shares: self-contained HTML that opens offline, light and dark."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..pictures.style import DARK, LIGHT, Theme, svg


def document(
    data: xr.Dataset, kind: str, facts: str, sections: Mapping[str, str], file: str
) -> str:
    """A page of a run's dataset.

    Args:
        kind: what kind of page, in a few words.
        facts: HTML below the description.
        sections: HTML by heading.
        file: name of the file that holds the numbers.
    """
    description = str(data.attrs["description"]).strip()
    configuration = (
        "<details><summary>config.toml, defaults included</summary>\n"
        f"<pre>{html.escape(str(data.attrs['configuration']))}</pre></details>"
    )
    footer = (
        f"neuronal {html.escape(str(data.attrs['neuronal_version']))}, JAX\n"
        f"{html.escape(str(data.attrs['jax_version']))}, {data.attrs['cpus']} CPUs. "
        f"The numbers are in\n<code>{file}</code>."
    )
    paragraphs = [p for p in description.split("\n\n") if p]
    shown = {**sections, "Configuration": configuration}
    return skeleton(str(data.attrs["title"]), paragraphs, kind, facts, shown, footer)


def skeleton(
    title: str,
    paragraphs: Sequence[str],
    kind: str,
    facts: str,
    sections: Mapping[str, str],
    footer: str,
) -> str:
    """A page of anything.

    Args:
        title, paragraphs: plain text.
        kind, facts: as for `document`.
        sections: HTML by heading, which is HTML too.
        footer: HTML.
    """
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    body = "".join(
        f"<section><h2>{head}</h2>{content}</section>" for head, content in sections.items()
    )
    words = "".join(f"<p>{html.escape(p)}</p>" for p in paragraphs)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
<header><p class="kind">neuronal · {kind}</p><h1>{html.escape(title)}</h1>{words}{facts}</header>
{body}
<footer>{footer}</footer>
</main>
</body>
</html>
"""


def figure(number: int, draw: Callable[[Theme], Figure], caption: str) -> str:
    """A numbered figure, drawn for either theme."""
    light, dark = (_inline(svg(draw, theme)) for theme in (LIGHT, DARK))
    alt = html.escape(caption, quote=True)
    return (
        f'<figure><picture><source srcset="{dark}" media="(prefers-color-scheme: dark)">'
        f'<img src="{light}" alt="{alt}"></picture>'
        f"<figcaption><b>Figure {number}.</b> {html.escape(caption)}</figcaption></figure>"
    )


def table(heads: Sequence[str], groups: Sequence[Sequence[Sequence[str]]], note: str = "") -> str:
    """A table of HTML cells; a rule above each group of rows."""
    body = ""
    for rows in groups:
        for k, row in enumerate(rows):
            first, *rest = row
            cells = f"<th>{first}</th>" + "".join(f"<td>{cell}</td>" for cell in rest)
            body += f'<tr class="{"" if k else "group"}">{cells}</tr>'
    head = "".join(f"<th>{h}</th>" for h in heads)
    below = f'<p class="note">{note}</p>' if note else ""
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f"{below}"
    )


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values in a row, values as HTML."""
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f"<dl>{cells}</dl>"


def number(value: float) -> str:
    """A number as HTML, three digits."""
    if np.isinf(value):
        return "never"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa}&#8239;×&#8239;10<sup>{int(exponent)}</sup>".replace("-", "−")


def _inline(image: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(image).decode()

r"""Names of conditions, such as ``phi'_1-5``, as mathematics: in Unicode, HTML and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

_SYMBOLS = {"phi": ("φ", r"\varphi"), "xi": ("ξ", r"\xi"), "w": ("w", "w"), "C": ("C", "C"),
            "P": ("P", "P")}  # fmt: skip
"""By name: the letter, and as LaTeX writes it."""
_OTHERS = {
    "d2 L": ("∂₂ℒ", "∂<sub>2</sub>ℒ", r"$\partial_2\mathcal{L}$"),
    "d2L": ("∂₂ℒ", "∂<sub>2</sub>ℒ", r"$\partial_2\mathcal{L}$"),
    "L2(": ("L²(", "<i>L</i><sup>2</sup>(", r"$L^2$("),
    "<u, .>": ("⟨u, ·⟩", "⟨<i>u</i>, ·⟩", r"$\langle u, \cdot\rangle$"),
    "<=": ("≤", "≤", r"$\le$"),
    ">=": ("≥", "≥", r"$\ge$"),
}
"""By name: in Unicode, HTML and LaTeX."""
_PATTERN = re.compile(
    "|".join(map(re.escape, _OTHERS))
    + r"|(?<![A-Za-z_])(?P<symbol>phi|xi|(?:w|C|P)(?=_))(?P<prime>'?)"
    + r"(?:_(?P<index>\{[^}]*\}|[0-9]+(?:[,-][0-9]+)*|[A-Za-z]))?(?![A-Za-z0-9_])"
)
_LOWERED = str.maketrans("0123456789+-i", "₀₁₂₃₄₅₆₇₈₉₊₋ᵢ")


def in_unicode(text: str) -> str:
    """For a terminal: letters and lowered digits."""

    def symbol(letter: str, _: str, prime: str, index: str) -> str:
        lowered = index.translate(_LOWERED)
        plain = re.search(r"[A-Za-z]", lowered)
        mark = "′" if prime else ""
        return f"{letter}{mark}_{index}" if plain else f"{letter}{mark}{lowered}"

    return _replaced(text, 0, symbol, str)


def in_html(text: str) -> str:
    """For a page, all else escaped: ``<i>φ</i><sub>1</sub>``."""

    def symbol(letter: str, _: str, prime: str, index: str) -> str:
        below = f"<sub>{escape(index.replace('-', '–'))}</sub>" if index else ""
        return f"<i>{letter}</i>{'′' if prime else ''}{below}"

    return _replaced(text, 1, symbol, escape)


def in_markdown(text: str) -> str:
    r"""For Markdown, all else escaped: ``$\varphi'_{1\text{-}5}$``."""

    def symbol(_: str, latex: str, prime: str, index: str) -> str:
        words = index.replace("-", r"\text{-}")
        below = f"_{{{words}}}" if index else ""
        return f"${latex}{prime}{below}$"

    return _replaced(text, 2, symbol, escaped_markdown)


def escaped_markdown(text: str) -> str:
    """Text as a cell of a table: on one line, no tags, no cell's end."""
    line = re.sub(r"\s+", " ", text)
    plain = line.replace("&", "&amp;").replace("|", "\\|")
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", plain)


def _replaced(
    text: str, form: int, symbol: Callable[[str, str, str, str], str], rest: Callable[[str], str]
) -> str:
    """Names by their forms, and what is between them by `rest`."""
    parts, end = [], 0
    for match in _PATTERN.finditer(text):
        parts.append(rest(text[end : match.start()]))
        end = match.end()
        if match["symbol"] is None:
            parts.append(_OTHERS[match[0]][form])
        else:
            index = (match["index"] or "").strip("{}")
            parts.append(symbol(*_SYMBOLS[match["symbol"]], match["prime"], index))
    return "".join([*parts, rest(text[end:])])

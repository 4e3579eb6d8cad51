"""What every page is made of: self-contained HTML that opens offline, light and dark, wide and narrow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import xarray as xr

from ..pictures.templates import markup, render
from .figures import Shown

if TYPE_CHECKING:
    from ..theory.certificate.document import Certificate

TEMPLATES = Path(__file__).parent / "templates"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: what it says.
        range: in fainter words behind it.
        kind: its class.
        key: by which a table is sorted; its text if left out.
        link: where it leads.
    """

    text: str
    range: str = ""
    kind: str = ""
    key: str | None = None
    link: str = ""


@dataclass(frozen=True)
class Table:
    """A table; a rule above each group of rows, whose first cell names the group.

    Attributes:
        heads: of the columns.
        groups: rows of texts and `Cell`s.
        notes: paragraphs below it.
        kind: its class; ``sortable`` tables sort by their heads.
    """

    template: ClassVar = "table_of.html"
    heads: Sequence[str]
    groups: Sequence[Sequence[Sequence[str | Cell]]]
    notes: Sequence[str] = ()
    kind: str = ""

    def pieces(self, head: str) -> list[str]:
        """A head in pieces between which it may break: after the dots of a field."""
        return re.split(r"(?<=[._])", head)


@dataclass(frozen=True)
class Items:
    """A list of what is named and what is said of it."""

    template: ClassVar = "items.html"
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Words:
    """Paragraphs."""

    template: ClassVar = "words.html"
    paragraphs: Sequence[str]


@dataclass(frozen=True)
class Code:
    """A text as it stands, folded."""

    template: ClassVar = "code.html"
    summary: str
    text: str


@dataclass(frozen=True)
class Folded:
    """A certificate, folded; how many of its conditions have each status is told outside."""

    template: ClassVar = "folded.html"
    certificate: Certificate

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Statuses with rows, those that deviate first."""
        of = self.certificate.of
        statuses = ("violated", "unknown", "measured", "proved")
        return [(status, len(of(status))) for status in statuses if of(status)]

    @property
    def table(self) -> Any:
        """Its rows as HTML."""
        return markup(self.certificate.html(titled=False))


Part = Table | Items | Words | Code | Folded | Shown


@dataclass(frozen=True)
class Section:
    """What stands under a heading."""

    head: str
    parts: Sequence[Part]

    @property
    def anchor(self) -> str:
        return slug(self.head)

    @property
    def figures(self) -> list[Shown]:
        """Those of its parts that are figures."""
        return [part for part in self.parts if isinstance(part, Shown)]


class Notice(NamedTuple):
    """How a run stands that has not ended well, or not ended.

    Attributes:
        kind: ``running``, ``interrupted``, ``diverged`` or ``stopped``.
        words: how it stands.
        way: the command with which to go on.
        refresh: seconds after which a browser reads the page anew; never, if 0.
    """

    kind: str
    words: str
    way: str = ""
    refresh: int = 0


def document(
    data: xr.Dataset,
    kind: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    file: str,
    notice: Notice | None = None,
) -> str:
    """A page of a run's dataset.

    Args:
        kind: what kind of page, in a few words.
        facts: names and values below the description.
        file: name of the file that holds the numbers.
        notice: above all, if there is one.
    """
    attributes = {name: str(value) for name, value in data.attrs.items()}
    made_by = (
        f"neuronal {attributes['neuronal_version']}, JAX {attributes['jax_version']}, "
        f"{attributes['cpus']} CPUs."
    )
    paragraphs = [p for p in attributes["description"].strip().split("\n\n") if p]
    code = Code("config.toml, defaults included", attributes["configuration"])
    whole = [*sections, Section("Configuration", [code])]
    return page(attributes["title"], paragraphs, kind, facts, whole, made_by, file, notice)


def page(
    title: str,
    paragraphs: Sequence[str],
    kind: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    made_by: str,
    file: str,
    notice: Notice | None = None,
) -> str:
    """A page of anything; arguments as of `document`, all of them plain text."""
    shown = [section for section in sections if section.parts]
    return render(
        "page.html", TEMPLATES, title=title, paragraphs=paragraphs, kind=kind, facts=facts,
        sections=shown, made_by=made_by, file=file, notice=notice,
        sorts=any(getattr(p, "kind", "") == "sortable" for s in shown for p in s.parts),
    )  # fmt: skip


def slug(words: str) -> str:
    """Words as an anchor or the name of a file."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def number(value: float) -> str:
    """A number for readers, three digits."""
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "never"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    mantissa, exponent = f"{value:.2e}".split("e")
    raised = str(int(exponent)).translate(_RAISED)
    return f"{mantissa}\u202f×\u202f10{raised}".replace("-", "−")

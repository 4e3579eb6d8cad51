"""HTML from templates, in which every word that is put in is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent / "templates"


@cache
def _environment(folders: tuple[Path, ...]) -> Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, *folders: Path, **words: Any) -> str:
    """The template of that name, filled in.

    Args:
        folders: where it is looked for, besides the templates of all pages.
        words: what it speaks of.
    """
    return _environment(folders).get_template(name).render(words)


def markup(html: str) -> Any:
    """HTML that is put in as it is."""
    from markupsafe import Markup

    return Markup(html)

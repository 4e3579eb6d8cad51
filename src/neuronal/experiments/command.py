"""`neuronal schema`: what editors read to know the experiment file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def print_schema(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; printed if left out.")
    ] = None,
) -> None:
    """Print the JSON Schema of experiment files, for editors.

    With [b]#:schema ./neuronal.schema.json[/b] in its first line, a file is completed and checked as it is
    written, in VS Code by the extension Even Better TOML.
    """
    from ..files.writing import write_text
    from .schema import schema

    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    write_text(out, text)
    typer.echo(f"wrote {out}")

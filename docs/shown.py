"""What pages show of their code: the output that it prints and the pictures that it draws.

A block of Python and the block of text right below it are code and its output; images right below are what
is drawn then, a light and a dark one, if they lie in a folder of `assets/`. A block for the shell is run too
where an output stands below it, in a folder in which the page's experiment is `mine.toml`.
`python docs/shown.py [PAGE]...` runs pages anew and writes both in place, Python's outputs too that a page
does not have yet, and the seconds of a processor that a page takes into `docs/seconds.json`, told by
`docs/hooks.py`. Tests run the same and compare.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SECONDS = ROOT / "docs" / "seconds.json"
BLOCK = re.compile(
    r"^```(?P<language>python|bash)\n(?P<code>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```\n)?"
    r"(?P<images>(?:\n?!\[[^\]]*\]\([^)]*\)(?:\{[^}]*\})?)*)",
    re.MULTILINE | re.DOTALL,
)
EXPERIMENT = re.compile(r"^```toml\n(?P<text>.*?)^```\n", re.MULTILINE | re.DOTALL)
IMAGE = re.compile(r"!\[[^\]]*\]\(((?:\.\./)*assets/\w+/[^)#]+)#only-(light|dark)\)")
STYLES = {"light": "neuronal.pictures.paper", "dark": "neuronal.pictures.dark"}
DPI = 144
COLOURS = 160
"""Of a picture, whose file is small then."""
COLUMNS = 100
"""Characters of a line of what commands print."""


class Ran(NamedTuple):
    """What came of a block: its code, the output shown and that printed, pictures by their names."""

    code: str
    shown: str | None
    printed: str
    pictures: dict[str, bytes]


def pages() -> list[Path]:
    """Those with code that is run."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        path
        for path in found
        if any(map(_is_run, BLOCK.finditer(path.read_text("utf-8"))))
    ]


def _is_run(block: re.Match[str]) -> bool:
    return block["language"] == "python" or block["output"] is not None


def ran(page: Path, styles: Iterable[str] = tuple(STYLES)) -> Iterator[Ran]:
    """Run the blocks of a page in turn; those with pictures once in each of the styles."""
    module = types.ModuleType("__main__")
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        if experiment := EXPERIMENT.search(text):
            (Path(folder) / "mine.toml").write_text(
                experiment["text"], encoding="utf-8"
            )
        for match in BLOCK.finditer(text):
            if match["language"] == "python":
                yield _of_python(match, module.__dict__, page, styles)
            else:
                printed = in_shell(match["code"], folder) if match["output"] else ""
                yield Ran(match["code"], match["output"], printed, {})
    plt.close("all")


def _of_python(
    match: re.Match[str], scope: dict[str, Any], page: Path, styles: Iterable[str]
) -> Ran:
    """What comes of a block in the namespace that the page's blocks share."""
    images = IMAGE.findall(match["images"] or "")
    drawn = {style: name for name, style in images if style in styles}
    wanted = drawn or {"light": ""}
    pictures, printed = {}, ""
    for style, name in wanted.items():
        plt.close("all")
        out = io.StringIO()
        with plt.style.context(STYLES[style]), contextlib.redirect_stdout(out):
            exec(compile(match["code"], str(page), "exec", dont_inherit=True), scope)
            if name:
                pictures[name] = picture()
        printed = out.getvalue()
    return Ran(match["code"], match["output"], printed, pictures)


def in_shell(code: str, folder: str) -> str:
    """What commands print in a folder, `neuronal` being that of this Python."""
    path = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    )
    environment = os.environ | {"PATH": path, "COLUMNS": str(COLUMNS), "NO_COLOR": "1"}
    call = ["bash", "-euc", code]
    done = subprocess.run(
        call, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{code}ended with {done.returncode}: {done.stderr[-2000:]}")
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def picture() -> bytes:
    """The current figure, transparent, in few colours."""
    buffer = io.BytesIO()
    plt.gcf().savefig(buffer, dpi=DPI, transparent=True, metadata={"Software": None})
    small = (
        Image.open(buffer).convert("RGBA").quantize(COLOURS, Image.Quantize.FASTOCTREE)
    )
    buffer = io.BytesIO()
    small.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def anew(page: Path) -> None:
    """Run a page and write what it shows.

    Raises:
        RuntimeError: the page was edited while it ran.
    """
    text = page.read_text(encoding="utf-8")
    began, found = _spent(), iter(list(ran(page)))
    took = _spent() - began
    if page.read_text(encoding="utf-8") != text:
        raise RuntimeError(f"{page} was edited while it ran and is left as it is")

    def written(match: re.Match[str]) -> str:
        block = next(found)
        for name, content in block.pictures.items():
            (page.parent / name).parent.mkdir(parents=True, exist_ok=True)
            (page.parent / name).write_bytes(content)
        output = (
            f"\n```text\n{block.printed.rstrip()}\n```\n"
            if block.printed.strip()
            else ""
        )
        return f"```{match['language']}\n{block.code}```\n{output}{match['images']}"

    page.write_text(BLOCK.sub(written, text), encoding="utf-8")
    seconds = (
        json.loads(SECONDS.read_text(encoding="utf-8")) if SECONDS.exists() else {}
    )
    seconds[page.relative_to(ROOT).as_posix()] = round(took, 1)
    SECONDS.write_text(
        json.dumps(dict(sorted(seconds.items())), indent=1) + "\n", encoding="utf-8"
    )


def _spent() -> float:
    """Seconds of a processor, of all threads and of commands: whatever else the machine does."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    mpl.use("agg")
    for page in [Path(name).resolve() for name in sys.argv[1:]] or pages():
        print(page.relative_to(ROOT), flush=True)
        anew(page)

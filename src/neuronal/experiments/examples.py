"""The bundled examples: `examples/*.toml`, which a wheel carries as `experiments/gallery`."""

from __future__ import annotations

import difflib
from pathlib import Path

from ..errors import InvalidInput

_HERE = Path(__file__).resolve().parent


def examples() -> dict[str, Path]:
    """The bundled configurations by name.

    Raises:
        InvalidInput: an installation without them.
    """
    for folder in (_HERE / "gallery", _HERE.parents[2] / "examples"):
        files = {path.stem: path for path in sorted(folder.glob("*.toml"))}
        if files:
            return files
    raise InvalidInput("gallery: this installation has no bundled examples; reinstall neuronal")


def example(name: str) -> Path:
    """The file of a bundled configuration.

    Raises:
        InvalidInput: no example has that name.
    """
    files = examples()
    if name in files:
        return files[name]
    near = difflib.get_close_matches(name, files, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InvalidInput(f"NAME: no example {name!r}{hint} (there are {', '.join(files)})")

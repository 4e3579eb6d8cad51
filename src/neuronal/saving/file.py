"""`save` and `load`: one thing in one file, which is read without running anything of it."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..drivers.trajectory import Trajectory
from ..errors import InvalidInput, require
from ..files import archive
from .coder import Decoder, Encoder
from .kinds import known
from .own import Given, name_of

FORMAT = "neuronal"
VERSION = 1
"""Of the format: the keys of `coder`, and the fields of the classes."""
_NEAR = 1e-3
"""By which the risk of a loaded run may differ, relatively, on another machine."""


def save(path: str | os.PathLike, thing: Any) -> None:
    """Write a thing into a file, whole or not at all, from which `load` gives it back to the bit.

    The file is what `numpy.load` opens, arrays under the names of their places and a header in JSON; there is
    no pickle in it ([the format](../guide/saving.md)). Functions and classes of your own are named in it, not
    held: hand them to `load` again.

    Args:
        path: of the file, under any name; one that is there is replaced.
        thing: a `Network`, `Trajectory`, `Coupling`, `Fluctuations`, `Certificate`, `Picard`, `Problem` or
            embedding. A trajectory is kept with all of its states, and `at` goes on from them; one over
            several devices is loaded onto one.

    Raises:
        InvalidInput: something else, or two functions of your own that have the same name.

    !!! example
        ```python
        >>> import tempfile, neuronal as nr, numpy as np
        >>> path = f"{tempfile.mkdtemp()}/net.npz"
        >>> net = nr.embeddings.Bidirectional(2, depth=3).sample(64, key=0)
        >>> nr.save(path, net)
        >>> x = np.ones((5, 2))
        >>> bool((nr.load(path)(x) == net(x)).all())
        True

        ```
    """
    require(isinstance(path, str | os.PathLike), f"path: takes the name of a file, got {path!r}")
    require(
        isinstance(thing, Trajectory) or known(thing),
        "thing: takes a Network, Trajectory, Coupling, Fluctuations, Certificate, Picard, Problem or "
        f"embedding of neuronal, got {type(thing).__name__}",
    )
    encoder = Encoder()
    tree = encoder.tree(thing, "thing")
    header = {
        "format": FORMAT,
        "version": VERSION,
        "written_by": metadata.version("neuronal"),
        "own": sorted(encoder.own.names),
        "thing": tree,
    }
    archive.write(Path(path), header, encoder.arrays)


def load(path: str | os.PathLike, own: Any = ()) -> Any:
    """The thing in a file that `save` wrote.

    Args:
        path: of the file.
        own: functions and classes' objects of your own that the file names, one or several: activations,
            losses, targets, laws. Each is known by its name (`name`, `__name__` or that of its class).

    Raises:
        InvalidInput: no such file; one that is damaged, cut short, or of a newer version; numbers in double
            precision where JAX is set to single; something of your own that was not handed over, or with
            which the run has another risk than the file says.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> import tempfile
        >>> network = nr.embeddings.IID(2, 2).sample(4, key=0)
        >>> path = tempfile.mkdtemp() + "/network.npz"
        >>> nr.save(path, network)
        >>> nr.load(path).widths
        (4,)

        ```
    """
    require(isinstance(path, str | os.PathLike), f"path: takes the name of a file, got {path!r}")
    path = Path(path)
    header, arrays = archive.read(path)
    require(
        header.get("format") == FORMAT, f"path: {path.name!r} is no file that neuronal.save wrote"
    )
    version = header.get("version")
    require(
        isinstance(version, int) and version <= VERSION,
        f"path: {path.name!r} is of version {version} of the format, and this neuronal reads those up to "
        f"{VERSION}; take the version that wrote it ({header.get('written_by')}), or a later one",
    )
    given = Given(own)
    try:
        thing = Decoder(arrays, given).thing(header["thing"])
    except InvalidInput:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(
            f"path: {path.name!r} holds what this neuronal does not know ({error}); it was written by "
            f"{header.get('written_by')}"
        ) from error
    for trajectory in (thing, getattr(thing, "limit", None)):
        if given.used and isinstance(trajectory, Trajectory):
            _check(trajectory, given)
    return thing


def _check(trajectory: Trajectory, given: Given) -> None:
    """Raise `InvalidInput` if the run has another risk than it recorded: what was handed over is another."""
    told = float(trajectory.loss[0])
    found = trajectory.risk_at_start()
    if np.isfinite(told) and abs(found - told) > _NEAR * abs(told) + 1e-6:
        names = ", ".join(map(repr, map(name_of, given.names.values())))
        raise InvalidInput(
            f"own: with {names} the run begins at a risk of {found:.6g}, and the file says {told:.6g}; "
            "hand over those of the run"
        )

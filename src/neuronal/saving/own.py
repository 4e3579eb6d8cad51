"""What a file names and does not hold: functions, and objects of classes, of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import InvalidInput, require


def name_of(thing: Any) -> str:
    """By which a file knows it: its `name`, that of a function, or else that of its class."""
    for name in (getattr(thing, "name", None), getattr(thing, "__name__", None)):
        if isinstance(name, str) and name:
            return name
    return type(thing).__name__


class Met:
    """Those met while a thing is saved, each under a name of its own."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}

    def add(self, thing: Any) -> str:
        """Its name.

        Raises:
            InvalidInput: another has that name.
        """
        name = name_of(thing)
        require(
            self.names.setdefault(name, thing) is thing,
            f"thing: two of its functions or classes are called {name!r}, which a file cannot tell "
            "apart; give each a name of its own",
        )
        return name


class Given:
    """Those handed over to `load`."""

    def __init__(self, own: Any) -> None:
        several = own if isinstance(own, Sequence) and not isinstance(own, str) else [own]
        self.names = {name_of(thing): thing for thing in several}
        self.used = False

    def get(self, name: str) -> Any:
        """That of this name.

        Raises:
            InvalidInput: it was not handed over.
        """
        if name not in self.names:
            given = f"; got {', '.join(map(repr, self.names))}" if self.names else ""
            raise InvalidInput(
                f"own: the file names {name!r}, a function or class of its writer's own; hand it over: "
                f"neuronal.load(path, own=[{name}]){given}"
            )
        self.used = True
        return self.names[name]

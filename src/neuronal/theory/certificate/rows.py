"""Rows of a certificate: a condition, its status, the figure, and how it was got."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ...bounds.finding import STATUSES, Finding
from ...checks import require
from .notation import in_unicode

Item = TypeVar("Item")


@dataclass(frozen=True)
class Row:
    """One condition.

    Attributes:
        condition: its name, such as ``1.1 phi_2 bounded``; layers that share an answer share
            a row, ``1.1 phi_1-5 bounded``.
        statement: what the condition says.
        status, figure, how: as of `neuronal.bounds.finding.Finding`.
        layers: those that the row speaks of, if it is one of several layers.
        detail: series behind the figure, such as a distance at each time; JSON holds them.
    """

    condition: str
    statement: str
    status: str
    figure: float | str = ""
    how: str = ""
    layers: tuple[int, ...] = ()
    detail: Mapping[str, Sequence[float]] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        require(
            self.status in STATUSES, f"status: {self.status!r} is none of {', '.join(STATUSES)}"
        )

    @property
    def names(self) -> set[str]:
        """The condition's name, and that of each of its layers, plain and as mathematics."""
        shared = f"_{span(self.layers)}"
        plain = {self.condition, *(self.condition.replace(shared, f"_{i}") for i in self.layers)}
        return plain | set(map(in_unicode, plain))

    @property
    def bare_condition(self) -> str:
        """The condition without the number of its section."""
        return self.condition.split(" ", 1)[1]

    @property
    def figure_text(self) -> str:
        return self.figure if isinstance(self.figure, str) else f"{self.figure:.4g}"


def layered(template: str, layers: Sequence[int], statement: str, finding: Finding) -> Row:
    """A row of several layers; `{}` in the name and the statement takes them."""
    of = tuple(layers)
    return Row(template.format(span(of)), statement.format(span(of)), *finding, of)


def span(layers: Sequence[int]) -> str:
    """``3``, ``1-5``, or ``1,3`` where they do not follow each other."""
    if len(layers) > 1 and list(layers) == list(range(layers[0], layers[-1] + 1)):
        return f"{layers[0]}-{layers[-1]}"
    return ",".join(map(str, layers))


def groups(items: Iterable[Item], first: int = 1) -> list[tuple[Item, list[int]]]:
    """Equal items with the layers that have them, numbered from `first`."""
    found: list[tuple[Item, list[int]]] = []
    for layer, item in enumerate(items, start=first):
        for known, layers in found:
            if known is item or (type(known) is type(item) and known == item):
                layers.append(layer)
                break
        else:
            found.append((item, [layer]))
    return found

"""Experiments with a problem and embeddings made in Python: what the file says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field

from ..errors import InvalidInput
from .sections import Depth, Label, Section


class GivenProblem(Section):
    """A problem made in Python: in words, and the digest of its numbers."""

    kind: Literal["given"] = Field(description="What only nr.Experiment runs.")
    words: str = Field(description="How Python prints it.")
    digest: str = Field(description="Of its samples and its loss.")


class GivenSystem(Section):
    """An embedding made in Python, likewise."""

    label: Label = Field(description="Its name on the page.")
    embedding: Literal["given"] = Field(description="What only nr.Experiment runs.")
    depth: Depth = Field(description="L, the layers of weights.")
    words: str = Field(description="How Python prints it.")
    digest: str = Field(description="Of its initial weights.")


@dataclass(frozen=True)
class Given:
    """What was made: `neuronal.Problem`, embeddings by label, and real data's `Split` if there is one."""

    problem: Any
    embeddings: Mapping[str, Any]
    split: Any = None

    def embedding(self, section: GivenSystem) -> Any:
        """That of a section.

        Raises:
            InvalidInput: none of that label, or of another depth.
        """
        found = self.embeddings.get(section.label)
        if found is None or found.depth != section.depth:
            raise InvalidInput(
                f"systems.depth: {section.label!r} is an embedding made in Python, whose depth stands; sweep "
                "other fields, or give an embedding per depth"
            )
        return found


class Holding(Section):
    """A configuration that may hold the things that its sections of kind ``given`` stand for."""

    _given: Given | None = None

    @property
    def given(self) -> Given | None:
        """The problem and the embeddings, if they were made in Python."""
        return self._given

    def with_given(self, given: Given | None) -> Self:
        """The configuration with these things.

        Raises:
            InvalidInput: systems that are none of its embeddings.
        """
        found = self.model_copy()
        found._given = given
        if given is not None:
            for section in getattr(self, "systems", ()):
                if isinstance(section, GivenSystem):
                    given.embedding(section)
        return found


def digest(*parts: Any) -> str:
    """Of words and arrays: numbers to six digits, which are the same on other machines."""
    found = hashlib.sha256()
    for part in parts:
        words = part if isinstance(part, str) else ",".join(f"{float(v):.6e}" for v in part.ravel())
        found.update(words.encode() + b";")
    return found.hexdigest()[:32]

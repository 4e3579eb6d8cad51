"""Cases of several choices: some combinations among the slow tests, all others among the long ones."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pytest


def some(choices: Sequence[Collection[Any]], few: Iterable[tuple[Any, ...]]) -> list[Any]:
    """The product of the choices as parameters; `few` of it, with every choice, are run by CI."""
    few, every = list(few), list(itertools.product(*choices))
    assert all(case in every for case in few)
    for place, choice in enumerate(choices):
        left = [value for value in choice if all(case[place] != value for case in few)]
        assert not left, f"{left} would be tried nowhere"
    return [
        pytest.param(*case, marks=pytest.mark.slow if case in few else pytest.mark.long)
        for case in every
    ]

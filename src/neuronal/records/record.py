"""A record, and functions of it, of which none can end a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import require


@dataclass(frozen=True)
class Record:
    """What a run tells at one of its records.

    Attributes:
        label: of the run: ``deep, width 64, seed 0`` in an experiment, else its driver in words.
        number: of the record among those of its run, from 0.
        time: MF time.
        risk: the mean loss over the law.
        objective: the risk and what decay and penalty add to it; the risk where nothing does.
        measures: what else was measured, such as `test_risk`, by name.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, x[:, 0]), nr.losses.Squared())
        >>> start = nr.embeddings.Bidirectional(1, 2).sample(8, 0)
        >>> told = []
        >>> run = nr.train(problem, start, 0.1, 1.0, 0, save_at=2, on_record=told.append)
        >>> [record.number for record in told], type(told[0]) is nr.records.Record
        ([0, 1, 2], True)

        ```
    """

    label: str
    number: int
    time: float
    risk: float
    objective: float
    measures: Mapping[str, float] = field(default_factory=dict)


OnRecord = Callable[[Record], object]


class LoggerWarning(UserWarning):
    """A function of records raised an error; it is not called again, and the run goes on."""


def told(on_record: OnRecord | Sequence[OnRecord] | None) -> OnRecord | None:
    """One function that calls those given with each record; None where there are none.

    One that raises an `Exception` is told in a `LoggerWarning`, once, and left out from there on: what takes
    records does not lose a run. `KeyboardInterrupt` and its like end the run as ever.

    Raises:
        InvalidInput: something that cannot be called.
    """
    if on_record is None:
        return None
    found = list(on_record) if isinstance(on_record, Sequence) else [on_record]
    require(all(map(callable, found)), "on_record: takes a function of a record, or a list of them")

    def tell(record: Record) -> None:
        for one in list(found):
            try:
                one(record)
            except Exception as error:
                found.remove(one)
                name = getattr(one, "__name__", type(one).__name__)
                warnings.warn(
                    f"on_record: {name} raised {type(error).__name__} at t = {record.time:g} ({error}); "
                    "it is not called again, and the run goes on",
                    LoggerWarning,
                    stacklevel=2,
                )

    return tell if found else None

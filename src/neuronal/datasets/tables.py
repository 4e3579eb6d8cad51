"""CSV and Parquet files as columns: every cell under the name that its header gives it, or refused."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ..checks import require
from ..errors import InvalidInput

_SEPARATORS = {".csv": ",", ".txt": ",", ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")
_MISSING = frozenset(
    ["#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
     "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
)  # fmt: skip
"""Words that stand for an empty cell in a column of numbers, and may be labels in one of text."""
_NOTHING = type(pd.NA)
_UNREADABLE = (ValueError, OSError, TypeError, KeyError, NotImplementedError, OverflowError)


def read(path: Path | pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The columns of a file or a frame, each of its own name, and the names that it gives to several.

    Columns of these last cannot be told apart; the frame has them under names of its own, if at
    all.

    Raises:
        InvalidInput: no such file or kind of file, no rows, rows longer than the header.
    """
    if isinstance(path, pd.DataFrame):
        frame, names = _columns(path)
        require(len(frame) > 0, "path: the frame has no rows")
        return frame, _doubled(names)
    require(path.is_file(), f"path: no file {str(path)!r}")
    kind = path.suffix.lower()
    if kind in _SEPARATORS:
        frame, names = _attempt(path, lambda: _text(path, _SEPARATORS[kind]))
    elif kind in _PARQUET:
        frame, names = _attempt(path, lambda: _parquet(path))
    else:
        raise InvalidInput(
            f"path: takes a .csv, .tsv, .txt, .parquet or .pq file, got {path.name!r}"
        )
    require(len(frame) > 0, f"path: {path} has a header and no rows")
    return frame, _doubled(names)


def _doubled(names: list[str]) -> list[str]:
    counts = Counter(name for name in names if name)
    return [name for name, count in counts.items() if count > 1]


def no_gaps(name: str, column: pd.Series) -> None:
    """Raise `InvalidInput` for empty cells; for words such as NA too, where all else are numbers.

    And for cells that are neither numbers nor text, such as lists, which Parquet may hold.
    """
    if pd.api.types.is_object_dtype(column):
        for row, cell in enumerate(column, start=1):
            known = cell is None or isinstance(cell, str | Number | np.bool_ | _NOTHING)
            require(
                known,
                f"column {name!r}: takes numbers or text, row {row} holds {type(cell).__name__}; "
                "drop the column or encode it",
            )
    empty = np.flatnonzero(column.isna().to_numpy() | _missing_numbers(column))
    if empty.size:
        raise InvalidInput(
            f"column {name!r}: {empty.size} empty or NaN cells, the first in row "
            f"{empty[0] + 1}; fill them or drop those rows"
        )


def as_numbers(name: str, column: pd.Series) -> Float[np.ndarray, "m"]:
    """The column as finite numbers, else `InvalidInput`."""
    kind = column.dtype
    timed = pd.api.types.is_datetime64_any_dtype(kind) or pd.api.types.is_timedelta64_dtype(kind)
    require(not timed, f"column {name!r}: takes finite numbers, got times; encode them as numbers")
    # By its cells: as a whole, categories are no numbers to pandas, nor are numbers that may lack.
    cells: Any = column.astype(object) if isinstance(kind, pd.CategoricalDtype) else column
    found: Any = pd.to_numeric(cells, errors="coerce")
    numbers = np.asarray(found.to_numpy(float, na_value=np.nan))
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        raise InvalidInput(
            f"column {name!r}: takes finite numbers, row {wrong[0] + 1} holds "
            f"{column.iloc[wrong[0]]!r}; drop the column or encode it"
        )
    return numbers


def as_labels(column: pd.Series) -> np.ndarray:
    """The column as labels of one type, so that they have an order."""
    values = column.to_numpy()
    return values.astype(str) if values.dtype == object else values


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names in a message, the first of many."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown}, ... ({len(names)} in all)"


def _attempt(path: Path, load: Callable[[], Any]) -> Any:
    """What `load` gives; what readers raise, as `InvalidInput`."""
    try:
        return load()
    except InvalidInput:
        raise
    except ImportError as error:
        raise InvalidInput(
            "path: reading Parquet takes pyarrow; pip install 'neuronal[parquet]', or give a CSV file"
        ) from error
    except _UNREADABLE as error:
        lines = str(error).strip().splitlines()
        raise InvalidInput(
            f"path: {str(path)!r} is not a readable {path.suffix[1:].lower()} file: "
            f"{lines[0] if lines else 'unreadable'}"
        ) from error


def _text(path: Path, separator: str) -> tuple[pd.DataFrame, list[str]]:
    # A word is a word: only a cell of nothing is empty. One type per column, whatever its length.
    plain: Any = {"sep": separator, "index_col": False, "keep_default_na": False}
    header = pd.read_csv(path, header=None, nrows=1, dtype=str, **plain)
    names = [str(name) for name in header.iloc[0]]
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame = pd.read_csv(path, na_values=[""], low_memory=False, **plain)
        except pd.errors.ParserWarning:
            raise InvalidInput(
                f"path: {str(path)!r} has rows longer than its header of {len(names)} names; give "
                "every column a name, row names too"
            ) from None
    frame.columns = pd.Index(map(str, frame.columns))
    return frame, names


def _parquet(path: Path) -> tuple[pd.DataFrame, list[str]]:
    return _columns(pd.read_parquet(path))


def _columns(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Named levels of an index are columns too, as pandas writes them into files."""
    frame = frame.copy(deep=False)
    named = [
        name
        for name in frame.index.names
        if name is not None and not isinstance(frame.index, pd.RangeIndex)
    ]
    if named:
        frame = frame.reset_index(level=named, allow_duplicates=True)
        others = [name for name in frame.columns if name not in named]
        frame = pd.DataFrame(frame[[*others, *named]])
    frame.columns = pd.Index(map(str, frame.columns))
    return frame, list(frame.columns)


def _missing_numbers(column: pd.Series) -> np.ndarray:
    """Which cells are words for nothing in a column whose other cells are numbers or truths."""
    if pd.api.types.is_numeric_dtype(column) or not _is_text(column):
        return np.zeros(len(column), bool)
    words = column.to_numpy(str)
    missing = np.isin(words, list(_MISSING))
    others = words[~missing & ~column.isna().to_numpy()]
    truths = np.isin(np.char.lower(others), ["true", "false"])
    numbers = ~np.isnan(np.asarray(pd.to_numeric(pd.Series(others), errors="coerce"), float))
    return missing & (len(others) > 0 and bool(numbers.all() or truths.all()))


def _is_text(column: pd.Series) -> bool:
    return pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)

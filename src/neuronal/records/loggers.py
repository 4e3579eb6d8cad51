"""Loggers: what writes the records of runs to where they are looked at."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import InvalidInput, require
from .record import Record

LOGGERS = ("jsonl:FILE", "tensorboard:DIR", "mlflow:URI")
"""What `logger` takes."""


class _Logger:
    """A function of records that is closed at the end of a block."""

    def __call__(self, record: Record) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Write what is not yet written; nothing is taken afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class JSONLines(_Logger):
    """A line of JSON per record, at the end of a file, written at once.

    A line holds `label`, `number`, `time`, `risk`, `objective` and what else was measured; numbers that are
    not finite are null. A run that is resumed adds to the file, and repeats the records behind its last
    checkpoint.

    Args:
        path: of the file, made if it is not there.

    !!! example
        ```python
        >>> import json, tempfile, neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> file = tempfile.mkdtemp() + "/run.jsonl"
        >>> with nr.records.JSONLines(file) as log:
        ...     run = nr.solve(
        ...         problem, nr.embeddings.Bidirectional(1, 2), 1.0, nodes=16, save_at=4, on_record=log
        ...     )
        >>> [json.loads(line)["time"] for line in open(file)]
        [0.0, 0.25, 0.5, 0.75, 1.0]

        ```
    """

    def __init__(self, path: str | Path):
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def __call__(self, record: Record) -> None:
        words: dict[str, Any] = {"label": record.label, "number": record.number}
        numbers = {"time": record.time, **_measures(record)}
        words |= {name: v if math.isfinite(v) else None for name, v in numbers.items()}
        self._file.write(json.dumps(words, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class TensorBoard(_Logger):
    """Scalars for TensorBoard: `LABEL/risk`, `LABEL/time` and so on against the number of the record.

    Args:
        folder: of event files; given to `tensorboard --logdir`.

    Raises:
        InvalidInput: neither tensorboardX (the extra ``tensorboard``) nor PyTorch's writer is installed.
    """

    def __init__(self, folder: str | Path):
        self._writer = _writer(Path(folder))

    def __call__(self, record: Record) -> None:
        for name, value in {"time": record.time, **_measures(record)}.items():
            self._writer.add_scalar(f"{record.label}/{name}", value, record.number)

    def close(self) -> None:
        self._writer.close()


class MLflow(_Logger):
    """A run of MLflow per label, with its metrics against the number of the record, MF time among them.

    Args:
        uri: of the tracking server or store; MLflow's own choice if empty.
        experiment: its name there, made if it is not there.

    Raises:
        InvalidInput: MLflow (the extra ``mlflow``) is not installed.
    """

    def __init__(self, uri: str = "", experiment: str = "neuronal"):
        try:
            from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise InvalidInput(
                "mlflow: is not installed; pip install 'neuronal[mlflow]'"
            ) from error
        self._client: Any = MlflowClient(tracking_uri=uri or None)
        found = self._client.get_experiment_by_name(experiment)
        self._experiment = (
            self._client.create_experiment(experiment) if found is None else found.experiment_id
        )
        self._runs: dict[str, str] = {}

    def __call__(self, record: Record) -> None:
        if record.label not in self._runs:
            run = self._client.create_run(self._experiment, run_name=record.label)
            self._runs[record.label] = run.info.run_id
        for name, value in {"time": record.time, **_measures(record)}.items():
            self._client.log_metric(self._runs[record.label], name, value, step=record.number)

    def close(self) -> None:
        for run in self._runs.values():
            self._client.set_terminated(run)
        self._runs = {}


def logger(words: str) -> _Logger:
    """The logger that a command line names.

    Args:
        words: ``jsonl:FILE``, ``tensorboard:DIR`` or ``mlflow:URI``.

    Raises:
        InvalidInput: another kind, one that is not installed, or a file that cannot be written.

    !!! example
        ```python
        >>> import neuronal as nr, os
        >>> with nr.records.logger(f"jsonl:{os.devnull}") as log:
        ...     log(nr.records.Record("width 64", 0, 0.0, 0.5, 0.5))

        ```
    """
    takes = f"log: takes {', '.join(LOGGERS)}, got {words!r}"
    require(isinstance(words, str), takes)
    kind, _, place = words.partition(":")
    require(kind == "mlflow" or bool(place), takes)
    try:
        if kind == "jsonl":
            return JSONLines(place)
        if kind == "tensorboard":
            return TensorBoard(place)
        if kind == "mlflow":
            return MLflow(place)
    except OSError as error:
        raise InvalidInput(f"log: {place!r} cannot be written: {error.strerror}") from None
    raise InvalidInput(takes)


def _measures(record: Record) -> dict[str, float]:
    return {"risk": record.risk, "objective": record.objective, **record.measures}


def _writer(folder: Path) -> Any:
    """A writer of event files that loses a few seconds at most."""
    try:
        from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]
    except ImportError:
        try:
            from torch.utils.tensorboard import SummaryWriter  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise InvalidInput(
                "tensorboard: no writer is installed; pip install 'neuronal[tensorboard]'"
            ) from error
    return SummaryWriter(str(folder), flush_secs=5)

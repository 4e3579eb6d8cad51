"""A progress bar over MF time, for the drivers' `progress=True`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .network import Network

OnRecord = Callable[[float, float, Network], None]


@contextmanager
def bar(
    label: str, since: float, until: float, progress: bool | OnRecord | None
) -> Iterator[OnRecord | None]:
    """What to call at each record: a bar if `progress` is True, the callable that it is, or None."""
    if progress is not True:
        yield progress or None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("t = {task.completed:.4g}/{task.total:.4g}  loss {task.fields[loss]:.4g}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as shown:
        task = shown.add_task(label, total=until, loss=float("nan"))
        shown.update(task, completed=since)
        yield lambda t, loss, network: shown.update(task, completed=t, loss=loss)

"""The page of a folder, written anew from the numbers that it holds."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from ..experiments import certify, predict, results
from ..experiments.config import load
from ..experiments.folder import CONFIG, RESULTS, SWEEP
from . import interactive, page, predictions, sweep, unfinished


def write(folder: Path) -> Path:
    """Write the page of what a sweep or a run left in `folder`, finished or not; returns its path.

    Raises:
        InvalidInput: a folder that holds neither, or files that cannot be read.
    """
    if (folder / SWEEP).is_file():
        return sweep.write(results.read(folder, SWEEP), folder)
    if (folder / CONFIG).is_file() and not (folder / RESULTS).is_file():
        path = unfinished.of_folder(load(folder / CONFIG), folder)
        if path is not None:
            return path
    run = results.read(folder)
    return page.write(run, folder, certify.read(folder), predict.read(folder, run))


def look(folder: Path) -> Path:
    """Write the figures of a finished sweep or run with hover and toggles; returns the page's path.

    Raises:
        InvalidInput: a folder that holds neither, or Plotly is not installed.
    """
    if (folder / SWEEP).is_file():
        data = results.read(folder, SWEEP)
        pictures = sweep.pictures(data, list(sweep.places(data)), folder)
    else:
        data = results.read(folder)
        prediction = predict.read(folder, data)
        pictures = page.pictures(data)
        if prediction is not None:
            pictures = chain(pictures, predictions.pictures(data, prediction))
    return interactive.write(str(data.attrs["title"]), pictures, folder)

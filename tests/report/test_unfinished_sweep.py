"""The page of a sweep while it goes on, and after it was interrupted: how each point stands."""

import numpy as np
import pandas as pd
import pytest
from browser import is_sound
from pages import outside, read

from neuronal.experiments import interrupts, parse, run
from neuronal.experiments.sweep import attempts
from neuronal.runs import renewal
from neuronal.runs.sweeping import sweep_whole

CONTENT = {
    "name": "small",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "L = 2", "embedding": "bidirectional", "depth": 2, "rank": 2}],
    "limit": {"enabled": False},
    "networks": {"widths": [4], "learning_rate": 0.1},
    "run": {"until": 2.0, "records": 5, "checkpoints": 5},
}
GRID = {"networks.learning_rate": [0.1, 0.2, 0.4]}


class Stop(BaseException):
    pass


@pytest.fixture
def renewed(monkeypatch):
    """Pages whenever the sweep has moved."""
    monkeypatch.setattr(renewal, "EVERY", 0.0)
    monkeypatch.setattr(renewal, "SHARE", np.inf)


def statuses(page):
    return {cell.text: row[2].text for row in page.rows for cell in row[:1]}


@pytest.mark.slow
def test_a_sweep_has_a_page_that_is_renewed_interrupted_and_gone_on_with(
    tmp_path, renewed, monkeypatch
):
    pages = []

    def stopped(experiment, folder, **how):
        if folder.name.endswith("=0.2"):
            pages.append((tmp_path / "sweep.html").read_text(encoding="utf-8"))

            def tell(record):
                if record.number == 3:
                    raise Stop

            return run(experiment, folder, tell=tell, **how)
        return run(experiment, folder, **how)

    with monkeypatch.context() as patched:
        patched.setattr(attempts, "run", stopped)
        with pytest.raises(Stop):
            sweep_whole(parse(CONTENT), GRID, tmp_path, 1)

    (text,) = pages
    running = read(text)
    assert '<meta http-equiv="refresh"' in text
    assert "Running: 1 of 3 points are finished. The page is of " in running.words
    assert statuses(running) == {"0.1": "finished", "0.2": "waiting", "0.4": "waiting"}
    assert len(running.captions) == 1 and "sweep.nc" not in running.words

    text = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    ended = read(text)
    assert "refresh" not in text and not outside(ended)
    assert "Interrupted: 1 of 3 points are finished, 1 begun. The same command" in ended.words
    assert statuses(ended) == {"0.1": "finished", "0.2": "begun", "0.4": "waiting"}
    is_sound(tmp_path / "sweep.html")
    drawn = pd.read_csv(tmp_path / "figures" / "sweep-curves.csv")

    data, path = sweep_whole(parse(CONTENT), GRID, tmp_path, 1)
    whole = read(path.read_text(encoding="utf-8"))
    assert (data.status == "finished").all() and "The numbers are in sweep.nc" in whole.words
    assert data.tries.values.tolist() == [0, 1, 1]
    assert not {"running", "interrupted"} & set(path.read_text(encoding="utf-8").split('"'))
    after = pd.read_csv(tmp_path / "figures" / "sweep-curves.csv")
    begun = drawn[drawn["networks.learning_rate"] == 0.2]
    reached = after[after["networks.learning_rate"] == 0.2].head(len(begun))
    assert set(drawn["networks.learning_rate"]) == {0.1, 0.2} and 2 <= len(begun) < 6
    np.testing.assert_array_equal(begun[["time", "value"]], reached[["time", "value"]])


@pytest.mark.slow
def test_a_sweep_that_is_told_to_end_says_so_at_once(tmp_path, renewed, monkeypatch):
    """With the figures of its last renewal; nothing renews it any more."""
    pages = []

    def told(experiment, folder, **how):
        if folder.name.endswith("=0.2"):
            failures: list[str] = []
            interrupts._save(failures)  # as the thread does that hears a signal
            assert failures == []
        if folder.name.endswith("=0.4"):
            pages.append((tmp_path / "sweep.html").read_text(encoding="utf-8"))
        return run(experiment, folder, **how)

    monkeypatch.setattr(attempts, "run", told)
    sweep_whole(parse(CONTENT), GRID, tmp_path, 1)
    shown = read(pages[0])
    assert "Interrupted: 1 of 3 points are finished" in shown.words
    assert "refresh" not in pages[0] and len(shown.captions) == 1

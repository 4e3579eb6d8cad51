"""Sweeps: every combination is the run that it would be alone, in the right place of the table."""

import io
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tomli_w
import xarray as xr
from rich.console import Console

import neuronal as nr
from neuronal.experiments import load, parse, run
from neuronal.experiments.folder import locked
from neuronal.experiments.sweep import attempts, points, setting, settings_of, sweep
from neuronal.report import progress

CONTENT = {
    "name": "tiny",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [
        {"label": "a", "embedding": "bidirectional", "depth": 2},
        {"label": "b", "embedding": "bidirectional", "depth": 3, "rank": 2},
    ],
    "limit": {"nodes": 4, "data_nodes": 8, "solver": "euler", "step": 0.1},
    "networks": {"widths": [4, 6], "learning_rate": 0.1},
    "run": {"until": 1.0, "records": 4, "checkpoints": 1},
}


@pytest.mark.slow
def test_each_place_holds_its_own_run(tmp_path):
    settings = {"networks.learning_rate": [0.1, 0.2], "systems.1.depth": [3, 4]}
    data = sweep(parse(CONTENT), settings, tmp_path / "all", executor=1)
    assert dict(data.sizes) == {
        "networks.learning_rate": 2, "systems.1.depth": 2, "system": 2, "width": 2, "seed": 1,
    }  # fmt: skip
    content = CONTENT | {"networks": CONTENT["networks"] | {"learning_rate": 0.2}}
    content["systems"] = [CONTENT["systems"][0], CONTENT["systems"][1] | {"depth": 4}]
    alone = run(parse(content), tmp_path / "alone")
    place = {"networks.learning_rate": 0.2, "systems.1.depth": 4}
    np.testing.assert_array_equal(data.risk.sel(place), alone.risk.isel(time=-1))
    np.testing.assert_array_equal(data.limit_risk.sel(place), alone.limit_risk.isel(time=-1))
    assert len(np.unique(data.risk.sel(system="b", width=4))) == 4
    with xr.open_dataset(tmp_path / "all" / "sweep.nc", engine="h5netcdf") as written:
        xr.testing.assert_equal(written.load(), data)


@pytest.mark.slow
def test_finished_runs_are_kept_and_an_executor_changes_nothing(tmp_path):
    settings = {"systems.rank": [1, 2]}
    first = sweep(parse(CONTENT), settings, tmp_path, 1)
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/checkpoints/*")}
    assert len(stamps) == 2 * 6
    with ThreadPoolExecutor(2) as executor:
        again = sweep(parse(CONTENT), settings, tmp_path, executor)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/checkpoints/*")} == stamps
    assert first.tries.values.tolist() == [1, 1] and again.tries.values.tolist() == [0, 0]
    xr.testing.assert_equal(first.drop_vars("tries"), again.drop_vars("tries"))


@pytest.mark.slow
def test_a_diverging_combination_leaves_a_gap(tmp_path):
    system = {"activation": "identity", "input_scale": 30.0}
    content = CONTENT | {"systems": [CONTENT["systems"][0] | system], "loss": {"name": "squared"}}
    content["limit"] = {"enabled": False}
    told = []
    data = sweep(
        parse(content), {"networks.learning_rate": [1e-3, 0.1]}, tmp_path, executor=1,
        on_done=lambda point, error: told.append((point.name, error)),
    )  # fmt: skip
    assert [name for name, _ in told] == [
        "networks.learning_rate=0.001",
        "networks.learning_rate=0.1",
    ]
    assert told[0][1] is None and "diverged" in told[1][1]
    assert bool(np.isfinite(data.risk.isel({"networks.learning_rate": 0})).all())
    assert bool(np.isnan(data.risk.isel({"networks.learning_rate": 1})).all())
    assert data.status.values.tolist() == ["finished", "failed"]
    assert data.error.values.tolist() == ["", told[1][1]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("run.until=1.0, 2", ("run.until", [1.0, 2])),
        ("systems.0.embedding='iid',\"bidirectional\"", ("systems.0.embedding", ["iid", "bidirectional"])),
        ("networks.widths=[4],[8, 16]", ("networks.widths", [[4], [8, 16]])),
    ],
)  # fmt: skip
def test_settings_are_written_as_in_toml(text, found):
    assert setting(text) == found


@pytest.mark.parametrize("text", ["run.until", "=3", "run.until=", "run.until=a", "run until=3"])
def test_other_settings_are_refused(text):
    with pytest.raises(nr.InvalidInput, match="--set: "):
        setting(text)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "at least one field"),
        ({"run.untill": [1.0]}, "run.untill: unknown name"),
        ({"run.until": [1.0, -1.0]}, "run.until: takes"),
        ({"systems.7.depth": [3]}, "there are 2, numbered from 0"),
        ({"run.until.more": [3]}, "no field of that name"),
        ({"systems.0": [3]}, "takes a field of that table"),
        ({"run.until": [1.0, 1.0]}, "run.until: names a value twice"),
        ({"run.until": [1, 1.0]}, "run.until: names a value twice"),
        ({"run.until": 1.0}, "run.until: takes a list"),
        ({"run.until": []}, "run.until: takes a list"),
        ({"networks.widths": [[[4], [4, 8]]]}, "networks.widths"),
    ],
)
def test_bad_settings_are_told_before_anything_runs(settings, says):
    with pytest.raises(nr.InvalidInput, match=says):
        points(parse(CONTENT), settings)


@pytest.mark.slow
def test_from_the_command_line(call, tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(CONTENT))
    code, out, err = call(
        "sweep", file, "--set", "systems.rank=1,2", "--set", "run.until=0.5,1.0", "--workers", 1
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "systems.rank" in out and "risk, width 6" in out
    assert (tmp_path / "runs" / "tiny-sweep" / "sweep.nc").is_file()
    code, _, err = call("sweep", file, "--set", "systems.rank=1,x")
    assert code == 2 and "--set: systems.rank" in err


def test_a_field_is_given_once():
    assert settings_of(["run.until=1,2", "run.seed=3"]) == {"run.until": [1, 2], "run.seed": [3]}
    with pytest.raises(nr.InvalidInput, match="^--set: run.until is given twice"):
        settings_of(["run.until=1", "run.until=2"])
    for text in ("run.until=" + "9" * 5000, "run.until=" + "[" * 5000):
        with pytest.raises(nr.InvalidInput, match="^--set: run.until: takes values"):
            settings_of([text])


def test_paths_of_data_are_those_of_the_experiments_file(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    home = tmp_path / "sub"
    (home / "more").mkdir(parents=True)
    for name in ("d.csv", "more/f.csv"):
        rows = [f"{a},{b}" for a, b in rng.normal(size=(20, 2))]
        (home / name).write_text("\n".join(["a,y", *rows]))
    table = {"kind": "table", "path": "d.csv", "target": "y"}
    (home / "e.toml").write_text(tomli_w.dumps(CONTENT | {"problem": table}))
    monkeypatch.chdir(tmp_path)
    experiment = load(home / "e.toml")
    absolute = str(home / "d.csv")
    for values in (["d.csv", "more/f.csv"], ["./d.csv", absolute], ["../sub/d.csv"]):
        found = points(experiment, {"problem.path": values}, home)
        paths = [point.experiment.problem.path for point in found]
        assert paths == [str((home / value).resolve()) for value in values]
    whole = points(experiment, {"problem": [table]}, home)
    assert whole[0].experiment.problem.path == absolute


@pytest.mark.slow
def test_a_sweep_over_edited_data_is_refused(tmp_path):
    file = tmp_path / "d.csv"
    rows = "".join(f"{i},{i * i % 7}.5\n" for i in range(20))
    file.write_text("a,y\n" + rows)
    problem = {"kind": "table", "path": str(file), "target": "y"}
    experiment = parse(CONTENT | {"problem": problem, "limit": {"enabled": False}})
    settings = {"networks.learning_rate": [0.1, 0.2]}
    sweep(experiment, settings, tmp_path / "s", 1)
    sweep(experiment, settings, tmp_path / "s", 1)
    file.write_text("a,y\n" + rows.replace("3,", "4,"))
    with pytest.raises(nr.InvalidInput, match="d.csv.*edited since"):
        sweep(experiment, settings, tmp_path / "s", 1)
    sweep(experiment, settings, tmp_path / "s", 1, overwrite=True)


TINY = CONTENT | {
    "systems": CONTENT["systems"][:1],
    "limit": {"enabled": False},
    "networks": {"widths": [4], "learning_rate": 0.1},
}
GRID = {"networks.batch_size": [1, 2], "networks.seeds": [[0], [1]]}


def test_values_of_any_words_have_folders_of_their_own():
    longest = ["x" * n for n in (200, 201)]
    found = points(parse(TINY), {"title": ["a/b", "a_b", "c", *longest]})
    names = [point.name for point in found]
    assert len(set(names)) == 5 and names[2] == "title=c" and max(map(len, names)) < 200
    swapped = points(parse(TINY), {"title": ["a_b", "a/b"]})
    assert {p.values["title"]: p.name for p in swapped}.items() <= {
        p.values["title"]: p.name for p in found
    }.items()
    close = points(parse(TINY), {"run.until": np.array([1.0000001, 1.0000002])})
    assert [point.name for point in close] == ["run.until=1.0000001", "run.until=1.0000002"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "MemoryError"),
        (OSError(28, "No space left"), "OSError: [Errno 28] No space left"),
        (nr.InvalidInput("a: takes b\nc: takes d"), "a: takes b c: takes d"),
        (RuntimeError("nul \0, bell \a, half \udc80"), "RuntimeError: nul , bell , half"),
    ],
)
def test_an_error_is_one_line_that_can_be_kept(error, says):
    assert attempts.one_line(error) == says


def test_a_failing_point_is_recorded_and_tried_again(tmp_path, monkeypatch):
    """In a grid of two fields, the gap stays in its place."""
    ran, failing = [], {"networks.batch_size=2,networks.seeds=0"}

    def fails(experiment, folder, **how):
        ran.append(folder.name)
        if folder.name in failing:
            raise MemoryError
        return run(experiment, folder, **how)

    monkeypatch.setattr(attempts, "run", fails)
    data = sweep(parse(TINY), GRID, tmp_path, 1)
    assert data.status.values.tolist() == [["finished", "finished"], ["failed", "finished"]]
    assert str(data.error.values[1, 0]) == "MemoryError"
    finite = np.isfinite(data.risk.isel(system=0, width=0).values).any(axis=-1)
    assert finite.tolist() == [[True, True], [False, True]]
    assert len(ran) == 4 and not (tmp_path / "tries").exists()
    failing.clear()
    again = sweep(parse(TINY), GRID, tmp_path, 1)
    assert ran[4:] == ["networks.batch_size=2,networks.seeds=0"]
    assert again.tries.values.tolist() == [[0, 0], [1, 0]]
    assert set(again.status.values.ravel()) == {"finished"}


def test_a_sweep_of_which_all_points_fail_is_written_too(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise ValueError("no")

    monkeypatch.setattr(attempts, "run", fails)
    data = sweep(parse(CONTENT), {"systems.rank": [1, 2]}, tmp_path, 1)
    assert data.risk.shape == (2, 2, 2, 1) and data.limit_risk.shape == (2, 2)
    assert np.isnan(data.risk.values).all() and (tmp_path / "sweep.nc").is_file()
    assert data.error.values.tolist() == ["ValueError: no"] * 2


def test_results_that_cannot_be_read_are_made_again(tmp_path):
    settings = {"networks.batch_size": [1, 2]}
    first = sweep(parse(TINY), settings, tmp_path, 1)
    (tmp_path / "networks.batch_size=1" / "results.nc").write_bytes(b"rubbish")
    again = sweep(parse(TINY), settings, tmp_path, 1)
    np.testing.assert_array_equal(first.risk, again.risk)
    assert again.tries.values.tolist() == [1, 0]


def test_points_finished_before_are_told_first(tmp_path):
    told = []
    for values in ([2], [1, 2, 3]):
        told.clear()
        sweep(
            parse(TINY), {"networks.batch_size": values}, tmp_path, 1,
            on_begin=lambda *counts: told.append(counts),
            on_done=lambda point, error: told.append(point.values["networks.batch_size"]),
        )  # fmt: skip
    assert told == [(3, 1), 2, 1, 3]


def test_all_is_made_anew_where_it_is_asked_for(tmp_path):
    settings = {"networks.batch_size": [1, 2]}
    first = sweep(parse(TINY), settings, tmp_path, 1)
    other = parse(TINY | {"run": TINY["run"] | {"seed": 1}})
    with pytest.raises(nr.InvalidInput, match="another configuration"):
        sweep(other, settings, tmp_path, 1)
    again = sweep(other, settings, tmp_path, 1, overwrite=True)
    assert again.tries.values.tolist() == [1, 1] and (again.risk != first.risk).all()


def test_failures_end_with_exit_code_1_and_progress_is_a_line_per_point(
    call, tmp_path, monkeypatch
):
    def fails(experiment, folder, **how):
        if folder.name.endswith("=2"):
            raise MemoryError
        return run(experiment, folder, **how)

    monkeypatch.setattr(attempts, "run", fails)
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(TINY))
    command = ("sweep", file, "--set", "networks.batch_size=1,2", "-j", 1, "-o", tmp_path / "o")
    code, out, err = call(*command)
    assert code == 1 and "1 of 2 points failed" in err
    assert re.search(r"^1/2 points, ETA 0:\d\d:\d\d  networks.batch_size=1: finished$", out, re.M)
    assert "2/2 points, failed 1  networks.batch_size=2: failed: MemoryError" in out
    code, out, err = call(*command, "--quiet")
    assert code == 1 and out == "" and "1 of 2 points failed" in err
    code, out, _ = call("report", tmp_path / "o")
    assert code == 0 and "sweep.html" in out


def test_a_terminal_has_a_bar():
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=100, highlight=False)
    point = points(parse(TINY), {"networks.batch_size": [1]})[0]
    with progress.Points(console) as bar:
        bar.begin(4, 1)
        for error in (None, None, "no [room]"):
            bar.done(point, error)
    assert "3/4 points, failed 1, ETA 0:00:0" in shown.getvalue()
    assert "networks.batch_size=1: failed: no [room]" in shown.getvalue()
    assert "finished" not in shown.getvalue()


def test_two_sweeps_into_one_folder_are_refused(tmp_path):
    with locked(tmp_path), pytest.raises(nr.InvalidInput, match="in use by another run"):
        sweep(parse(TINY), GRID, tmp_path, 1)


@pytest.mark.parametrize("executor", [0, -1, 1.5, True, "2", object()])
def test_other_executors_are_refused(tmp_path, executor):
    with pytest.raises(nr.InvalidInput, match="executor: takes"):
        sweep(parse(TINY), GRID, tmp_path, executor)


def test_an_executor_that_is_shut_down_is_refused(tmp_path):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(nr.InvalidInput, match="executor: takes"):
        sweep(parse(TINY), GRID, tmp_path, executor)


@pytest.mark.slow
def test_threads_keep_each_its_own_precision(tmp_path):
    settings = {"run.precision": ["float32", "float64"]}
    turn = sweep(parse(TINY), settings, tmp_path / "turn", 1)
    with ThreadPoolExecutor(2) as executor:
        threads = sweep(parse(TINY), settings, tmp_path / "threads", executor)
    np.testing.assert_array_equal(turn.risk, threads.risk)
    assert (turn.risk[0] != turn.risk[1]).all()

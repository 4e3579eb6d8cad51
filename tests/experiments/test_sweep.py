"""Sweeps: every combination is the run that it would be alone, in the right place of the table."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tomli_w
import xarray as xr

import neuronal as nr
from neuronal.experiments import load, parse, run
from neuronal.experiments.sweep import points, setting, settings_of, sweep

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


def test_each_place_holds_its_own_run(tmp_path):
    settings = {"networks.learning_rate": [0.1, 0.2], "systems.1.depth": [3, 4]}
    data = sweep(parse(CONTENT), settings, tmp_path / "all")
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


def test_finished_runs_are_kept_and_an_executor_changes_nothing(tmp_path):
    settings = {"systems.rank": [1, 2]}
    first = sweep(parse(CONTENT), settings, tmp_path)
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/checkpoints/*")}
    assert len(stamps) == 2 * 6
    with ThreadPoolExecutor(2) as executor:
        again = sweep(parse(CONTENT), settings, tmp_path, executor)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/checkpoints/*")} == stamps
    xr.testing.assert_equal(first.drop_attrs(), again.drop_attrs())


def test_a_diverging_combination_leaves_a_gap(tmp_path):
    system = {"activation": "identity", "input_scale": 30.0}
    content = CONTENT | {"systems": [CONTENT["systems"][0] | system], "loss": {"name": "squared"}}
    content["limit"] = {"enabled": False}
    told = []
    data = sweep(
        parse(content), {"networks.learning_rate": [1e-3, 0.1]}, tmp_path,
        on_done=lambda point, error: told.append((point.name, error)),
    )  # fmt: skip
    assert [name for name, _ in told] == [
        "networks.learning_rate=0.001",
        "networks.learning_rate=0.1",
    ]
    assert told[0][1] is None and "diverged" in told[1][1]
    assert bool(np.isfinite(data.risk.isel({"networks.learning_rate": 0})).all())
    assert bool(np.isnan(data.risk.isel({"networks.learning_rate": 1})).all())


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
        ({"run.until": [1.0, 1.0]}, "names a value twice"),
    ],
)
def test_bad_settings_are_told_before_anything_runs(settings, says):
    with pytest.raises(nr.InvalidInput, match=says):
        points(parse(CONTENT), settings)


def test_from_the_command_line(call, tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(CONTENT))
    code, out, err = call("sweep", file, "--set", "systems.rank=1,2", "--set", "run.until=0.5,1.0")
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


def test_a_sweep_over_edited_data_is_refused(tmp_path):
    file = tmp_path / "d.csv"
    rows = "".join(f"{i},{i * i % 7}.5\n" for i in range(20))
    file.write_text("a,y\n" + rows)
    problem = {"kind": "table", "path": str(file), "target": "y"}
    experiment = parse(CONTENT | {"problem": problem, "limit": {"enabled": False}})
    settings = {"networks.learning_rate": [0.1, 0.2]}
    sweep(experiment, settings, tmp_path / "s")
    sweep(experiment, settings, tmp_path / "s")
    file.write_text("a,y\n" + rows.replace("3,", "4,"))
    with pytest.raises(nr.InvalidInput, match="d.csv.*edited since"):
        sweep(experiment, settings, tmp_path / "s")
    sweep(experiment, settings, tmp_path / "s", overwrite=True)
